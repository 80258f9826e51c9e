#include "statistics.hpp"

#include <algorithm>
#include <cmath>

namespace kinglet::tools {

double percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double median(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return percentile(samples, 0.5);
}

Latency latency_of(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const auto count = static_cast<double>(samples.size());
  Latency out;
  out.runs = static_cast<int>(samples.size());
  for (const double t : samples) out.mean += t / count;
  double squares = 0;
  for (const double t : samples) squares += (t - out.mean) * (t - out.mean);
  if (samples.size() > 1) out.deviation = std::sqrt(squares / (count - 1));
  out.min = samples.front();
  out.p50 = percentile(samples, 0.5);
  out.p90 = percentile(samples, 0.9);
  out.p99 = percentile(samples, 0.99);
  out.max = samples.back();
  // Tukey's fences.
  const double low = percentile(samples, 0.25), high = percentile(samples, 0.75);
  const double reach = 1.5 * (high - low);
  out.outliers = static_cast<int>(std::count_if(samples.begin(), samples.end(), [&](double t) {
    return t < low - reach || t > high + reach;
  }));
  return out;
}

}  // namespace kinglet::tools
