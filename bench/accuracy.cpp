// kinglet-bench accuracy: how right models are over examples, and what each costs, in one table. The
// first model is the reference.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "commands.hpp"
#include "evaluation.hpp"
#include "file_error.hpp"
#include "json_text.hpp"
#include "progress.hpp"
#include "results/text_table.hpp"

namespace kinglet::tools {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Variant {
  std::unique_ptr<ModelSession> session;
  std::unique_ptr<Evaluation> evaluation;
  std::size_t scratch_bytes = 0;
  double seconds = 0;
  int examples = 0;
  std::vector<Score> scores;

  double ms_per_example() const { return seconds * 1e3 / examples; }
};

/// As tables call it.
std::string name_of(const Variant& variant) {
  return printable(file_name(variant.session->path()), 200);
}

/// first: the evaluation of the first model; null for that itself.
Variant open_variant(const std::string& path, const Checkpoint& set, const AccuracyOptions& options,
                     const Evaluation* first) {
  Variant variant;
  variant.session = open_model(path, options.isa, options.threads);
  variant.evaluation = evaluate(*variant.session, set, options.batch, first);
  for (const NamedPlan& named : variant.session->plans(options.batch, 0, false)) {
    variant.scratch_bytes = std::max(variant.scratch_bytes, named.plan.scratch_bytes);
  }
  return variant;
}

/// The models take turns, so that what else the machine does hits all of them.
void run_in_turns(std::vector<Variant>& variants, int steps) {
  constexpr int kTurn = 32;
  Progress progress("accuracy");
  for (int first = 0; first < steps; first += kTurn) {
    for (Variant& variant : variants) {
      for (int step = first; step < std::min(steps, first + kTurn); ++step) {
        variant.evaluation->prepare(step);
        const auto begin = Clock::now();
        variant.examples += variant.evaluation->run(step);
        variant.seconds += std::chrono::duration<double>(Clock::now() - begin).count();
      }
    }
    progress.show(static_cast<double>(std::min(steps, first + kTurn)) / steps);
  }
}

/// Recorded shares by the group and the name of their score.
using Recorded = std::map<std::pair<std::string, std::string>, double>;

/// The entries of metrics.json, which stands beside the trained models.
Json read_metrics(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw FileError(path, "open", "cannot be read");
  const Json metrics = Json::parse(in, nullptr, false);
  if (!metrics.is_object() || !metrics.contains("accuracies") ||
      !metrics["accuracies"].is_array()) {
    throw FileError(path, "json", "holds no list 'accuracies'");
  }
  return metrics["accuracies"];
}

/// Null where there is none.
Json member(const Json& object, const std::string& key) {
  return object.is_object() && object.contains(key) ? object[key] : Json();
}

/// The fp32 accuracies recorded for this set's number of rows, or of steps. What is no number is not
/// recorded.
Recorded recorded_accuracies(const Json& entries, const std::vector<Score>& scores) {
  // Every example has a label of its type; the last score of episodes is that of their steps.
  const int rows = scores[0].asked, steps = scores.back().asked;
  Recorded recorded;
  const auto add = [&](const std::string& group, const std::string& name, const Json& share) {
    if (share.is_number()) recorded[{group, name}] = share;
  };
  for (const Json& entry : entries) {
    if (member(entry, "mode") != "fp32" && member(entry, "what") != "fp32") continue;
    const Json model = member(entry, "model");
    if ((model.is_null() || model == "student") && member(entry, "rows_per_task") == rows) {
      const Json accuracy = member(entry, "accuracy");
      for (const Score& s : scores) add(s.group, s.name, member(member(accuracy, s.group), s.name));
      break;
    }
    if (entry.contains("action_low_f1") && member(entry, "steps") == steps) {
      // Named as evaluate_episodes.cpp does.
      add("F1", "all", member(entry, "action_low_f1"));
      add("F1", "seen", member(entry, "f1_seen_scenes"));
      add("F1", "unseen", member(entry, "f1_unseen_scenes"));
      add("forced", "step", member(entry, "teacher_forced_step_accuracy"));
      break;
    }
  }
  return recorded;
}

/// The share that was recorded for a score, or a negative number.
double recorded_share(const Recorded& recorded, const Score& score) {
  const auto found = recorded.find({score.group, score.name});
  return found == recorded.end() ? -1 : found->second;
}

double points(double value, double of_reference) { return 100 * (value - of_reference); }

void print_variants(const std::vector<Variant>& variants, const Recorded& recorded) {
  const std::vector<Score>& reference = variants[0].scores;
  std::vector<std::vector<std::string>> lines = {
      {"", "bytes", "MiB", "RAM MiB", "ms"}, {"", "", "", "", ""}, {"", "", "", "", ""}};
  for (const Score& score : reference) {
    lines[0].push_back(score.group);
    lines[1].push_back(score.name);
    lines[2].push_back(score.asked > 0 ? "of " + std::to_string(score.asked) : "");
  }
  for (const Variant& variant : variants) {
    const std::size_t bytes = variant.session->file_bytes();
    lines.push_back(
        {name_of(variant), std::to_string(bytes),
         text_of("%.2f", static_cast<double>(bytes) / (1 << 20)),
         text_of("%.2f", static_cast<double>(bytes + variant.scratch_bytes) / (1 << 20)),
         text_of("%.3f", variant.ms_per_example())});
    for (std::size_t i = 0; i < variant.scores.size(); ++i) {
      std::string cell = text_of("%.4f", variant.scores[i].value);
      if (&variant != &variants[0])
        cell += text_of(" %+.2f", points(variant.scores[i].value, reference[i].value));
      lines.back().push_back(cell);
    }
  }
  if (!recorded.empty()) {
    lines.push_back({"PyTorch fp32, recorded", "", "", "", ""});
    for (const Score& score : reference) {
      const double share = recorded_share(recorded, score);
      lines.back().push_back(share < 0 ? "" : text_of("%.4f", share));
    }
  }
  std::printf("%s", text_table(lines).c_str());
  std::printf("\n  RAM: file and scratch; ms: an example%s\n",
              variants.size() > 1 ? "; changes in points, of the first model" : "");
  for (const Variant& variant : variants) {
    const std::vector<Difference> differences = variant.evaluation->differences();
    if (differences.empty()) continue;
    std::printf("  %s, largest differences from what is recorded:", name_of(variant).c_str());
    for (const Difference& d : differences) std::printf(" %s %.1e", d.name.c_str(), d.largest);
    std::printf("\n");
  }
  for (std::size_t v = 1; v < variants.size(); ++v) {
    int asked = 0, agreed = 0;
    for (const Score& score : variants[v].scores) asked += score.asked, agreed += score.agreed;
    if (asked > 0) {
      std::printf("  %s gives %d of %d answers as the first model does\n",
                  name_of(variants[v]).c_str(), agreed, asked);
    }
  }
}

Json json_of(const Variant& variant, const Variant& reference, const Recorded& recorded,
             bool answers) {
  Json out;
  out["model"] = variant.session->path();
  out["file_bytes"] = variant.session->file_bytes();
  out["scratch_bytes"] = variant.scratch_bytes;
  out["ms_per_example"] = variant.ms_per_example();
  out["examples_per_second"] = variant.examples / variant.seconds;
  for (const Difference& d : variant.evaluation->differences()) {
    out["differences"][d.name] = d.largest;
  }
  for (std::size_t i = 0; i < variant.scores.size(); ++i) {
    const Score& score = variant.scores[i];
    Json entry = {{"group", score.group},
                  {"name", score.name},
                  {"value", score.value},
                  {"change_points", points(score.value, reference.scores[i].value)}};
    if (score.asked > 0) {
      entry["right"] = score.right;
      entry["asked"] = score.asked;
      entry["agreed"] = score.agreed;
    }
    const double share = recorded_share(recorded, score);
    if (share >= 0) entry["recorded"] = share;
    if (answers) entry["answers"] = score.answers;
    out["scores"].push_back(entry);
  }
  return out;
}

/// Whether the first model gives what the set records.
bool as_recorded(const Variant& reference, double max_difference) {
  bool good = true;
  const std::vector<Difference> all = reference.evaluation->differences();
  if (all.empty())
    throw FileError(reference.session->path(), "outputs", "none is recorded in this set");
  for (const Difference& d : all) {
    if (d.largest <= max_difference) continue;  // NaN is not
    std::fprintf(stderr, "%s: %s: differs from the recorded by %.3g, allowed are %.3g\n",
                 printable(reference.session->path(), 1000).c_str(), d.name.c_str(), d.largest,
                 max_difference);
    good = false;
  }
  return good;
}

/// Says on stderr what is not good enough; true when nothing is.
bool good_enough(const std::vector<Variant>& variants, const Recorded& recorded,
                 const AccuracyOptions& options) {
  int compared = 0, bad = 0;
  const auto complain = [&](const Variant& variant, const Score& score, const std::string& what) {
    std::fprintf(stderr, "%s: %s %s: %s\n", printable(variant.session->path(), 1000).c_str(),
                 score.group.c_str(), score.name.c_str(), what.c_str());
    ++bad;
  };
  for (const Variant& variant : variants) {
    for (std::size_t i = 0; i < variant.scores.size(); ++i) {
      const Score& score = variant.scores[i];
      const double change = points(score.value, variants[0].scores[i].value);
      // NaN is a drop too; 1e-9 forgives the rounding of the shares.
      if (options.max_drop >= 0 && !(change >= -options.max_drop - 1e-9)) {
        complain(variant, score,
                 text_of("%+.2f", change) + " points, allowed are " +
                     text_of("%+.2f", -options.max_drop));
      }
      const double share = recorded_share(recorded, score);
      if (share < 0) continue;
      ++compared;
      const double points_away = std::abs(points(score.value, share));
      if (options.within_points >= 0 && !(points_away <= options.within_points)) {
        complain(variant, score,
                 text_of("%.3f", points_away) + " points away from the recorded, allowed are " +
                     text_of("%.3f", options.within_points));
      }
      if (options.within < 0) continue;
      // Recorded shares have four digits: half of the last one may be added to the difference.
      const double away = std::abs(score.right - share * score.asked);
      if (score.asked > 0 && away > options.within + 0.00005 * score.asked) {
        complain(variant, score,
                 text_of("%.0f", away) + " examples away from the recorded, allowed are " +
                     std::to_string(options.within));
      }
    }
  }
  if ((options.within >= 0 || options.within_points >= 0) && compared == 0)
    throw FileError(options.recorded, "accuracies", "none is recorded for this set");
  if (options.max_difference >= 0 && !as_recorded(variants[0], options.max_difference)) ++bad;
  return bad == 0;
}

}  // namespace

