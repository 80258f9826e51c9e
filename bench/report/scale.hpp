#pragma once
// From values to places on a page, and the round values that an axis names.

#include <string>
#include <vector>

namespace kinglet::tools::report {

struct Range {
  double low = 0, high = 0;
};

/// Multiples of 1, 2 or 5 × 10ⁿ within the range, `most` at most.
std::vector<double> linear_ticks(Range range, int most);

/// 1, 2, 5 of each decade; where they are too many 1 and 3, 1, then every second decade …; where
/// they are fewer than three, as on a linear axis.
std::vector<double> log_ticks(Range range, int most);

/// The range of an axis for values of this one: it ends at round values, or just beyond the values,
/// and is never empty.
Range linear_range(Range values, bool from_zero);
Range log_range(Range values);

/// "0.5", "20", "10⁶".
std::string tick_label(double value);

class Scale {
 public:
  /// `range.low` is drawn at `from`, `range.high` at `to`.
  Scale(Range range, bool log, double from, double to);

  double operator()(double value) const;
  std::vector<double> ticks(int most) const {
    return log_ ? log_ticks(range_, most) : linear_ticks(range_, most);
  }
  Range range() const { return range_; }
  bool log() const { return log_; }
  /// Whether a value can be drawn at all.
  bool has(double value) const;

 private:
  Range range_;
  bool log_;
  double from_, to_;
};

}  // namespace kinglet::tools::report
