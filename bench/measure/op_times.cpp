#include "op_times.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <regex>
#include <tuple>

#include "interrupt.hpp"
#include "weight_names.hpp"

namespace kinglet::tools {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Run {
  double seconds = 0;       ///< of a watched one that of all ops
  std::vector<double> ops;  ///< of a watched one, in their order
};

/// What ran, and how long. It is written down after an op, so that the clock does not see it.
class OpLog : public OpWatch {
 public:
  OpLog() {
    double shortest = 1;  // second, of nothing: what reading the clock takes
    for (int i = 0; i < 1000; ++i) {
      begin();
      end();
      shortest = std::min(shortest, seconds_);
    }
    of_the_clock_ = shortest;
  }

  void begin() noexcept override { begin_ = Clock::now(); }
  void end() noexcept override { seconds_ = seconds_since(begin_); }
  void seen(const ObservedOp& op) noexcept override {
    const double seconds = std::max(seconds_ - of_the_clock_, 0.0);
    ops_.push_back(op);
    run_.ops.push_back(seconds);
    run_.seconds += seconds;
  }

  void clear() {
    ops_.clear();
    run_ = {};
  }
  const std::vector<ObservedOp>& ops() const { return ops_; }
  const Run& run() const { return run_; }

 private:
  Clock::time_point begin_;
  double seconds_ = 0, of_the_clock_ = 0;
  std::vector<ObservedOp> ops_;
  Run run_;
};

/// While it lives, the session's ops are logged.
class Observing {
 public:
  Observing(ModelSession& session, OpLog& log) : session_(session) { session.observe(&log); }
  ~Observing() { session_.observe(nullptr); }
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;

 private:
  ModelSession& session_;
};

/// What else the machine does slows some runs.
void keep_faster_half(std::vector<Run>& runs) {
  std::sort(runs.begin(), runs.end(),
            [](const Run& a, const Run& b) { return a.seconds < b.seconds; });
  runs.resize((runs.size() + 1) / 2);
}

template <class Of>
double mean(const std::vector<Run>& runs, Of of) {
  double sum = 0;
  for (const Run& run : runs) sum += of(run);
  return sum / static_cast<double>(runs.size());
}

}  // namespace

std::string without_layer_numbers(const std::string& name) {
  static const std::regex number(R"(\.[0-9]+\.)");
  return std::regex_replace(name, number, ".*.");
}

std::vector<OpTime> time_ops(ModelSession& session, Workload& workload, double seconds) {
  constexpr int kLeast = 5, kMost = 501;  // runs
  OpLog log;
  std::vector<Run> plain, watched;
  const auto begin = Clock::now();
  for (int i = 0;
       i < 1 || (!interrupted() && i < kMost && (i < kLeast || seconds_since(begin) < seconds));
       ++i) {
    const auto at = Clock::now();
    workload.run();
    plain.push_back({seconds_since(at), {}});

    log.clear();
    const Observing observing(session, log);
    workload.run();
    watched.push_back(log.run());
  }
  keep_faster_half(plain);
  keep_faster_half(watched);

  std::vector<OpTime> all;
  std::map<std::tuple<std::string, std::string, bool>, std::size_t> places;
  const WeightNames names(session.file());
  double other = mean(plain, [](const Run& run) { return run.seconds; });
  for (std::size_t i = 0; i < log.ops().size(); ++i) {
    const ObservedOp& op = log.ops()[i];
    const WeightNames::Weight* const weight = names.find(op.weights);
    OpTime here;
    here.op = op.name;
    if (weight != nullptr) here.tensor = without_layer_numbers(weight->name);
    here.int8 = op.int8;
    const auto key = std::make_tuple(here.op, here.tensor, here.int8);
    const auto [place, is_new] = places.emplace(key, all.size());
    if (is_new) all.push_back(here);
    OpTime& sum = all[place->second];
    const double time = mean(watched, [&](const Run& run) { return run.ops[i]; });
    ++sum.calls;
    sum.seconds += time;
    sum.flops += op.flops;
    sum.s8_flops += op.s8_flops;
    sum.bytes += op.bytes;
    other -= time;
  }
  OpTime rest;
  rest.op = "other";
  rest.seconds = other;
  all.push_back(rest);
  return all;
}

}  // namespace kinglet::tools
