#pragma once
// The plots of a report.

#include <string>
#include <vector>

#include "collection.hpp"
#include "svg.hpp"

namespace kinglet::tools::report {

struct NamedPlot {
  std::string file;   ///< without ".svg": "latency-batch-1"
  std::string title;  ///< for those who do not see it
  Svg svg;
};

/// Plots of one kind. Where there are more places in the grid than plots are readable, some places
/// are left to the tables, and `note` says so.
struct PlotGroup {
  std::vector<NamedPlot> plots;
  std::string note;
};

PlotGroup latency_plots(const Collection& collection);
PlotGroup memory_plots(const Collection& collection);
PlotGroup energy_plots(const Collection& collection);
PlotGroup accuracy_plots(const Collection& collection);
PlotGroup roofline_plots(const Collection& collection);
PlotGroup op_plots(const Collection& collection);

/// All of them, in this order.
std::vector<NamedPlot> all_plots(const Collection& collection);

}  // namespace kinglet::tools::report
