#pragma once
// What this core can do at most, measured.

#include <string>

namespace kinglet::tools {

/// GFLOP/s of independent fused multiply-adds in registers, with the vectors of the named instruction set, during
/// about `milliseconds`. For an instruction set without FMA: multiplies and adds.
double measure_peak_gflops(const std::string& isa, double milliseconds);

}  // namespace kinglet::tools
