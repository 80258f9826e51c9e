#pragma once
// What this core can do at most, measured.

#include <cstddef>
#include <string>

namespace kinglet::tools {

/// Independent sums in a burst: more than any core has in flight (latency × units), and they and their operands fit into
/// the registers.
#if defined(__aarch64__)
inline constexpr int kChains = 20;
#else
inline constexpr int kChains = 12;
#endif
inline constexpr int kSteps = 4096;

/// A loop in registers that does nothing but the operations it counts.
struct Burst {
  float (*run)();
  double operations;  ///< of one run, which takes a few microseconds
};

/// Independent fused multiply-adds with the vectors of the named instruction set. For an instruction set without FMA:
/// multiplies and adds.
Burst f32_burst(const std::string& isa);

/// Independent sums of int8 products by the instructions that an int8 GEMM has on the named instruction set; a product
/// and its addition are two operations, as in f32_burst.
Burst s8_burst(const std::string& isa);

/// Operations per nanosecond of a burst: the best piece of about `milliseconds`.
double measure_rate(const Burst& burst, double milliseconds);

/// Reads every byte once, in order, by 256-bit loads where this CPU has them; bytes is a multiple of 64.
float read_pass(const void* from, std::size_t bytes);

/// Copies by 256-bit loads and stores; bytes is a multiple of 4.
void copy_pass(const void* from, void* to, std::size_t bytes);

}  // namespace kinglet::tools
