// kinglet-weights verify: does a model give what the original code gave?

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <dispatch/dispatch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "checkpoint.hpp"
#include "commands.hpp"
#include "file_error.hpp"
#include "model_session.hpp"
#include "nan.hpp"
#include "text.hpp"

namespace kinglet::tools {
namespace {

using Json = nlohmann::json;

/// How far an output may lie from the recorded one: factor × the error that the original code itself showed in
/// float32 against float64, at least 1e-6.
class Bounds {
 public:
  explicit Bounds(const VerifyOptions& options) : options_(options) {
    if (options.bounds.empty()) return;
    std::ifstream in(options.bounds);
    if (!in) throw FileError(options.bounds, "open", "cannot be read");
    config_ = Json::parse(in, nullptr, false);
    if (!config_.is_object()) throw FileError(options.bounds, "json", "is not a JSON object");
  }

  std::optional<double> of(const std::string& golden_path, const std::string& output) const {
    const std::string file = file_name(golden_path);
    const auto cases = config_.find("cases");
    if (cases != config_.end() && cases->is_array()) {
      for (const Json& entry : *cases) {
        if (!entry.is_object() || !entry.contains("file") || !entry["file"].is_string()) continue;
        if (file_name(entry["file"].get<std::string>()) != file) continue;
        if (const auto error = recorded(entry, output)) return bound(*error);
      }
    }
    if (const auto error = recorded(config_, output)) return bound(*error);
    if (options_.atol >= 0) return options_.atol;
    return std::nullopt;
  }

 private:
  static std::optional<double> recorded(const Json& holder, const std::string& output) {
    if (!holder.is_object()) return std::nullopt;
    const auto errors = holder.find("fp32_error");
    if (errors == holder.end() || !errors->is_object()) return std::nullopt;
    auto error = errors->find(output);
    if (error == errors->end()) return std::nullopt;
    const Json& value =
        error->is_object() && error->contains("max_abs") ? (*error)["max_abs"] : *error;
    if (!value.is_number()) return std::nullopt;
    return value.get<double>();
  }
  double bound(double error) const { return std::max(options_.factor * error, 1e-6); }

  const VerifyOptions& options_;
  Json config_ = Json::object();
};

struct Verdict {
  bool passed;
  double error;
  std::string bound;
  std::string why;
};

class GoldenFile {
 public:
  GoldenFile(const std::string& path, const Bounds& bounds)
      : checkpoint_(read_checkpoint(path)), bounds_(bounds) {
    const bool golden =
        std::any_of(checkpoint_.tensors.begin(), checkpoint_.tensors.end(),
                    [](const Tensor& tensor) { return tensor.name.compare(0, 4, "out.") == 0; });
    if (!golden)
      throw FileError(path, "golden",
                      "records no outputs (out.*); evaluation sets are for kinglet-bench accuracy");
  }

  const Checkpoint& checkpoint() const { return checkpoint_; }

  Verdict compare(const Values& wanted, const Values& got) const {
    if (wanted.shape != got.shape) {
      return {false, 0, "-",
              "shape " + shape_text(got.shape) + " instead of " + shape_text(wanted.shape)};
    }
    const std::string name = wanted.name.substr(4);  // without "out."
    if (wanted.integer) return compare_integers(name, wanted, got);
    double worst = 0;
    for (std::size_t i = 0; i < wanted.numbers.size(); ++i) {
      worst = max_or_nan(worst, std::abs(wanted.numbers[i] - got.numbers[i]));
    }
    const auto bound = bounds_.of(checkpoint_.path, name);
    if (!bound) return {false, worst, "none", "no bound is recorded: give --bounds or --atol"};
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", *bound);
    return {worst <= *bound, worst, text, worst <= *bound ? "" : "exceeds the bound"};
  }

 private:
  Verdict compare_integers(const std::string& name, const Values& wanted, const Values& got) const {
    constexpr std::string_view kTopK = "topk_index_";
    std::vector<double> probabilities, logits;
    double tie = 0, logit_tie = 0;
    if (name.compare(0, kTopK.size(), kTopK) == 0) {
      const std::string head = name.substr(kTopK.size());
      probabilities = recorded("topk_prob_" + head, tie);
      logits = recorded(head + "_logits", logit_tie);
    }
    // Neighbours closer than the bound may come in either order; so may the last one and one that was cut off.
    const auto tied = [&](std::size_t i) {
      const auto near = [&](std::size_t a, std::size_t b) {
        return std::abs(probabilities[a] - probabilities[b]) <= tie;
      };
      if (i >= probabilities.size()) return false;
      if ((i > 0 && near(i - 1, i)) || (i + 1 < probabilities.size() && near(i, i + 1)))
        return true;
      const auto a = static_cast<std::size_t>(wanted.numbers[i]),
                 b = static_cast<std::size_t>(got.numbers[i]);
      return i + 1 == probabilities.size() && a < logits.size() && b < logits.size() &&
             std::abs(logits[a] - logits[b]) <= logit_tie;
    };
    int different = 0;
    for (std::size_t i = 0; i < wanted.numbers.size(); ++i) {
      if (wanted.numbers[i] != got.numbers[i] && !tied(i)) ++different;
    }
    return {different == 0, static_cast<double>(different), "equal",
            different == 0 ? "" : std::to_string(different) + " integers differ"};
  }

