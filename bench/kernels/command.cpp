// kinglet-bench kernels: Google Benchmark over the kernels, the shapes and the instruction sets.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <set>

#include "commands.hpp"
#include "interleave.hpp"
#include "model_session.hpp"
#include "peak.hpp"
#include "summary.hpp"
#include "thread_pool.hpp"

namespace kinglet::tools {
namespace {

/// Holds what the measured functions share: one thread pool for each number of threads, the case that was measured last
/// (Google Benchmark calls a function several times to find out how often to repeat it), and the results.
class Bench {
 public:
  /// same_columns: every case has every counter, not a number where it has none. Google Benchmark's CSV needs that.
  Bench(const BaselineModule* baselines, bool same_columns)
      : baselines_(baselines), same_columns_(same_columns) {}

  void run(const CaseId& id, benchmark::State& state) {
    if (current_name_ != id.name()) {
      current_.reset();
      auto& pool = pools_[id.threads];
      if (!pool) pool = std::make_unique<ThreadPool>(id.threads);
      // Baselines have one thread.
      const BaselineModule* baselines = id.threads == 1 ? baselines_ : nullptr;
      current_ = std::make_unique<Interleaved>(make_case(id, pool->parallel(), baselines),
                                               id.threads == 1);
      current_name_ = id.name();
    }
    const Case& work = current_->work();
    const Result result = current_->run(state);
    auto& counters = state.counters;
    if (same_columns_) {
      constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
      for (const char* unit : {"GFLOP/s", "GOP/s"}) counters[unit] = kNone;
      for (const char* name : {"onednn", "openblas", "rtneural", "our_f32"}) {
        if (baselines_) counters[name] = counters[std::string("x_") + name] = kNone;
      }
    }
    if (work.unit) counters[work.unit] = work.operations / result.seconds * 1e-9;
    counters["GB/s"] = work.bytes / result.seconds * 1e-9;
    counters["%peak"] = 100 * result.share;
    counters["%best"] = 100 * result.best_share;
    counters["peak"] = result.limit_rate;
    for (const auto& [name, ratio] : result.ratios) {
      counters[name] = work.operations / result.seconds / ratio * 1e-9;
      counters["x_" + name] = ratio;
    }
    state.SetLabel(std::string("of the ") + text_of(work.limit));
    summary_.add(id, work.limit, result);
  }

  const Summary& summary() const noexcept { return summary_; }

 private:
  const BaselineModule* baselines_;
  bool same_columns_;
  std::map<int, std::unique_ptr<ThreadPool>> pools_;
  std::string current_name_;
  std::unique_ptr<Interleaved> current_;
  Summary summary_;
};

std::vector<const kernels::Kernels<isa::runtime>*> tables(const std::vector<std::string>& isas) {
  std::vector<const kernels::Kernels<isa::runtime>*> all;
  for (const std::string& name : isas) all.push_back(&kernels_named(name));
  if (isas.empty()) {
    for (int i = 0; i < kernels::count(); ++i) all.push_back(&kernels::at(i));
  }
  return all;
}

/// Kernel by kernel, so that lines with the same columns follow each other.
void register_cases(const KernelsOptions& options, Bench& bench) {
  const std::vector<Shape> shapes = read_shapes(options.shapes);
  std::vector<CaseId> cases;
  for (const Shape& shape : shapes) {
    for (const std::string& kernel : kernels_of(shape.op)) {
      for (const auto* table : tables(options.isas)) {
        for (const int threads : options.threads) {
          if (threads == 1 || uses_threads(shape.op)) {
            cases.push_back({kernel, shape, table, threads});
          }
        }
      }
    }
  }
  std::stable_sort(cases.begin(), cases.end(),
                   [](const CaseId& a, const CaseId& b) { return a.kernel < b.kernel; });
  std::set<std::string> known;  // models share shapes
  for (const CaseId& id : cases) {
    if (!known.insert(id.name()).second) continue;
    benchmark::RegisterBenchmark(id.name().c_str(),
                                 [id, &bench](benchmark::State& state) { bench.run(id, state); });
  }
}

/// For the reader; what the cases are held against is measured beside each.
void show_peaks(const KernelsOptions& options) {
  for (const auto* table : tables(options.isas)) {
    char text[100];
    std::snprintf(text, sizeof text, "%.1f GFLOP/s fp32, %.1f GOP/s int8",
                  measure_rate(f32_burst(table->isa), 20), measure_rate(s8_burst(table->isa), 20));
    benchmark::AddCustomContext(std::string("peak of ") + table->isa, text);
  }
}

}  // namespace

bool has_kernels() noexcept { return true; }

int run_kernels(const KernelsOptions& options) {
  // Columns, and a tenth of Google Benchmark's own half second a case: there are hundreds, each of many slices.
  std::vector<std::string> arguments{"kinglet-bench", "--benchmark_counters_tabular=true",
                                     "--benchmark_min_time=0.05"};
  bool table = true, csv = false;
  for (const std::string& argument : options.rest) {
    const std::size_t value = argument.find('=') + 1;
    if (argument.compare(0, value, "--benchmark_format=") == 0) {
      table = argument.substr(value) == "console";
    }
    csv |= argument.find("format=csv") != std::string::npos;
    arguments.push_back(argument);
  }
  Bench bench(options.baselines ? &load_baselines() : nullptr, csv);
  register_cases(options, bench);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  int argc = static_cast<int>(argv.size());
  benchmark::Initialize(&argc, argv.data());
  if (benchmark::ReportUnrecognizedArguments(argc, argv.data())) return 2;
  show_peaks(options);
  if (benchmark::RunSpecifiedBenchmarks() == 0) return 1;
  const std::string summary = bench.summary().text();
  if (!summary.empty()) std::fprintf(table ? stdout : stderr, "\n%s", summary.c_str());
  return 0;
}

}  // namespace kinglet::tools
