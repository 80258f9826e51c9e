#pragma once
// Charts: what is drawn, and the drawing of it.

#include <string>
#include <utility>
#include <vector>

#include "numbers.hpp"
#include "scale.hpp"
#include "svg.hpp"

namespace kinglet::tools::report {

struct Mark {
  double x = 0, y = 0;
  double low = kNone, high = kNone;  ///< ends of the error bar in y, if there is one
  std::string title;                 ///< shown where the pointer rests
  bool small = false;
};

struct Series {
  std::string name;
  int style = 0;  ///< of marker_of() and the colours
  bool joined = false;
  std::vector<Mark> marks;
};

/// A line without marks or colour: a limit.
struct Rule {
  std::string name;
  int pattern = 0;  ///< 0, 1 or 2
  std::vector<std::pair<double, double>> points;
};

struct Axis {
  std::string title;  ///< with its unit
  bool log = false;
  bool from_zero = false;
  std::vector<double> ticks;  ///< where they should be; empty: at round values
  Range range;                ///< empty: round values around all that is shown
};

struct Chart {
  std::string title, note;
  Axis x, y;
  std::vector<Series> series;
  std::vector<Rule> rules;
};

struct Segment {
  double value = 0;
  int style = 0;
  std::string title;
};

/// A line of text with its amount, and the bar below.
struct Bar {
  std::string label, amount;
  std::vector<Segment> segments;
  double low = kNone, high = kNone;  ///< ends of the error bar
  double mark = kNone;               ///< another value, measured
  std::string mark_title;
};

struct BarChart {
  std::string title, note;
  std::string axis;  ///< with its unit
  std::vector<std::pair<int, std::string>> legend;
  std::string mark_name;  ///< in the legend; empty: no bar has a mark
  std::vector<Bar> bars;
};

/// As wide as a phone shows without making it smaller, near enough.
constexpr double kChartWidth = 400;

Svg draw(const Chart& chart);
Svg draw(const BarChart& chart);

}  // namespace kinglet::tools::report
