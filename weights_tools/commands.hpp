#pragma once
// The commands of kinglet-weights: what each takes, and the function that runs it. main.cpp fills the
// options in from the command line. Results go to standard output; what fails throws.

#include <cstdint>
#include <string>
#include <vector>

namespace kinglet::tools {

struct ConvertRequest;  // convert.hpp
/// architecture: one of architectures(); "": architecture_of the request.
void run_convert(const std::string& architecture, const ConvertRequest& request);

struct InspectOptions {
  std::string file;
  bool json = false;
};
void run_inspect(const InspectOptions& options);

struct ExportOptions {
  std::string input, output;
};
void run_export(const ExportOptions& options);

struct DiffOptions {
  std::string a, b;
};
/// Whether they are equal.
bool run_diff(const DiffOptions& options);

struct PlanOptions {
  std::string file;
  int batch = 1;
  int live = 0;   ///< positions that are not masked; 0: all
  int image = 0;  ///< pixels of a side, of models that read images; 0: as they were trained
  int threads = 1;
  bool every_row = false;
  bool json = false;
};
void run_plan(const PlanOptions& options);

struct QuantizeRequest;  // quantize.hpp
/// Prints the table and writes the report.
void run_quantize(const QuantizeRequest& request);

struct KeepLayersOptions {
  std::string input, output;
  std::vector<int> layers;  ///< in the order in which they will run
};
void run_keep_layers(const KeepLayersOptions& options);

struct PruneVocabOptions {
  std::string input, output;
  std::vector<std::string> corpus, drop_actions;  ///< files; names
  std::int64_t unknown = -1;  ///< id that stands for what is left out; negative: the file's own
  std::vector<std::uint32_t> keep;  ///< ids that stay, whatever the corpus holds
};
void run_prune_vocab(const PruneVocabOptions& options);

struct FactorizeOptions {
  std::string input, output;
  int rank = 0;       ///< 0: the smallest one that keeps
  double energy = 0;  ///< this share of the squared singular values
};
void run_factorize(const FactorizeOptions& options);

struct VerifyOptions {
  std::string model;
  std::vector<std::string> goldens;
  std::string bounds;  ///< JSON file; "": none
  double factor = 10;  ///< times the recorded error
  double atol = -1;    ///< for outputs without a recorded error; negative: not given
  std::string isa;     ///< "": the best here; "all": each that works here
  int threads = 1;
  std::vector<std::string> allow_missing;  ///< outputs; * stands for any text
};
/// Whether every output is within its bound.
bool run_verify(const VerifyOptions& options);

}  // namespace kinglet::tools
