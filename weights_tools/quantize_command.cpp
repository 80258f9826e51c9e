// kinglet-weights quantize: matrices and tables in int8, measured over samples.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>

#include "command_line.hpp"
#include "commands.hpp"
#include "file_error.hpp"
#include "output_file.hpp"
#include "quantize.hpp"

namespace kinglet::tools {
namespace {

struct Options {
  QuantizeRequest request;
  std::vector<std::string> keep;
  double budget_mib = 0;
  std::string attention = "auto";
};

QuantizeRequest request_of(Options options, bool measured) {
  QuantizeRequest request = std::move(options.request);
  const auto named = [&](const char* word) {
    const auto at = std::find(options.keep.begin(), options.keep.end(), word);
    if (at == options.keep.end()) return false;
    options.keep.erase(at);
    return true;
  };
  const bool automatic = named("auto"), none = named("none");
  request.keep = options.keep;
  if (none && (automatic || !request.keep.empty()))
    throw CLI::ValidationError("--keep-fp32", "'none' stands alone");
  request.choose = automatic || (!none && request.keep.empty() && measured);
  if (options.budget_mib > 0)
    request.budget_bytes = static_cast<std::uint64_t>(std::floor(options.budget_mib * 1048576.0));
  if (!measured && (automatic || request.max_error))
    throw CLI::ValidationError(automatic ? "--keep-fp32 auto" : "--max-error", "needs --samples");
  request.attention = options.attention == "auto" ? QuantizeRequest::Attention::automatic
                      : options.attention == "s8" ? QuantizeRequest::Attention::s8
                                                  : QuantizeRequest::Attention::f32;
  return request;
}

void run(const QuantizeRequest& request) {
  const QuantizeResult result = quantize(request);
  print_quantized(std::cout, request, result);
  if (!result.refused.empty())
    throw FileError(request.input, "quantize", result.refused + "; nothing is written");
  if (request.report.empty()) return;
  OutputFile report(request.report, {request.input, request.samples, request.output});
  const std::string text = quantized_json(request, result);
  report.write(text.data(), text.size());
  report.commit();
}

}  // namespace

void add_quantize(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  QuantizeRequest& request = options->request;
  CLI::App* command = app.add_subcommand(
      "quantize", "Store matrices and tables in int8; measure over samples what that costs");
  command->add_option("IN", request.input, "Model file (.gguf)")->type_name("FILE")->required();
  command->add_option("-o,--output", request.output, "Model file to write (.gguf)")
      ->type_name("FILE")
      ->required();
  CLI::Option* samples =
      command
          ->add_option("--samples", request.samples,
                       "Inputs to measure with: a golden file or an evaluation set")
          ->type_name("FILE");
  command->add_option("--rows", request.rows, "Rows of each task to measure with; 0: all")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  command->add_option("--keep-fp32", options->keep,
                      "'auto': what costs most accuracy a byte; 'none'; names, * for any text. "
                      "Default: auto with --samples");
  command
      ->add_option("--max-error", request.max_error,
                   "Bound on the error of every output: RMS of the change / RMS of the output")
      ->check(CLI::PositiveNumber);
  command->add_option("--budget-mb", options->budget_mib, "Bound on the file, in MiB")
      ->check(CLI::PositiveNumber);
  command->add_flag("!--no-recentre", request.recentre,
                    "Leave constant offsets of channels where they are");
  command
      ->add_flag("--smooth", request.smooth,
                 "Factors for the columns of rows and weights, where they make int8 better")
      ->needs(samples);
  command
      ->add_option("--attention", options->attention,
                   "Attention in int8 below the last layer: where --samples show no harm, nowhere, "
                   "everywhere")
      ->check(CLI::IsMember({"auto", "fp32", "s8"}))
      ->capture_default_str();
  command->add_option("--report", request.report, "JSON file to write the table to")
      ->type_name("FILE");
  command->add_option("--isa", request.isa, "Instruction set; default: the best here");
  command->add_option("--threads", request.threads, "Threads")->check(CLI::Range(1, 256));
  add_examples(
      *command,
      {"kinglet-weights quantize model.gguf -o int8.gguf",
       "kinglet-weights quantize model.gguf --samples eval.safetensors --max-error 0.02 -o "
       "int8.gguf",
       "kinglet-weights quantize model.gguf --keep-fp32 action_embd 'blk.0.*' -o int8.gguf"});
  command->callback([options, samples] { run(request_of(*options, samples->count() > 0)); });
}

}  // namespace kinglet::tools
