// ALFRED's Seq2Seq over recorded episodes, one at a time, without padding. Each is played twice from
// one reading of its instruction:
//
//   free    the action chosen before goes in, as many steps as there are frames; the actions before the
//           first stop against the expert's, as bags: F1 = 2PR / (P + R), its mean over the episodes
//   forced  the expert's action before goes in: the share of all steps whose choice is the expert's
//
// Where the set records logits of some episodes (golden.*), the largest difference from these.

#include <algorithm>
#include <cmath>
#include <map>

#include "evaluation.hpp"
#include "file_error.hpp"
#include "nan.hpp"
#include "seq2seq_samples.hpp"
#include "seq2seq_session.hpp"

namespace kinglet::tools {
namespace {

constexpr std::int32_t kPad = 0, kStop = 2;  // ids of the published vocabulary

/// The actions before the first stop.
std::vector<std::int32_t> done_of(const std::int32_t* actions, int steps) {
  const auto ends = [](std::int32_t a) { return a == kStop || a == kPad; };
  return {actions, std::find_if(actions, actions + steps, ends)};
}

double f1_of(const std::vector<std::int32_t>& mine, const std::vector<std::int32_t>& expert) {
  std::map<std::int32_t, int> left;
  for (const std::int32_t a : expert) ++left[a];
  int common = 0;
  for (const std::int32_t a : mine) common += left[a]-- > 0 ? 1 : 0;
  return common == 0 ? 0 : 2.0 * common / static_cast<double>(mine.size() + expert.size());
}

/// What an episode gives, a row a step.
struct Played {
  std::vector<float> free_logits, forced_logits, encoded, context, visual, h, c;
  std::vector<std::int32_t> free, forced;
};

class EpisodeEvaluation : public Evaluation {
 public:
  EpisodeEvaluation(Seq2SeqSession& session, const Checkpoint& set)
      : session_(session), set_(set, ""), episodes_(set) {
    for (int e = 0; e < episodes_.count(); ++e) {
      const std::int32_t* actions = episodes_.actions(e);
      expert_of_all_.insert(expert_of_all_.end(), actions, actions + episodes_.steps(e));
    }
    forced_.resize(expert_of_all_.size());
    f1_.resize(static_cast<std::size_t>(episodes_.count()));
    unseen_ = set_.has("unseen_scene") ? set_.numbers<int>("unseen_scene", episodes_.count())
                                       : std::vector<int>();
    for (const char* name : {"free_running_logits", "teacher_forced_logits", "lang_context",
                             "ex0_enc", "ex0_vis_feat", "ex0_final_h", "ex0_final_c"}) {
      const std::string full = std::string("golden.") + name;
      if (set_.has(full)) recorded_[name] = set_.numbers<double>(full);
    }
  }

  int steps() const override { return episodes_.count(); }

  void prepare(int episode) override {
    frames_ = episodes_.frames(episode);
    expert_.assign(episodes_.actions(episode),
                   episodes_.actions(episode) + episodes_.steps(episode));
    for (std::int32_t& action : expert_) {
      const std::int32_t first = action;
      action = session_.action_of(first);
      if (action < 0)
        throw FileError(session_.path(), "actions",
                        "action " + std::to_string(first) + " of the expert was left out");
    }
  }

  int run(int episode) override {
    const int steps = episodes_.steps(episode);
    const seq2seq::Instruction in{1, episodes_.words(episode), episodes_.word_ids(episode),
                                  nullptr};
    if (!seq2seq::check(session_.config(), in).ok())
      set_.fail("lang_ids", "holds words that the model does not have");
    const auto room = [](int n) { return std::vector<float>(static_cast<std::size_t>(n)); };
    const seq2seq::Config& c = session_.config();
    Played p;
    p.free_logits = p.forced_logits = room(steps * c.actions);
    p.visual = room(steps * c.frame);
    p.free = p.forced = std::vector<std::int32_t>(static_cast<std::size_t>(steps));
    Count count(session_.threads());
    seq2seq::Instruction counted = in;
    counted.words = nullptr;
    play(count, counted, steps, p);
    session_.run(count.scratch_bytes(), [&](auto& backend) { play(backend, in, steps, p); });
    judge(episode, p);
    return 2 * steps;
  }

  std::vector<Score> scores(const Evaluation& reference) const override {
    const auto& other = dynamic_cast<const EpisodeEvaluation&>(reference);
    std::vector<Score> all;
    const auto mean = [&](const char* name, int scene) {
      double sum = 0;
      int count = 0;
      for (std::size_t e = 0; e < f1_.size(); ++e) {
        if (scene >= 0 && (unseen_.empty() || unseen_[e] != scene)) continue;
        sum += f1_[e];
        ++count;
      }
      if (count > 0) all.push_back({"F1", name, sum / count});
    };
    mean("all", -1);
    mean("seen", 0);
    mean("unseen", 1);
    Score steps{"forced", "step", 0};
    for (std::size_t i = 0; i < forced_.size(); ++i) {
      steps.right += forced_[i] == expert_of_all_[i] ? 1 : 0;
      steps.agreed += forced_[i] == other.forced_[i] ? 1 : 0;
    }
    steps.asked = static_cast<int>(forced_.size());
    steps.value = static_cast<double>(steps.right) / steps.asked;
    steps.answers = forced_;
    all.push_back(steps);
    return all;
  }

