#pragma once

#include <cstddef>
#include <string>

namespace kinglet::tools {

/// Writes the weights in `input` as safetensors: names under the prefix, views written out, matrices
/// taken out of panels, other tensors left behind. Gives the number of tensors. Throws FileError.
std::size_t export_safetensors(const std::string& input, const std::string& output);

}  // namespace kinglet::tools
