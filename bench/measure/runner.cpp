#include "runner.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "interrupt.hpp"
#include "peak.hpp"
#include "results/text_table.hpp"
#include "statistics.hpp"

namespace kinglet::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kTurn = 0.05;
constexpr double kWarmUp = 0.2;
/// A run that takes as long finds the caches as any other does, whatever was between.
constexpr double kLongRun = 0.02;
/// What may be measured beside the runs takes this share of their time.
constexpr double kBeside = 0.2;
constexpr std::size_t kLeastRuns = 5, kMostRuns = 100000;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double timed_run(Workload& workload) {
  const auto begin = Clock::now();
  workload.run();
  return seconds_since(begin);
}

/// Seconds that a plain loop takes to read the weights.
double read_all(const std::vector<WeightRead>& reads) {
  const auto begin = Clock::now();
  for (const WeightRead& read : reads) {
    volatile float sink = read_pass(read.data, read.bytes);
    static_cast<void>(sink);
  }
  return seconds_since(begin);
}

/// Gives the time of the last run.
double warm_up(Contender& c, const RunOptions& options) {
  const auto begin = Clock::now();
  double last = timed_run(*c.workload);
  for (int i = 1; !interrupted(); ++i) {
    if (options.warm_up > 0 ? i >= options.warm_up
                            : seconds_since(begin) >= std::min(kWarmUp, options.seconds))
      break;
    last = timed_run(*c.workload);
  }
  return last;
}

/// The share of what it is to do.
double done(const Contender& c, const RunOptions& options) {
  const auto runs = static_cast<double>(c.times.size());
  if (options.runs > 0) return runs / options.runs;
  const double of_seconds = options.seconds > 0 ? c.spent / options.seconds : 1;
  return std::max(std::min(of_seconds, runs / static_cast<double>(kLeastRuns)),
                  runs / static_cast<double>(kMostRuns));
}

/// Until `most` runs or, where most is 0, for some time. disturbed: something else ran since its last
/// turn, so that caches and threads have to come back first.
void take_turn(Contender& c, const RunOptions& options, int most, bool disturbed) {
  if (done(c, options) >= 1) return;
  if (disturbed && (c.times.empty() || c.times.back() < kLongRun)) c.workload->run();
  const auto begin = Clock::now();
  for (int i = 1; !interrupted(); ++i) {
    c.times.push_back(timed_run(*c.workload));
    c.spent += c.times.back();
    if (most > 0 ? i >= most : seconds_since(begin) >= kTurn) return;
    if (done(c, options) >= 1) return;
  }
}

}  // namespace

void time_in_turns(std::vector<Contender>& contenders, const RunOptions& options,
                   LimitsProbe* limits, Progress& progress, const std::function<void()>& between) {
  double longest = 0;
  for (Contender& c : contenders) {
    longest = std::max(longest, warm_up(c, options));
    c.times.reserve(options.runs > 0 ? static_cast<std::size_t>(options.runs) : kMostRuns);
  }
  // With a number of runs all come to their ends in the same turn.
  const double turns = std::max(1.0, std::floor(options.runs * longest / kTurn));
  const int most = options.runs > 0 ? static_cast<int>(std::ceil(options.runs / turns)) : 0;

  bool disturbed = true;
  double beside = 0;
  for (double share = 0; share < 1 && !interrupted();) {
    double spent = 0, runs = 0;
    share = 1;
    for (Contender& c : contenders) {
      take_turn(c, options, most, disturbed || contenders.size() > 1);
      share = std::min(share, done(c, options));
      spent += c.spent;
      runs += static_cast<double>(c.times.size());
    }
    between();
    progress.show(share, spent > 0 ? runs / spent : 0);
    disturbed = limits != nullptr && beside <= kBeside * spent;
    if (!disturbed) continue;
    const auto begin = Clock::now();
    limits->slice();
    for (Contender& c : contenders) {
      const std::vector<WeightRead> reads = c.workload->reads();
      if (!reads.empty()) c.reads.push_back(read_all(reads));
    }
    beside += seconds_since(begin);
  }
}

Point point_of(const Contender& c) {
  Point p;
  p.model = c.model;
  p.task = c.workload->task();
  p.isa = c.session->isa();
  p.threads = c.session->threads();
  p.length = c.workload->length();
  p.image = c.workload->image();
  p.steps = c.workload->steps();
  p.latency = latency_of(c.times);
  const Plan plan = c.workload->plan();
  p.flops = plan.flops;
  p.s8_flops = plan.s8_flops;
  p.bytes_moved = plan.bytes_moved;
  if (!c.reads.empty()) {
    p.weight_reads = WeightReads{0, median(c.reads)};
    for (const WeightRead& read : c.workload->reads()) p.weight_reads->bytes += read.bytes;
  }
  p.scratch_planned = plan.scratch_bytes;
  p.scratch_used = c.session->used_bytes();
  p.state_bytes = c.workload->held_bytes();
  p.io_bytes = c.workload->io_bytes();
  p.peak_planned = c.session->file_bytes() + p.scratch_planned + p.state_bytes;
  p.output_hash = text_of("%016llx", static_cast<unsigned long long>(c.workload->hash()));
  return p;
}

}  // namespace kinglet::tools
