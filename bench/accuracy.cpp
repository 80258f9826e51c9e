// kinglet-bench accuracy: the share of right answers of a HiTUT model on an evaluation set.
//
// The set holds, for each task T in high, low_mani, low_navi, inputs as HitutRows reads them and the
// labels T.actype_label, T.arg_label, T.mask_label (−1 = not asked).

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
#include "hitut_samples.hpp"
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

TaskResult evaluate(HitutSession& session, const Samples& set, const HitutTask& task, int batch) {
  const hitut::Config& c = session.config();
  const HitutRows rows(set, c, task.task);
  const int count = rows.count();
  const auto type_label = set.numbers<int>("actype_label", count);
  const auto arg_label = set.numbers<int>("arg_label", count);
  const auto mask_label = set.numbers<int>("mask_label", count);

  const int types = hitut::type_count(c, task.task);
  HitutLogits logits(c, task.task, batch);
  Metric type{"type"}, arg{"arg"}, slot{"mask"};
  const bool progress = isatty(STDERR_FILENO) != 0;
  const auto begin = Clock::now();
  for (int row = 0; row < count; row += batch) {
    const int now = std::min(batch, count - row);
    session.forward(rows.slice(row, now), logits.at(0));
    for (int b = 0; b < now; ++b) {
      const auto at = static_cast<std::size_t>(row + b);
      type.add(type_label[at], logits.type.data() + b * types, types);
      arg.add(arg_label[at], logits.arg.data() + b * c.object_count, c.object_count);
      if (hitut::has_mask(task.task))
        slot.add(mask_label[at], logits.mask.data() + b * c.vision, c.vision);
    }
    if (progress) std::fprintf(stderr, "\r%s %d/%d ", task.name, row + now, count);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (progress) std::fprintf(stderr, "\r\033[K");
  TaskResult result{task.name, count, seconds, {}};
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
  for (const HitutTask& task : kHitutTasks) {
    const Samples rows(set, task.name);
    if (rows.has("type_pos")) results.push_back(evaluate(session, rows, task, options.batch));
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
