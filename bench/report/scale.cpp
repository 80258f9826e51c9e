#include "scale.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "numbers.hpp"

namespace kinglet::tools::report {
namespace {

/// A hair more than none: sums of steps do not hit round values exactly.
constexpr double kSlack = 1e-9;

/// The smallest of 1, 2, 5 × 10ⁿ that is `least` or more.
double round_step(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1 - kSlack)) return factor * power;
  }
  return 10 * power;
}

}  // namespace

std::vector<double> linear_ticks(Range range, int most) {
  const double span = range.high - range.low;
  if (!(span > 0) || !std::isfinite(span) || most < 1) return {};
  double step = round_step(span / most);
  std::vector<double> ticks;
  for (;;) {
    const double first = std::ceil(range.low / step - kSlack);
    const double last = std::floor(range.high / step + kSlack);
    if (last - first < most) {
      for (double i = first; i <= last; ++i) ticks.push_back(i * step + 0.0);  // no −0
      return ticks;
    }
    step = round_step(step * 1.5);
  }
}

std::vector<double> log_ticks(Range range, int most) {
  if (!(range.low > 0) || !(range.high > range.low) || !std::isfinite(range.high) || most < 1) {
    return {};
  }
  const int first = static_cast<int>(std::floor(std::log10(range.low)));
  const int last = static_cast<int>(std::ceil(std::log10(range.high)));
  const auto of = [&](std::initializer_list<double> factors, int stride) {
    std::vector<double> ticks;
    for (int n = first; n <= last; ++n) {
      if (n % stride != 0) continue;
      for (const double factor : factors) {
        const double tick = factor * std::pow(10.0, n);
        if (tick >= range.low * (1 - kSlack) && tick <= range.high * (1 + kSlack)) {
          ticks.push_back(tick);
        }
      }
    }
    return ticks;
  };
  std::vector<double> ticks = of({1, 2, 5}, 1);
  if (ticks.size() < 3) return linear_ticks(range, most);
  if (static_cast<int>(ticks.size()) > most) ticks = of({1, 3}, 1);
  for (int stride = 1; static_cast<int>(ticks.size()) > most; ++stride) ticks = of({1}, stride);
  return ticks;
}

Range linear_range(Range values, bool from_zero) {
  if (from_zero) values = {std::min(0.0, values.low), std::max(0.0, values.high)};
  if (!(values.high > values.low)) {
    const double around = values.low == 0 ? 1 : 0.1 * std::abs(values.low);
    return from_zero ? Range{0, 1} : Range{values.low - around, values.high + around};
  }
  const double step = round_step((values.high - values.low) / 8);
  const double room = 0.02 * (values.high - values.low);
  return {values.low == 0 ? 0 : std::floor((values.low - room) / step) * step,
          values.high == 0 ? 0 : std::ceil((values.high + room) / step) * step};
}

Range log_range(Range values) {
  if (!(values.low > 0) || !(values.high >= values.low)) return {1, 10};
  const auto below = [](double value) {
    const double power = std::pow(10.0, std::floor(std::log10(value)));
    return value >= 5 * power ? 5 * power : value >= 2 * power ? 2 * power : power;
  };
  Range range = {below(values.low / 1.05), round_step(values.high * 1.05)};
  if (range.high < 4 * range.low) range.high = round_step(4 * range.low);
  return range;
}

std::string tick_label(double value) {
  if (value != 0 && (std::abs(value) < 1e-4 || std::abs(value) >= 1e6)) return number(value, 2);
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text[0] == '-' ? "−" + std::string(text + 1) : text;
}

Scale::Scale(Range range, bool log, double from, double to)
    : range_(range), log_(log), from_(from), to_(to) {}

bool Scale::has(double value) const { return std::isfinite(value) && (!log_ || value > 0); }

double Scale::operator()(double value) const {
  const auto place = [this](double x) { return log_ ? std::log10(x) : x; };
  const double share =
      (place(value) - place(range_.low)) / (place(range_.high) - place(range_.low));
  return from_ + std::clamp(share, 0.0, 1.0) * (to_ - from_);
}

}  // namespace kinglet::tools::report
