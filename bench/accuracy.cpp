// kinglet-bench accuracy: the share of right answers of a HiTUT model on an evaluation set.
//
// The set holds, for each task T in high, low_mani, low_navi, row-major tensors T.vision_cls,
// T.vision_feats, T.lang_input, T.action_history_input, T.seq_mask, T.arg_pos, T.type_pos, the
// labels T.actype_label, T.arg_label, T.mask_label (−1 = not asked), and for navigation T.rotation,
// T.horizon.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "checkpoint.hpp"
#include "commands.hpp"
#include "file_error.hpp"
#include "hitut_golden.hpp"
#include "session.hpp"

namespace kinglet::tools {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string model;
  std::string set;
  std::string recorded;
  std::string isa;
  int threads = 1;
  int batch = 1;
  int within = -1;
  bool json = false;
};

struct Metric {
  const char* name;
  int right = 0;
  int asked = 0;

  void add(int label, const float* logits, int n) {
    if (label < 0) return;
    ++asked;
    right += std::max_element(logits, logits + n) - logits == label ? 1 : 0;
  }
  double share() const { return static_cast<double>(right) / asked; }
};

struct TaskResult {
  const char* task;
  int rows;
  double seconds;
  std::vector<Metric> metrics;
};

/// The rows of one task, ready to be sliced.
class Rows {
 public:
  Rows(const Checkpoint& set, const std::string& task) : set_(set), task_(task) {}

  int count() const {
    const Tensor* tensor = set_.find(task_ + ".type_pos");
    return tensor && tensor->shape.size() == 1 ? static_cast<int>(tensor->shape[0]) : 0;
  }
  bool has(const std::string& name) const { return set_.find(task_ + "." + name) != nullptr; }

  template <class T>
  std::vector<T> take(const std::string& name, int each) const {
    const std::string full = task_ + "." + name;
    const Tensor* tensor = set_.find(full);
    if (tensor == nullptr) throw FileError(set_.path, full, "the tensor is missing");
    if (tensor->count() != static_cast<std::int64_t>(count()) * each) {
      throw FileError(set_.path, full,
                      "needs " + std::to_string(each) + " numbers a row for this model");
    }
    std::vector<T> out;
    for (const double number : values_of(set_.path, *tensor).numbers) {
      if (!(std::abs(number) <= 2147483647.0))
        throw FileError(set_.path, full, "holds a number out of range");
      out.push_back(static_cast<T>(number));
    }
    return out;
  }

 private:
  const Checkpoint& set_;
  std::string task_;
};

