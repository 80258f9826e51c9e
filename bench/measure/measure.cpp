#include "measure.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>

#include "energy.hpp"
#include "evaluation.hpp"
#include "frequency.hpp"
#include "fresh.hpp"
#include "interrupt.hpp"
#include "limits.hpp"
#include "machine.hpp"
#include "model_info.hpp"
#include "op_times.hpp"
#include "progress.hpp"
#include "statistics.hpp"

namespace kinglet::tools {
namespace {

constexpr double kOpSeconds = 1;

class Bench {
 public:
  Bench(const ModelOptions& options, Results& results) : options_(options), results_(results) {
    if (!options.accuracy_set.empty()) set_ = read_checkpoint(options.accuracy_set);
    results_.machine = describe_machine("", options.label);
    std::vector<bool> images;
    bool steps = false;
    for (const std::string& file : options.files) {
      const auto session = open_model(file, options.grid.isas[0]);
      results_.models.push_back(describe_model(*session));
      images.push_back(session->reads_images());
      steps |= goes_in_steps(*session);
      check_sizes(*session, images.back());
    }
    const auto nobody = [&](bool kind) {
      return std::find(images.begin(), images.end(), kind) == images.end();
    };
    if (!options.grid.lengths.empty() && nobody(false))
      throw std::runtime_error("--seq: no model here reads sequences");
    if (!options.grid.images.empty() && nobody(true))
      throw std::runtime_error("--image: no model here reads images");
    if (options.work.steps > 0 && !steps)
      throw std::runtime_error("--steps: no model here goes in steps");
    for (const std::string& isa : options.grid.isas) kernels_named(isa);
    places_ = places_of(options.grid, images);
  }

  void run() {
    results_.interrupted = true;  // until the end is reached
    const int judged = set_ ? static_cast<int>(options_.files.size()) : 0;
    meter_ = find_energy_meter(options_.sysfs + "/sys", no_energy_);
    Progress progress(static_cast<int>(places_.size()) + judged + (meter_ ? 1 : 0));
    if (meter_) {
      progress.begin("power while idle");
      meter_->measure_idle(2);
    }
    // First, so that a set that does not fit is told before hours are spent.
    if (set_) judge(progress);
    for (const Place& place : places_) {
      if (interrupted()) break;
      progress.begin(text_of(place));
      measure(place, progress);
      tell_limits();
    }
    results_.interrupted = interrupted();
  }

 private:
  WorkloadOptions work_at(const Place& place) const {
    WorkloadOptions at = options_.work;
    at.batch = place.batch;
    at.size = place.size;
    return at;
  }

  /// Before hours are spent: every size that this model is to have.
  void check_sizes(ModelSession& session, bool images) const {
    std::vector<int> sizes = images ? options_.grid.images : options_.grid.lengths;
    if (sizes.empty()) sizes = {0};
    for (const int size : sizes) make_workload(session, work_at({"", 1, 1, size, {}}));
  }

  std::string text_of(const Place& place) const {
    std::string names;
    for (const int m : place.models) {
      names += (names.empty() ? "" : ", ") + results_.models[static_cast<std::size_t>(m)].name;
    }
    return names + ": " + place.text();
  }

  /// The one that has measured this before goes on.
  LimitsProbe* probe(const ModelSession& session) {
    if (options_.no_limits) return nullptr;
    for (const auto& known : probes_) {
      if (known->isa() == session.isa() && known->threads() == session.threads())
        return known.get();
    }
    if (!far_memory_) far_memory_ = std::make_unique<FarMemory>("");
    probes_.push_back(
        std::make_unique<LimitsProbe>(session.isa(), session.threads(), *far_memory_));
    return probes_.back().get();
  }

  /// As far as they are known; an interrupt can come before the first slice.
  void tell_limits() {
    results_.limits.clear();
    for (const auto& probe : probes_) {
      if (probe->has_limits()) results_.limits.push_back(probe->limits());
    }
  }

  void measure(const Place& place, Progress& progress) {
    std::vector<Contender> contenders;
    for (const int m : place.models) {
      Contender& c = contenders.emplace_back();
      c.model = m;
      c.session = open_model(options_.files[static_cast<std::size_t>(m)], place.isa, place.threads);
      c.workload = make_workload(*c.session, work_at(place));
    }
    FrequencyWatch frequency(options_.sysfs);
    time_in_turns(contenders, options_.run, probe(*contenders[0].session), progress,
                  [&] { frequency.sample(); });
    const Told<Frequency> clock = frequency.told();
    for (const Contender& c : contenders) {
      if (c.times.empty()) continue;
      Point& p = results_.points.emplace_back(point_of(c));
      p.batch = place.batch;
      p.every_row = options_.work.every_row;
      p.frequency = clock;
      p.energy = energy_of(*c.workload);
      if (options_.ops && !interrupted())
        p.ops = time_ops(*c.session, *c.workload, std::min(kOpSeconds, options_.run.seconds));
      measure_fresh(place, p);
    }
  }

