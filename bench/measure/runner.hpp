#pragma once
// Runs the models of one place in turns and times them.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "grid.hpp"
#include "limits.hpp"
#include "progress.hpp"
#include "results/results.hpp"
#include "workload.hpp"

namespace kinglet::tools {

struct RunOptions {
  int warm_up = 0;  ///< runs; 0: for a fifth of a second
  int runs = 0;     ///< 0: for so many seconds, at least 5
  double seconds = 3;
};

/// A model at a place, ready to run.
struct Contender {
  int model = 0;
  std::unique_ptr<ModelSession> session;
  std::unique_ptr<Workload> workload;
  std::vector<double> times;  ///< of every run after the warm-up
  std::vector<double> reads;  ///< of the loop over its weights
  double spent = 0;           ///< the sum of the times
};

/// Warms up, then times every contender until it has its runs, or its seconds. They take turns of
/// some 50 ms. Between the turns come `between` and, unless `limits` is null, a slice of the limits
/// and the loops over the weights. An interrupt ends it early.
void time_in_turns(std::vector<Contender>& contenders, const RunOptions& options,
                   LimitsProbe* limits, Progress& progress, const std::function<void()>& between);

/// What is known once it has run: latency, work, memory as planned and used.
Point point_of(const Contender& contender);

}  // namespace kinglet::tools
