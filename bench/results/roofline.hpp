#pragma once
// The roofline: an op takes at least as long as its arithmetic at this machine's peak, and as its bytes
// from memory. (Williams, Waterman and Patterson 2009.) What is read from caches may beat the memory.

#include <algorithm>

#include "results.hpp"

namespace kinglet::tools {

/// Seconds of the arithmetic alone.
inline double arithmetic_seconds(const OpTime& op, const Limits& limits) {
  return static_cast<double>(op.flops) / (op.int8 ? limits.s8_ops : limits.f32_flops);
}

/// Seconds of reading and writing alone.
inline double memory_seconds(const OpTime& op, const Limits& limits) {
  return static_cast<double>(op.bytes) / limits.bandwidth;
}

/// The time that the roofline allows.
inline double least_seconds(const OpTime& op, const Limits& limits) {
  return std::max(arithmetic_seconds(op, limits), memory_seconds(op, limits));
}

/// 1: as fast as the roofline; 0 for what has no work that is counted.
inline double roofline_share(const OpTime& op, const Limits& limits) {
  return op.seconds > 0 ? least_seconds(op, limits) / op.seconds : 0;
}

}  // namespace kinglet::tools
