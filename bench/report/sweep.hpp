#pragma once
// Plots of a figure against each dimension of the grid in which it was measured at several places.

#include <functional>

#include "chart.hpp"
#include "numbers.hpp"
#include "plots.hpp"

namespace kinglet::tools::report {

struct Figure {
  const char* file;   ///< what plots are called: "latency"
  const char* title;  ///< "Latency"
  const char* note;   ///< what the error bars are; may be empty
  Quantity quantity;
  /// y, low and high of the mark; y is kNone where the point has no such figure.
  std::function<Mark(const Point&)> mark;
};

/// Lines over batch, length …; where no line has two places, bars at the reference.
PlotGroup plots_of(const Collection& collection, const Figure& figure);

/// At most `most` of so many, first and last among them.
std::vector<std::size_t> chosen_of(std::size_t count, std::size_t most);

}  // namespace kinglet::tools::report
