// kinglet-weights export: any checkpoint as one safetensors file.
#include "export.hpp"

#include <iostream>

#include "commands.hpp"
#include "gguf_checkpoint.hpp"
#include "output_file.hpp"
#include "safetensors_writer.hpp"
#include "text.hpp"

namespace kinglet::tools {
namespace {

/// A view may be larger than its storage, and many may look at one: what a small file may grow to.
constexpr std::uint64_t kMostGrowth = 64;
constexpr std::uint64_t kMostExtra = std::uint64_t{1} << 30;

}  // namespace

std::size_t export_safetensors(const std::string& input, const std::string& output) {
  Checkpoint checkpoint = read_checkpoint(input);
  unpack_panels(checkpoint.file->bytes(), checkpoint);
  std::uint64_t total = 0;
  for (const Tensor& tensor : checkpoint.tensors) total += tensor.nbytes();
  if (total > checkpoint.file->bytes().size() * kMostGrowth + kMostExtra)
    throw FileError(
        input, "export",
        "its views overlap so much that they would take " + std::to_string(total) + " bytes");
  TextPairs metadata;
  if (checkpoint.container == "safetensors" || checkpoint.container == "gguf") {
    metadata = std::move(checkpoint.metadata);
  } else {
    metadata = {{"format", "pt"}};
  }
  check_fits_safetensors(input, checkpoint.tensors);  // the input is to blame, not the output
  OutputFile out(output, {input});
  write_safetensors(out, checkpoint.tensors, metadata);
  out.commit();
  return checkpoint.tensors.size();
}

void run_export(const ExportOptions& options) {
  const std::size_t count = export_safetensors(options.input, options.output);
  std::cout << printable(options.output, 1000) << ": " << count << " tensors\n";
}

}  // namespace kinglet::tools
