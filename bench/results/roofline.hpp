#pragma once
// The roofline: what is run takes at least as long as its arithmetic at this machine's peak, and as its
// bytes from memory (Williams, Waterman and Patterson 2009). What caches hold may come faster than that.
//
// `work` is a Point or an OpTime.

#include <algorithm>

#include "results.hpp"

namespace kinglet::tools {

/// What the products take at the least, at the peaks of fp32 and int8.
template <class Work>
double floor_seconds(const Work& work, const Limits& limits) {
  const auto s8 = static_cast<double>(work.s8_flops);
  return (static_cast<double>(work.flops) - s8) / limits.f32_flops +
         (s8 > 0 ? s8 / limits.s8_ops : 0);
}

inline double least_seconds(const OpTime& op, const Limits& limits) {
  return std::max(floor_seconds(op, limits), static_cast<double>(op.bytes) / limits.bandwidth);
}

/// 1: as fast as the roofline; 0 for what has no work that is counted.
inline double roofline_share(const OpTime& op, const Limits& limits) {
  return op.seconds > 0 ? least_seconds(op, limits) / op.seconds : 0;
}

}  // namespace kinglet::tools
