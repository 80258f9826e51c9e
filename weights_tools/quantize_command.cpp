// kinglet-weights quantize: matrices and tables in int8, measured over samples.
#include <iostream>
#include <optional>

#include "commands.hpp"
#include "file_error.hpp"
#include "output_file.hpp"
#include "quantize.hpp"

namespace kinglet::tools {
namespace {

/// Made before the hours that samples can take, so that a place that cannot be written to is told.
std::optional<OutputFile> open_report(const QuantizeRequest& request) {
  if (request.report.empty()) return {};
  return std::optional<OutputFile>(std::in_place, request.report,
                                   std::vector{request.input, request.samples, request.output});
}

}  // namespace

void run_quantize(const QuantizeRequest& request) {
  std::optional<OutputFile> report = open_report(request);
  const QuantizeResult result = quantize(request);
  print_quantized(std::cout, request, result);
  if (!result.refused.empty())
    throw FileError(request.input, "quantize", result.refused + "; nothing is written");
  if (!report) return;
  const std::string text = quantized_json(request, result);
  report->write(text.data(), text.size());
  report->commit();
}

}  // namespace kinglet::tools
