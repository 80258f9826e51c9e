#include "interleave.hpp"

#include <time.h>

#include <algorithm>
#include <cmath>

namespace kinglet::tools {
namespace {

constexpr double kSlice = 1e-3;
constexpr double kBurstSlice = 3e-4;  // needs no caches, so it is steady at once

constexpr std::size_t kLeastRounds = 7;
constexpr double kMostSpent = 0.5;  // seconds for them

double median(std::vector<double> x) {
  const auto middle = x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2);
  std::nth_element(x.begin(), middle, x.end());
  return *middle;
}

}  // namespace

double now(bool of_this_thread) {
  timespec t;
  clock_gettime(of_this_thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

Side::Side(std::function<void()> call, double slice_seconds, bool of_this_thread)
    : call_(std::move(call)), of_this_thread_(of_this_thread) {
  // A guess from one call, which finds nothing in the caches, then one from some of a slice.
  double seconds = slice();
  if (seconds < slice_seconds) {
    calls_ = static_cast<int>(std::ceil(slice_seconds / 5 / std::max(seconds, 1e-8)));
    call_();
    seconds = slice();
  }
  calls_ = std::max(1, static_cast<int>(slice_seconds / std::max(seconds, 1e-8)));
  long_ = seconds > 5 * slice_seconds;
}

void Side::warm_up() const {
  if (!long_) call_();
}

double Side::slice() const {
  const double begin = now(of_this_thread_);
  for (int i = 0; i < calls_; ++i) call_();
  return (now(of_this_thread_) - begin) / calls_;
}

Interleaved::Interleaved(Case work, bool of_this_thread)
    : case_(std::move(work)),
      kernel_(case_.call, kSlice, of_this_thread),
      limit_(case_.limit_call,
             case_.limit == Limit::f32 || case_.limit == Limit::s8 ? kBurstSlice : kSlice,
             of_this_thread) {
  for (const Baseline& b : case_.baselines) baselines_.emplace_back(b.call, kSlice, of_this_thread);
}

Result Interleaved::run(benchmark::State& state) const {
  std::vector<double> times, shares, limits;
  std::vector<std::vector<double>> ratios(baselines_.size());
  double spent = 0;
  const auto others = [&] {
    const double seconds = times.back();
    limit_.warm_up();
    limits.push_back(case_.limit_work / limit_.slice());
    shares.push_back(case_.limited_work / seconds / limits.back());
    for (std::size_t i = 0; i < baselines_.size(); ++i) {
      baselines_[i].warm_up();
      ratios[i].push_back(baselines_[i].slice() / seconds);
    }
    spent += seconds * kernel_.calls();
    kernel_.warm_up();
  };
  kernel_.warm_up();
  while (state.KeepRunningBatch(kernel_.calls())) {
    times.push_back(kernel_.slice());
    state.PauseTiming();
    others();
    state.ResumeTiming();
  }
  while (times.size() < kLeastRounds && spent < kMostSpent) {
    times.push_back(kernel_.slice());
    others();
  }
  Result result;
  result.seconds = median(times);
  result.share = median(shares);
  result.best_share = case_.limited_work / *std::min_element(times.begin(), times.end()) /
                      *std::max_element(limits.begin(), limits.end());
  result.limit_rate = median(limits) * 1e-9;
  for (std::size_t i = 0; i < baselines_.size(); ++i) {
    result.ratios.emplace_back(case_.baselines[i].name, median(ratios[i]));
  }
  return result;
}

}  // namespace kinglet::tools