TaskResult evaluate(HitutSession& session, const Checkpoint& set, hitut::Task task,
                    const char* name, int batch) {
  const hitut::Config& c = session.config();
  const Rows rows(set, name);
  const int count = rows.count();
  const auto words = rows.take<std::int32_t>("lang_input", c.language);
  const auto vision = rows.take<std::int32_t>("vision_cls", c.vision);
  const auto features = rows.take<float>("vision_feats", c.vision * hitut::kFeatures);
  const auto history = rows.take<std::int32_t>("action_history_input", c.history);
  const auto mask = rows.take<std::uint8_t>("seq_mask", c.seq);
  const auto type_position = rows.take<std::int32_t>("type_pos", 1);
  const auto arg_position = rows.take<std::int32_t>("arg_pos", 1);
  const auto type_label = rows.take<int>("actype_label", 1);
  const auto arg_label = rows.take<int>("arg_label", 1);
  const auto mask_label = rows.take<int>("mask_label", 1);
  std::vector<std::int32_t> rotation, horizon;
  if (task == hitut::Task::low_navi && rows.has("rotation")) {
    rotation = rows.take<std::int32_t>("rotation", 1);
    horizon = rows.take<std::int32_t>("horizon", 1);
  }

  const int types = hitut::type_count(c, task);
  const auto floats = [&](int each) {
    return std::vector<float>(static_cast<std::size_t>(batch * each));
  };
  std::vector<float> type_logits = floats(types), arg_logits = floats(c.object_count),
                     mask_logits = floats(c.vision), monitor_logits = floats(3);
  Metric type{"type"}, arg{"arg"}, slot{"mask"};
  const bool progress = isatty(STDERR_FILENO) != 0;
  const auto begin = Clock::now();
  for (int row = 0; row < count; row += batch) {
    hitut::Input in;
    in.task = task;
    in.batch = std::min(batch, count - row);
    in.words = words.data() + row * c.language;
    in.vision = vision.data() + row * c.vision;
    in.features = features.data() + static_cast<std::ptrdiff_t>(row) * c.vision * hitut::kFeatures;
    in.history = history.data() + row * c.history;
    in.mask = mask.data() + row * c.seq;
    in.type_position = type_position.data() + row;
    in.arg_position = arg_position.data() + row;
    if (!rotation.empty()) {
      in.rotation = rotation.data() + row;
      in.horizon = horizon.data() + row;
    }
    session.forward(
        in, {type_logits.data(), arg_logits.data(), mask_logits.data(), monitor_logits.data()});
    for (int b = 0; b < in.batch; ++b) {
      const auto at = static_cast<std::size_t>(row + b);
      type.add(type_label[at], type_logits.data() + b * types, types);
      arg.add(arg_label[at], arg_logits.data() + b * c.object_count, c.object_count);
      if (hitut::has_mask(task))
        slot.add(mask_label[at], mask_logits.data() + b * c.vision, c.vision);
    }
    if (progress) std::fprintf(stderr, "\r%s %d/%d ", name, row + in.batch, count);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (progress) std::fprintf(stderr, "\r\033[K");
  TaskResult result{name, count, seconds, {}};
  for (const Metric& metric : {type, arg, slot}) {
    if (metric.asked > 0) result.metrics.push_back(metric);
  }
  return result;
}

/// The fp32 accuracies recorded for this set's number of rows: metrics.json beside the trained models.
Json recorded_accuracies(const std::string& path, int rows) {
  if (path.empty()) return Json::object();
  std::ifstream in(path);
  if (!in) throw FileError(path, "open", "cannot be read");
  const Json metrics = Json::parse(in, nullptr, false);
  if (!metrics.is_object() || !metrics.contains("accuracies") ||
      !metrics["accuracies"].is_array()) {
    throw FileError(path, "json", "holds no list 'accuracies'");
  }
  for (const Json& entry : metrics["accuracies"]) {
    if (!entry.is_object()) continue;
    const bool fp32 =
        entry.value("mode", Json()) == "fp32" || entry.value("what", Json()) == "fp32";
    const bool mine = !entry.contains("model") || entry["model"] == "student";
    if (fp32 && mine && entry.value("rows_per_task", Json()) == rows) {
      return entry.value("accuracy", Json::object());
    }
  }
  return Json::object();
}

/// The share that was recorded for one metric, or a negative number.
double recorded_share(const Json& recorded, const char* task, const char* metric) {
  const Json of_task = recorded.value(task, Json::object());
  return of_task.contains(metric) ? of_task[metric].get<double>() : -1;
}

void run(const Options& options) {
  HitutSession session(options.model, options.isa, options.threads);
  const Checkpoint set = read_checkpoint(options.set);
  std::vector<TaskResult> results;
  constexpr std::pair<hitut::Task, const char*> kTasks[] = {{hitut::Task::high, "high"},
                                                            {hitut::Task::low_mani, "low_mani"},
                                                            {hitut::Task::low_navi, "low_navi"}};
  for (const auto& [task, name] : kTasks) {
    if (Rows(set, name).count() > 0)
      results.push_back(evaluate(session, set, task, name, options.batch));
  }
  if (results.empty())
    throw FileError(options.set, "evaluation set", "holds no rows of a HiTUT task");
  const Json recorded = recorded_accuracies(options.recorded, results[0].rows);

  Json out;
  out["model"] = options.model;
  out["set"] = options.set;
  out["isa"] = session.isa();
  out["threads"] = options.threads;
  out["batch"] = options.batch;
  int examples = 0, far = 0, compared = 0;
  double seconds = 0;
  for (const TaskResult& result : results) {
    Json& task = out["tasks"][result.task];
    task["rows"] = result.rows;
    for (const Metric& metric : result.metrics) {
      task[metric.name] = {
          {"right", metric.right}, {"asked", metric.asked}, {"accuracy", metric.share()}};
      const double share = recorded_share(recorded, result.task, metric.name);
      if (share < 0) continue;
      ++compared;
      task[metric.name]["recorded"] = share;
      // Recorded shares have four digits: half of the last one may be added to the difference.
      const double away = std::abs(metric.right - share * metric.asked);
      if (away > options.within + 0.00005 * metric.asked) ++far;
    }
    examples += result.rows;
    seconds += result.seconds;
  }
  out["examples_per_second"] = examples / seconds;
  const auto judge = [&] {
    if (options.within < 0) return;
    if (compared == 0)
      throw FileError(options.recorded, "accuracies", "none is recorded for this set");
    if (far > 0) throw CLI::RuntimeError(1);
  };
  if (options.json) {
    std::printf("%s\n", out.dump(2).c_str());
    return judge();
  }
  std::printf("%s on %s  (%s, %d thread%s, batch %d)\n\n", options.model.c_str(),
              options.set.c_str(), session.isa(), options.threads, options.threads == 1 ? "" : "s",
              options.batch);
  std::printf("  %-10s %-5s %12s  %8s%s\n", "task", "head", "right/asked", "accuracy",
              recorded.empty() ? "" : "  PyTorch fp32");
  for (const TaskResult& result : results) {
    for (const Metric& metric : result.metrics) {
      char counts[32], beside[32] = "";
      std::snprintf(counts, sizeof counts, "%d/%d", metric.right, metric.asked);
      const double share = recorded_share(recorded, result.task, metric.name);
      if (share >= 0) std::snprintf(beside, sizeof beside, "%14.4f", share);
      std::printf("  %-10s %-5s %12s  %8.4f%s\n", result.task, metric.name, counts, metric.share(),
                  beside);
    }
  }
  std::printf("\n  %d examples, %.0f a second\n", examples, examples / seconds);
  if (far > 0 && options.within >= 0) {
    std::printf("  %d metric%s more than %d examples away from the recorded\n", far,
                far == 1 ? " is" : "s are", options.within);
  }
  judge();
}

}  // namespace

void add_accuracy(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("accuracy", "Right answers on an evaluation set");
  command->add_option("model", options->model, "Model file (.gguf)")->required();
  command->add_option("set", options->set, "Evaluation set (.safetensors)")->required();
  command->add_option("--recorded", options->recorded,
                      "metrics.json whose fp32 accuracies are printed beside");
  command
      ->add_option("--within", options->within,
                   "Fail when a metric is more examples away from the recorded")
      ->check(CLI::Range(0, 1000000));
  command->add_option("--batch", options->batch, "Rows at once")->check(CLI::Range(1, 1024));
  command->add_option("--threads", options->threads, "Threads")->check(CLI::Range(1, 256));
  command->add_option("--isa", options->isa, "Instruction set; default: the best here");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options] { run(*options); });
}

}  // namespace kinglet::tools
