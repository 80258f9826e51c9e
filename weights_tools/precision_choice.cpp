#include "precision_choice.hpp"

#include <algorithm>
#include <numeric>

namespace kinglet::tools {
namespace {

/// A matrix stays in fp32 when its share of the error is this many times its share of the bytes. So at
/// most 1/64 of the bytes stay, and a file is at most 5 % larger than all in int8.
constexpr double kManyTimes = 64;

double per_byte(const Int8Cost& cost) {
  return cost.error * cost.error /
         static_cast<double>(std::max<std::uint64_t>(cost.saved_bytes, 1));
}

}  // namespace

std::vector<std::size_t> by_error_per_byte(const std::vector<Int8Cost>& costs) {
  std::vector<std::size_t> order(costs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return per_byte(costs[a]) > per_byte(costs[b]);
  });
  return order;
}

std::vector<std::size_t> that_fit(const std::vector<std::size_t>& order,
                                  const std::vector<Int8Cost>& costs, std::uint64_t room) {
  std::vector<std::size_t> taken;
  for (const std::size_t i : order) {
    if (costs[i].saved_bytes > room) continue;
    room -= costs[i].saved_bytes;
    taken.push_back(i);
  }
  return taken;
}

std::size_t count_costly(const std::vector<std::size_t>& order,
                         const std::vector<Int8Cost>& costs) {
  double error = 0, bytes = 0;
  for (const Int8Cost& cost : costs) {
    error += cost.error * cost.error;
    bytes += static_cast<double>(cost.saved_bytes);
  }
  std::size_t count = 0;
  while (count < order.size() && error > 0 &&
         per_byte(costs[order[count]]) * bytes >= kManyTimes * error) {
    ++count;
  }
  return count;
}

std::size_t smallest_within(std::size_t most, double bound,
                            const std::function<double(std::size_t)>& error_of) {
  if (error_of(0) <= bound) return 0;
  if (most == 0 || !(error_of(most) <= bound)) return most + 1;
  std::size_t above = 0, within = most;
  while (within - above > 1) {
    const std::size_t middle = above + (within - above) / 2;
    (error_of(middle) <= bound ? within : above) = middle;
  }
  return within;
}

}  // namespace kinglet::tools