  /// Of runs in a row: between those that were timed other things ran.
  Told<Energy> energy_of(Workload& workload) const {
    if (!meter_) return {{}, no_energy_};
    const auto begin = std::chrono::steady_clock::now();
    const std::chrono::duration<double> least(std::max(1.0, 1.2 * meter_->sensor().shortest));
    meter_->begin();
    int runs = 0;
    for (; !interrupted() && std::chrono::steady_clock::now() - begin < least; ++runs)
      workload.run();
    return meter_->end(runs);
  }

  /// What only a process of its own can tell.
  void measure_fresh(const Place& place, Point& p) const {
    constexpr double kMostSeconds = 0.5;
    const std::string seconds = std::to_string(
        std::min(kMostSeconds, options_.run.runs > 0 ? 1 : options_.run.seconds / 4));
    Told<FreshRun> fresh{{}, "interrupted"};
    if (!interrupted()) fresh = run_fresh(fresh_arguments(place, p, seconds));
    const auto tell = [&](auto& figure, auto member) {
      if (fresh.value) {
        figure = (*fresh.value).*member;
      } else {
        figure.why = fresh.why;
      }
    };
    tell(p.program_resident, &FreshRun::program_resident);
    tell(p.peak_resident, &FreshRun::peak_resident);
    tell(p.resident_growth, &FreshRun::resident_growth);
    p.ready.why = p.first_output.why = fresh.why;
    if (!fresh.value) return;
    p.ready.value = fresh.value->ready;
    p.first_output.value = fresh.value->first_output;
    std::vector<double> starts;
    for (int i = 0; i < options_.cold && !interrupted(); ++i) {
      const Told<FreshRun> cold = run_fresh(fresh_arguments(place, p, "0"));
      if (cold.value) starts.push_back(cold.value->first_output);
    }
    if (!starts.empty()) p.cold = latency_of(starts);
  }

  std::vector<std::string> fresh_arguments(const Place& place, const Point& p,
                                           const std::string& seconds) const {
    std::vector<std::string> all = {"model",
                                    options_.files[static_cast<std::size_t>(p.model)],
                                    "--fresh=" + seconds,
                                    "--isa=" + p.isa,
                                    "--threads=" + std::to_string(p.threads),
                                    "--batch=" + std::to_string(place.batch)};
    if (p.steps > 0) all.push_back("--steps=" + std::to_string(p.steps));
    if (place.size > 0)
      all.push_back((p.image > 0 ? "--image=" : "--seq=") + std::to_string(place.size));
    if (!options_.work.task.empty()) all.push_back("--task=" + options_.work.task);
    if (options_.work.every_row) all.push_back("--all-rows");
    return all;
  }

  /// The first model is the reference, where the set has none.
  void judge(Progress& progress) {
    std::vector<std::unique_ptr<ModelSession>> sessions;
    std::vector<std::unique_ptr<Evaluation>> evaluations;
    for (const std::string& file : options_.files) {
      sessions.push_back(open_model(file, options_.grid.isas[0]));
      const Evaluation* const first = evaluations.empty() ? nullptr : evaluations[0].get();
      evaluations.push_back(evaluate(*sessions.back(), *set_, 1, first));
    }
    for (std::size_t m = 0; m < evaluations.size() && !interrupted(); ++m) {
      progress.begin(results_.models[m].name + ": accuracy");
      Evaluation& mine = *evaluations[m];
      for (int step = 0; step < mine.steps() && !interrupted(); ++step) {
        mine.prepare(step);
        mine.run(step);
        progress.show(static_cast<double>(step) / mine.steps());
      }
      if (interrupted()) return;
      for (const Score& s : scores_of(mine, *evaluations[0], *set_)) {
        results_.models[m].accuracy.push_back({s.group, s.name, s.value, s.right, s.asked});
      }
    }
  }

  const ModelOptions& options_;
  Results& results_;
  std::optional<Checkpoint> set_;
  std::vector<Place> places_;
  std::unique_ptr<EnergyMeter> meter_;
  std::string no_energy_;  ///< why there is no meter
  std::unique_ptr<FarMemory> far_memory_;
  std::vector<std::unique_ptr<LimitsProbe>> probes_;
};

}  // namespace

void measure(const ModelOptions& options, Results& results) { Bench(options, results).run(); }

}  // namespace kinglet::tools
