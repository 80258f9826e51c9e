#include "precision_choice.hpp"

#include <algorithm>
#include <numeric>

namespace kinglet::tools {
namespace {

constexpr double kManyTimes = 8;
constexpr double kSmallPart = 0.0075;  ///< a file of 25 % becomes one of 26 at most
constexpr double kMostOfIt = 0.75;     ///< of error²: without it the error is half as large
constexpr double kLargerPart = 0.05;

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

std::vector<std::size_t> costly(const std::vector<std::size_t>& order,
                                const std::vector<Int8Cost>& costs, std::uint64_t f32_bytes) {
  double error = 0, bytes = 0;
  for (const Int8Cost& cost : costs) {
    error += cost.error * cost.error;
    bytes += static_cast<double>(cost.saved_bytes);
  }
  std::vector<std::size_t> taken = order;
  taken.erase(std::remove_if(taken.begin(), taken.end(),
                             [&](std::size_t i) {
                               return !(error > 0) ||
                                      per_byte(costs[i]) * bytes < kManyTimes * error;
                             }),
              taken.end());
  const double all = static_cast<double>(f32_bytes);
  std::vector<std::size_t> kept =
      that_fit(taken, costs, static_cast<std::uint64_t>(kSmallPart * all));
  // One that ruins the rest is worth more: an LSTM's first matrix, say, that reads raw inputs.
  for (const std::size_t i : kept) error -= costs[i].error * costs[i].error;
  for (const std::size_t i : taken) {
    const bool is_kept = std::find(kept.begin(), kept.end(), i) != kept.end();
    const double own = costs[i].error * costs[i].error;
    if (is_kept || own < kMostOfIt * error) continue;
    if (static_cast<double>(costs[i].saved_bytes) > kLargerPart * all) continue;
    kept.push_back(i);
    error -= own;
  }
  return kept;
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
