#pragma once
// What a fresh process takes for a model: the program starts itself.

#include <cstdint>
#include <string>
#include <vector>

#include "results/results.hpp"
#include "workload.hpp"

namespace kinglet::tools {

/// Of a process; times from its start.
struct FreshRun {
  double ready = 0, first_output = 0;  ///< a bound model, the first output
  /// Resident before it opens the model; at most; more at the end of its runs than after the second.
  Told<std::uint64_t> program_resident, peak_resident, resident_growth;
};

/// Runs this program with these arguments, which must lead to report_fresh_run.
Told<FreshRun> run_fresh(const std::vector<std::string>& arguments);

/// In the fresh process: opens the model, runs it for so many seconds, once at the least, and writes
/// to stdout what run_fresh reads.
void report_fresh_run(const std::string& path, const std::string& isa, int threads,
                      const WorkloadOptions& options, double seconds);

}  // namespace kinglet::tools
