// Right answers on an evaluation set of HiTUT. It holds, for each task T in high, low_mani, low_navi,
// inputs as HitutRows reads them and the labels T.actype_label, T.arg_label, T.mask_label
// (−1 = not asked).

#include <algorithm>

#include "evaluation.hpp"
#include "file_error.hpp"
#include "hitut_samples.hpp"
#include "hitut_session.hpp"

namespace kinglet::tools {
namespace {

/// The labels of one head, and the answers to them.
struct Answers {
  Answers(const char* its_name, std::vector<int> its_labels)
      : name(its_name), labels(std::move(its_labels)), given(labels.size()) {}

  void set(int row, const std::vector<float>& logits, int of_batch, int n) {
    const float* of_row = logits.data() + static_cast<std::ptrdiff_t>(of_batch) * n;
    given[static_cast<std::size_t>(row)] =
        static_cast<int>(std::max_element(of_row, of_row + n) - of_row);
  }

  const char* name;
  std::vector<int> labels, given;
};

struct TaskAnswers {
  TaskAnswers(const HitutTask& its_task, const Samples& set, const hitut::Config& config)
      : task(its_task), rows(set, config, its_task.task) {
    const int count = rows.count();
    heads.emplace_back("type", set.numbers<int>("actype_label", count));
    heads.emplace_back("arg", set.numbers<int>("arg_label", count));
    if (hitut::has_mask(task.task))
      heads.emplace_back("mask", set.numbers<int>("mask_label", count));
  }

  HitutTask task;
  HitutRows rows;
  std::vector<Answers> heads;  ///< type, arg, mask where the task has one
};

class LabelEvaluation : public Evaluation {
 public:
  LabelEvaluation(HitutSession& session, const Checkpoint& set, int batch)
      : session_(session), batch_(batch) {
    for (const HitutTask& task : kHitutTasks) {
      const Samples rows(set, task.name);
      if (rows.has("type_pos")) {
        tasks_.push_back(std::make_unique<TaskAnswers>(task, rows, session.config()));
      }
    }
  }

  int steps() const override {
    int total = 0;
    for (const auto& task : tasks_) total += steps_of(*task);
    return total;
  }

  int run(int step) override {
    std::size_t t = 0;
    for (; step >= steps_of(*tasks_[t]); ++t) step -= steps_of(*tasks_[t]);
    TaskAnswers& task = *tasks_[t];
    const hitut::Config& c = session_.config();
    const int first = step * batch_, count = std::min(batch_, task.rows.count() - first);
    HitutLogits logits(c, task.task.task, count);
    session_.forward(task.rows.slice(first, count), logits.at(0));
    for (int b = 0; b < count; ++b) {
      task.heads[0].set(first + b, logits.type, b, hitut::type_count(c, task.task.task));
      task.heads[1].set(first + b, logits.arg, b, c.object_count);
      if (task.heads.size() > 2) task.heads[2].set(first + b, logits.mask, b, c.vision);
    }
    return count;
  }

  std::vector<Score> scores(const Evaluation& reference) const override {
    const auto& other = dynamic_cast<const LabelEvaluation&>(reference);
    std::vector<Score> all;
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      for (std::size_t h = 0; h < tasks_[t]->heads.size(); ++h) {
        const Answers& mine = tasks_[t]->heads[h];
        const std::vector<int>& theirs = other.tasks_[t]->heads[h].given;
        Score score{tasks_[t]->task.name, mine.name, 0};
        for (std::size_t row = 0; row < mine.given.size(); ++row) {
          if (mine.labels[row] < 0) continue;
          ++score.asked;
          score.right += mine.given[row] == mine.labels[row] ? 1 : 0;
          score.agreed += mine.given[row] == theirs[row] ? 1 : 0;
        }
        if (score.asked == 0) continue;
        score.value = static_cast<double>(score.right) / score.asked;
        score.answers = mine.given;
        all.push_back(score);
      }
    }
    return all;
  }

 private:
  int steps_of(const TaskAnswers& task) const { return (task.rows.count() + batch_ - 1) / batch_; }

  HitutSession& session_;
  int batch_;
  std::vector<std::unique_ptr<TaskAnswers>> tasks_;
};

}  // namespace

std::unique_ptr<Evaluation> evaluate_labels(ModelSession& session, const Checkpoint& set,
                                            int batch) {
  auto* hitut = dynamic_cast<HitutSession*>(&session);
  if (hitut == nullptr) return nullptr;
  auto evaluation = std::make_unique<LabelEvaluation>(*hitut, set, batch);
  if (evaluation->steps() == 0) return nullptr;
  return evaluation;
}

}  // namespace kinglet::tools
