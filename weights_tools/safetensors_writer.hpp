#pragma once
// Writes safetensors: tensors dense and in the order given, each aligned to its element size.

#include <vector>

#include "checkpoint.hpp"
#include "output_file.hpp"

namespace kinglet::tools {

/// Throws FileError(file, …) for a dtype or a name that safetensors cannot hold, or two tensors of
/// one name.
void check_fits_safetensors(const std::string& file, const std::vector<Tensor>& tensors);

/// Checks as above, naming the output. Does not commit.
void write_safetensors(OutputFile& out, const std::vector<Tensor>& tensors,
                       const TextPairs& metadata);

}  // namespace kinglet::tools
