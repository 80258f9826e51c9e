#pragma once
// A case between its limit and its baselines. The machine is shared and its clock moves: a peak measured once at the
// start is not the peak of a minute later. So a kernel, its limit and the baselines take turns, a millisecond each,
//
//     kernel | limit | baseline | … | kernel | limit | baseline | …
//
// and what is reported is the median of the ratios within a round. Google Benchmark repeats the rounds and times the
// kernel's slices only: a slice is a batch of iterations, and its clock is stopped for the others.

#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cases.hpp"

namespace kinglet::tools {

/// Seconds of this thread on its core, or of the world's clock when other threads work too. The first leaves out what
/// other programs take from the core.
double now(bool of_this_thread);

/// One of those that take turns.
class Side {
 public:
  Side(std::function<void()> call, double slice_seconds, bool of_this_thread);

  /// Calls in a slice.
  int calls() const noexcept { return calls_; }
  /// A call outside the slice: it finds in the caches what the side before it left there.
  void warm_up() const;
  /// Seconds a call.
  double slice() const;

 private:
  std::function<void()> call_;
  bool of_this_thread_;
  int calls_ = 1;
  bool long_ = false;
};

/// What came out: medians over the rounds.
struct Result {
  double seconds = 0;     ///< a call
  double share = 0;       ///< of the limit
  double best_share = 0;  ///< the fastest slice of the kernel by the fastest of the limit
  double limit_rate = 0;  ///< in the unit of the work, a nanosecond
  std::vector<std::pair<std::string, double>>
      ratios;  ///< to each baseline, above 1: faster than it
};

class Interleaved {
 public:
  Interleaved(Case work, bool of_this_thread);
  const Case& work() const noexcept { return case_; }
  /// As many rounds as Google Benchmark wants; a few more, which it does not time, where it is content with one or two
  /// long ones.
  Result run(benchmark::State& state) const;

 private:
  Case case_;
  Side kernel_;
  Side limit_;
  std::vector<Side> baselines_;
};

}  // namespace kinglet::tools
