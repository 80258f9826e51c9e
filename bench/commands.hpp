#pragma once
// The commands of kinglet-bench: what each takes, and the function that runs it. main.cpp fills the
// options in from the command line. Results go to standard output; what fails throws.

#include <cstdint>
#include <string>
#include <vector>

namespace kinglet::tools {

struct AccuracyOptions {
  std::vector<std::string> files;  ///< models, then the set
  std::string recorded;            ///< metrics.json; "": none
  std::string isa;                 ///< "": the best here
  int threads = 1;
  int batch = 1;
  // What is allowed; negative: anything.
  int within = -1;             ///< examples away from the recorded
  double within_points = -1;   ///< points away from it
  double max_drop = -1;        ///< points below the first model
  double max_difference = -1;  ///< of the first model's outputs from those in the set
  bool json = false;
  bool answers = false;
};
/// Whether all is as was allowed.
bool run_accuracy(const AccuracyOptions& options);

struct KernelsOptions {
  std::vector<std::string> shapes;  ///< files or names; none: all
  std::vector<std::string> isas;    ///< none: all that work here
  std::vector<int> threads{1};
  bool baselines = false;
  std::vector<std::string> rest;  ///< for Google Benchmark
};
/// Whether Google Benchmark was found; without it the command can only say so.
bool has_kernels() noexcept;
/// Gives the exit code: 1 when no case was run, 2 when Google Benchmark does not know an option.
int run_kernels(const KernelsOptions& options);

struct ModelCommand;  // model.hpp
/// Whether it came to its end.
bool run_model(const ModelCommand& command);

struct ReportOptions {
  std::vector<std::string> files;
  std::string page, svg;  ///< "": not wanted
};
void run_report(const ReportOptions& options);

struct SynthOptions {
  std::string architecture, output;
  std::string size;                        ///< base, minilm or small; "": base
  int layers = 0, vocab = 0, actions = 0;  ///< 0: as published
  std::uint64_t seed = 1;
};
/// The sizes are some that the architecture has.
void run_synth(const SynthOptions& options);

}  // namespace kinglet::tools
