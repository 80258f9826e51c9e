#pragma once
// Numbers for people: few digits, one unit a column or axis.

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace kinglet::tools::report {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
inline double positive(double value) { return value > 0 ? value : kNone; }
inline double number_of(std::uint64_t value) { return static_cast<double>(value); }

struct Unit {
  double size = 1;  ///< of one, in seconds, bytes …
  std::string text;
};

enum class Quantity {
  seconds,
  bytes,
  flops,
  rate_flops,
  rate_ops,
  rate_bytes,
  joules,
  watts,
  hertz
};

/// The unit that suits all of `values` best: the smallest is 1 or more of it, unless the largest
/// would then have six digits.
Unit unit_for(Quantity quantity, const std::vector<double>& values);

/// With so many significant digits: "0.0123", "12.3", "1230"; powers of ten where there would be
/// too many zeros.
std::string number(double value, int digits = 3);

/// With unit: "12.3 ms".
std::string amount(Quantity quantity, double value, int digits = 3);

/// As many digits behind the point as make three of the smallest value, within reason: a column's
/// numbers stand below each other.
int decimals_for(const std::vector<double>& values);
std::string fixed(double value, int decimals);

/// "1 234 567", by narrow spaces that do not break.
std::string grouped(unsigned long long value);

/// "+12 %", "−3.4 %", "× 2.4" from a doubling on.
std::string change(double ratio);

}  // namespace kinglet::tools::report