  std::vector<Difference> differences() const override {
    std::vector<Difference> all;
    for (const auto& [name, largest] : differences_) all.push_back({name, largest});
    return all;
  }

 private:
  template <class B>
  void play(B& be, const seq2seq::Instruction& in, int steps, Played& p) const {
    const seq2seq::Config& c = session_.config();
    const seq2seq::Weights& w = session_.weights();
    seq2seq::State s = seq2seq::take_state(be.arena(), c, in.batch, in.longest);
    seq2seq::begin(be, c, w, in, s);
    const bool counts = in.words == nullptr;
    const auto keep = [&](ConstMatrix rows, std::vector<float>& to) {
      if (!counts) to.assign(rows.data, rows.data + std::ptrdiff_t{rows.rows} * rows.cols);
    };
    keep(s.encoded, p.encoded);
    keep(s.context, p.context);
    seq2seq::Frames frames;
    frames.form = seq2seq::Frames::Form::pixels;
    const auto step = [&](int t, const std::int32_t* last, std::vector<float>& logits,
                          std::vector<std::int32_t>& chosen) {
      const std::ptrdiff_t at = t;
      frames.data = counts ? nullptr : frames_.data() + at * frames.size(c);
      seq2seq::Output out;
      out.logits = logits.data() + at * c.actions;
      out.action = chosen.data() + at;
      out.visual = p.visual.data() + at * c.frame;
      seq2seq::step(be, c, w, s, frames, last, out);
    };
    for (int t = 0; t < steps; ++t) step(t, nullptr, p.free_logits, p.free);
    keep(s.h, p.h);
    keep(s.c, p.c);
    seq2seq::restart(be, w, s);
    for (int t = 0; t < steps; ++t)
      step(t, t > 0 ? expert_.data() + t - 1 : nullptr, p.forced_logits, p.forced);
  }

  void judge(int episode, const Played& p) {
    const auto first_ids = [&](std::vector<std::int32_t> actions) {
      for (std::int32_t& a : actions) a = session_.first_actions()[static_cast<std::size_t>(a)];
      return actions;
    };
    const std::vector<std::int32_t> free = first_ids(p.free), forced = first_ids(p.forced);
    const std::int32_t* const expert = episodes_.actions(episode);
    const int steps = episodes_.steps(episode);
    f1_[static_cast<std::size_t>(episode)] =
        f1_of(done_of(free.data(), steps), done_of(expert, steps));
    const std::ptrdiff_t first = expert - episodes_.actions(0);
    std::copy(forced.begin(), forced.end(), forced_.begin() + first);

    const std::size_t row = static_cast<std::size_t>(first);
    compare_logits("free_running_logits", p.free_logits, row);
    compare_logits("teacher_forced_logits", p.forced_logits, row);
    compare("lang_context", p.context, p.context.size() * static_cast<std::size_t>(episode));
    if (episode != 0) return;
    compare("ex0_enc", p.encoded, 0);
    compare("ex0_vis_feat", p.visual, 0);
    compare("ex0_final_h", p.h, 0);
    compare("ex0_final_c", p.c, 0);
  }

  void compare_logits(const char* name, const std::vector<float>& logits, std::size_t row) {
    const std::vector<std::int32_t>& ids = session_.first_actions();
    const std::size_t kept = ids.size();
    const auto found = recorded_.find(name);
    if (found == recorded_.end()) return;
    // The recorded logits are of all actions that there were.
    const auto all = static_cast<std::size_t>(set_.shape(std::string("golden.") + name).back());
    const std::size_t rows = found->second.size() / all;
    for (std::size_t i = 0; i < logits.size() && row + i / kept < rows; ++i) {
      const auto column = static_cast<std::size_t>(ids[i % kept]);
      if (column >= all) set_.fail(std::string("golden.") + name, "has not every action");
      differ(name, logits[i], found->second[(row + i / kept) * all + column]);
    }
  }

  void compare(const char* name, const std::vector<float>& mine, std::size_t first) {
    const auto found = recorded_.find(name);
    if (found == recorded_.end()) return;
    for (std::size_t i = 0; i < mine.size() && first + i < found->second.size(); ++i)
      differ(name, mine[i], found->second[first + i]);
  }

  void differ(const char* name, float mine, double theirs) {
    double& largest = differences_[name];
    largest = max_or_nan(largest, std::fabs(static_cast<double>(mine) - theirs));
  }

  Seq2SeqSession& session_;
  const Samples set_;
  const Seq2SeqEpisodes episodes_;
  std::vector<int> unseen_;
  std::map<std::string, std::vector<double>> recorded_;
  std::map<std::string, double> differences_;
  std::vector<std::int32_t> expert_;         // of the episode that is prepared, ids of the model
  std::vector<float> frames_;                // of the same
  std::vector<std::int32_t> expert_of_all_;  // first ids
  std::vector<int> forced_;
  std::vector<double> f1_;
};

}  // namespace

std::unique_ptr<Evaluation> evaluate_episodes(ModelSession& session, const Checkpoint& set) {
  auto* seq2seq = dynamic_cast<Seq2SeqSession*>(&session);
  if (seq2seq == nullptr || !Seq2SeqEpisodes::holds(set)) return nullptr;
  return std::make_unique<EpisodeEvaluation>(*seq2seq, set);
}

}  // namespace kinglet::tools