  /// The numbers of another output of this file, and its bound; none where it has none.
  std::vector<double> recorded(const std::string& name, double& bound) const {
    bound = bounds_.of(checkpoint_.path, name).value_or(0);
    const Tensor* tensor = checkpoint_.find("out." + name);
    return tensor ? values_of(checkpoint_.path, *tensor).numbers : std::vector<double>{};
  }

  Checkpoint checkpoint_;
  const Bounds& bounds_;
};

/// What was left out of a model has no outputs: the columns of what the whole model gave that are
/// left. A masked LM's words, or Seq2Seq's actions.
Values kept_columns(const ModelFile& file, Values wanted, const Values& got) {
  Result<GgufArray> kept = file.array("kinglet.vocab.kept");
  if (!kept) kept = file.array("alfred-seq2seq.kept_actions");
  if (!kept || wanted.shape.empty() || got.shape.empty() || wanted.shape == got.shape ||
      static_cast<std::uint64_t>(got.shape.back()) != kept->count())
    return wanted;
  std::vector<std::size_t> columns;
  for (std::uint64_t i = 0; i < kept->count(); ++i)
    columns.push_back(static_cast<std::size_t>(kept->number(i).value_or(~std::uint64_t{0})));
  const auto width = static_cast<std::size_t>(wanted.shape.back());
  for (const std::size_t column : columns)
    if (column >= width) return wanted;
  std::vector<double> numbers;
  for (std::size_t row = 0; row + width <= wanted.numbers.size(); row += width)
    for (const std::size_t column : columns) numbers.push_back(wanted.numbers[row + column]);
  wanted.numbers = std::move(numbers);
  wanted.shape.back() = got.shape.back();
  return wanted;
}

/// Gives the number of failures.
int failures_of(ModelSession& session, const std::string& path, const Bounds& bounds,
                const VerifyOptions& options) {
  const GoldenFile golden(path, bounds);
  std::printf("%s  (%s)\n", printable(path, 1000).c_str(), session.isa());
  std::vector<Values> computed = session.run_golden(golden.checkpoint());
  int failed = 0;
  for (const Tensor& tensor : golden.checkpoint().tensors) {
    if (tensor.name.compare(0, 4, "out.") != 0) continue;
    const Values wanted = values_of(path, tensor);
    const Values* got = nullptr;
    for (const Values& values : computed) {
      if (values.name == tensor.name) got = &values;
    }
    const std::string name = tensor.name.substr(4);
    if (got == nullptr) {
      bool allowed = false;
      for (const std::string& pattern : options.allow_missing)
        allowed |= matches_wildcard(pattern, name);
      std::printf("  %-4s %-38s %-16s the model does not produce it%s\n", allowed ? "skip" : "FAIL",
                  name.c_str(), shape_text(wanted.shape).c_str(),
                  allowed ? ", allowed to be missing" : "");
      failed += allowed ? 0 : 1;
      continue;
    }
    const Verdict verdict = golden.compare(kept_columns(session.file(), wanted, *got), *got);
    std::printf("  %-4s %-38s %-16s |err| %-10.3g bound %-9s %s\n", verdict.passed ? "ok" : "FAIL",
                name.c_str(), shape_text(wanted.shape).c_str(), verdict.error,
                verdict.bound.c_str(), verdict.why.c_str());
    failed += verdict.passed ? 0 : 1;
  }
  return failed;
}

}  // namespace

bool run_verify(const VerifyOptions& options) {
  const Bounds bounds(options);
  const bool every_isa = options.isa == "all";
  const auto session =
      open_model(options.model, every_isa ? std::string() : options.isa, options.threads);
  int failed = 0;
  for (int i = 0; i < (every_isa ? kernels::count() : 1); ++i) {
    if (every_isa) session->use(kernels::at(i));
    for (const std::string& golden : options.goldens)
      failed += failures_of(*session, golden, bounds, options);
  }
  if (failed > 0) {
    std::printf("%d output%s failed\n", failed, failed == 1 ? "" : "s");
    return false;
  }
  std::printf("every output is within its bound\n");
  return true;
}

}  // namespace kinglet::tools
