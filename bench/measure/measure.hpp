#pragma once
// What `kinglet-bench model` measures, whatever form the results get.

#include <string>
#include <vector>

#include "grid.hpp"
#include "results/results.hpp"
#include "runner.hpp"
#include "workload.hpp"

namespace kinglet::tools {

struct ModelOptions {
  std::vector<std::string> files;
  GridOptions grid;
  WorkloadOptions work;  ///< its batch and size come from the grid
  RunOptions run;
  int cold = 0;  ///< fresh processes, beside the one that is always started
  bool no_limits = false, ops = false;
  std::string accuracy_set;  ///< "": accuracies are not asked for
  std::string label, sysfs;
};

/// Throws before it measures anything when a file, a size or an instruction set cannot be used.
/// `results` always holds what was measured, also when it throws later or an interrupt ends it early.
void measure(const ModelOptions& options, Results& results);

}  // namespace kinglet::tools
