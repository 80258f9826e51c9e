#include "results.hpp"

namespace kinglet::tools {

const Limits* limits_of(const Results& results, const Point& point) {
  for (const Limits& limits : results.limits) {
    if (limits.isa == point.isa && limits.threads == point.threads) return &limits;
  }
  return nullptr;
}

double floor_seconds(const Point& point, const Limits& limits) {
  const auto s8 = static_cast<double>(point.s8_flops);
  return (static_cast<double>(point.flops) - s8) / limits.f32_flops +
         (s8 > 0 ? s8 / limits.s8_ops : 0);
}

}  // namespace kinglet::tools
