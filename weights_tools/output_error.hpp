#pragma once
// How far the outputs of a changed model lie from those of the model it was made of.

#include <string>
#include <vector>

#include "samples.hpp"

namespace kinglet::tools {

struct OutputError {
  double worst = 0;    ///< of all outputs; infinite where a number is not finite
  std::string output;  ///< which one
};

/// For each output RMS(got − wanted) / RMS(wanted − mean of wanted); outputs that are the same everywhere
/// are compared with RMS(wanted). Both lists come from the same samples.
OutputError relative_error(const std::vector<Values>& wanted, const std::vector<Values>& got);

}  // namespace kinglet::tools
