// kinglet-weights quantize: matrices and tables in int8, measured over samples.
#include <iostream>

#include "commands.hpp"
#include "file_error.hpp"
#include "output_file.hpp"
#include "quantize.hpp"

namespace kinglet::tools {
void run_quantize(const QuantizeRequest& request) {
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

}  // namespace kinglet::tools
