#include "results.hpp"

namespace kinglet::tools {

const Limits* limits_of(const Results& results, const Point& point) {
  for (const Limits& limits : results.limits) {
    if (limits.isa == point.isa && limits.threads == point.threads) return &limits;
  }
  return nullptr;
}

}  // namespace kinglet::tools