bool run_accuracy(const AccuracyOptions& options) {
  const std::string& path = options.files.back();
  const Checkpoint set = read_checkpoint(path);
  const Json metrics = options.recorded.empty() ? Json::array() : read_metrics(options.recorded);
  std::vector<Variant> variants;
  for (std::size_t i = 0; i + 1 < options.files.size(); ++i) {
    const Evaluation* const first = variants.empty() ? nullptr : variants[0].evaluation.get();
    variants.push_back(open_variant(options.files[i], set, options, first));
  }
  run_in_turns(variants, variants[0].evaluation->steps());
  for (Variant& variant : variants) {
    variant.scores = scores_of(*variant.evaluation, *variants[0].evaluation, set);
  }
  const Recorded recorded = recorded_accuracies(metrics, variants[0].scores);

  const Variant& first = variants[0];
  if (options.json) {
    Json out;
    out["set"] = path;
    out["isa"] = first.session->isa();
    out["threads"] = options.threads;
    out["batch"] = options.batch;
    for (const Variant& variant : variants) {
      out["models"].push_back(json_of(variant, first, recorded, options.answers));
    }
    std::printf("%s", json_text(out).c_str());
  } else {
    std::printf("%s  (%s, %d thread%s, batch %d)\n\n", printable(path, 1000).c_str(),
                first.session->isa(), options.threads, options.threads == 1 ? "" : "s",
                options.batch);
    print_variants(variants, recorded);
  }
  return good_enough(variants, recorded, options);
}

}  // namespace kinglet::tools
