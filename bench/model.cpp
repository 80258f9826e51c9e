// kinglet-bench model: how long models take on this machine, what they need, and how near that is to
// what the machine can do; over a grid, several models side by side.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "command_line.hpp"
#include "commands.hpp"
#include "evaluation.hpp"
#include "measure/energy.hpp"
#include "measure/frequency.hpp"
#include "measure/fresh.hpp"
#include "measure/grid.hpp"
#include "measure/interrupt.hpp"
#include "measure/limits.hpp"
#include "measure/machine.hpp"
#include "measure/model_info.hpp"
#include "measure/progress.hpp"
#include "measure/runner.hpp"
#include "measure/statistics.hpp"
#include "report/report.hpp"
#include "results/results.hpp"
#include "workload.hpp"

namespace kinglet::tools {
namespace {

struct Options {
  std::vector<std::string> files;
  GridOptions grid;
  WorkloadOptions work;
  RunOptions run;
  int cold = 0;
  bool no_limits = false;
  std::string accuracy_set, label, sysfs;
  std::string html, svg;
  bool json = false, csv = false;
  double fresh = -1;  ///< this is the fresh process that another one started

  WorkloadOptions work_at(const Place& place) const {
    WorkloadOptions at = work;
    at.batch = place.batch;
    at.size = place.size;
    return at;
  }
};

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {
    results_.machine = describe_machine("", options.label);
    std::vector<bool> images;
    for (const std::string& file : options.files) {
      const auto session = open_model(file, options.grid.isas[0]);
      results_.models.push_back(describe_model(*session));
      images.push_back(reads_images(*session));
      check_sizes(*session, images.back());
    }
    const auto nobody = [&](bool kind) {
      return std::find(images.begin(), images.end(), kind) == images.end();
    };
    if (!options.grid.lengths.empty() && nobody(false))
      throw std::runtime_error("--seq: no model here reads sequences");
    if (!options.grid.images.empty() && nobody(true))
      throw std::runtime_error("--image: no model here reads images");
    for (const std::string& isa : options.grid.isas) kernels_named(isa);
    places_ = places_of(options.grid, images);
  }

  Results run() {
    const int judged = options_.accuracy_set.empty() ? 0 : static_cast<int>(options_.files.size());
    meter_ = find_energy_meter(options_.sysfs + "/sys", no_energy_);
    Progress progress(static_cast<int>(places_.size()) + judged + (meter_ ? 1 : 0));
    if (meter_) {
      progress.begin("power while idle");
      meter_->measure_idle(2);
    }
    for (const Place& place : places_) {
      if (interrupted()) break;
      progress.begin(text_of(place));
      measure(place, progress);
    }
    for (const auto& probe : probes_) results_.limits.push_back(probe->limits());
    if (judged > 0) judge(progress);
    results_.interrupted = interrupted();
    return std::move(results_);
  }

 private:
  /// Before hours are spent: every size that this model is to have.
  void check_sizes(ModelSession& session, bool images) const {
    std::vector<int> sizes = images ? options_.grid.images : options_.grid.lengths;
    if (sizes.empty()) sizes = {0};
    for (const int size : sizes) make_workload(session, options_.work_at({"", 1, 1, size, {}}));
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

  void measure(const Place& place, Progress& progress) {
    std::vector<Contender> contenders;
    for (const int m : place.models) {
      Contender& c = contenders.emplace_back();
      c.model = m;
      c.session = open_model(options_.files[static_cast<std::size_t>(m)], place.isa, place.threads);
      c.workload = make_workload(*c.session, options_.work_at(place));
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
                                    "--batch=" + std::to_string(place.batch),
                                    "--steps=" + std::to_string(options_.work.steps)};
    if (place.size > 0)
      all.push_back((p.image > 0 ? "--image=" : "--seq=") + std::to_string(place.size));
    if (!options_.work.task.empty()) all.push_back("--task=" + options_.work.task);
    if (options_.work.every_row) all.push_back("--all-rows");
    return all;
  }

  /// The first model is the reference, where the set has none.
  void judge(Progress& progress) {
    const Checkpoint set = read_checkpoint(options_.accuracy_set);
    std::vector<std::unique_ptr<ModelSession>> sessions;
    std::vector<std::unique_ptr<Evaluation>> evaluations;
    for (std::size_t m = 0; m < options_.files.size() && !interrupted(); ++m) {
      progress.begin(results_.models[m].name + ": accuracy");
      sessions.push_back(open_model(options_.files[m], options_.grid.isas[0]));
      const Evaluation* const first = m == 0 ? nullptr : evaluations[0].get();
      evaluations.push_back(evaluate(*sessions[m], set, 1, first));
      Evaluation& mine = *evaluations[m];
      for (int step = 0; step < mine.steps() && !interrupted(); ++step) {
        mine.prepare(step);
        mine.run(step);
        progress.show(static_cast<double>(step) / mine.steps(), 0);
      }
      if (interrupted()) return;
      for (const Score& s : mine.scores(*evaluations[0])) {
        results_.models[m].accuracy.push_back({s.group, s.name, s.value, s.right, s.asked});
      }
    }
  }

  const Options& options_;
  Results results_;
  std::vector<Place> places_;
  std::unique_ptr<EnergyMeter> meter_;
  std::string no_energy_;  ///< why there is no meter
  std::unique_ptr<FarMemory> far_memory_;
  std::vector<std::unique_ptr<LimitsProbe>> probes_;
};

void run(const Options& options) {
  if (options.fresh >= 0) {
    const GridOptions& grid = options.grid;
    WorkloadOptions work = options.work;
    work.batch = grid.batches[0];
    for (const auto* sizes : {&grid.lengths, &grid.images}) {
      if (!sizes->empty()) work.size = (*sizes)[0];
    }
    return report_fresh_run(options.files[0], grid.isas[0], grid.threads[0], work, options.fresh);
  }
  catch_interrupts();
  const Results results = Bench(options).run();
  const auto form = options.json ? to_json : options.csv ? to_csv : to_table;
  std::printf("%s", form(results).c_str());
  write_report({results}, options.html, options.svg, options.files);
  if (results.interrupted) throw CLI::RuntimeError(1);
}

/// A list with commas, so that the files may stand behind it.
template <class T>
CLI::Option* add_list(CLI::App& command, const std::string& name, std::vector<T>& values,
                      const std::string& text) {
  return command.add_option(name, values, text)->delimiter(',')->allow_extra_args(false);
}

}  // namespace

void add_model(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("model", "Latency, memory and share of this machine's peak, over a grid");
  command->add_option("files", o->files, "Model files (.gguf); they take turns")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--task", o->work.task,
                   "Of HiTUT: high, low_mani (default) or low_navi; of Seq2Seq: language, core or "
                   "whole (default)")
      ->check(CLI::IsMember({"high", "low_mani", "low_navi", "language", "core", "whole"}));
  add_list(*command, "--seq", o->grid.lengths,
           "Positions that are not masked (default: all); words of Seq2Seq (default: 64)")
      ->check(CLI::Range(3, 65536));
  add_list(*command, "--image", o->grid.images, "Pixels of an image's side (default: 224)")
      ->check(CLI::Range(32, 4096));
  command->add_option("--steps", o->work.steps, "Of Seq2Seq (default: 50)")
      ->check(CLI::Range(1, 4096));
  add_list(*command, "--batch", o->grid.batches, "Inputs at once")->check(CLI::Range(1, 1024));
  add_list(*command, "--threads", o->grid.threads, "Threads")->check(CLI::Range(1, 256));
  add_list(*command, "--isa", o->grid.isas, "Instruction sets; default: the best here");
  command->add_flag("--all-rows", o->work.every_row, "Compute every row of the last layer too");
  command->add_option("--warmup", o->run.warm_up, "Runs before (default: for 0.2 s)")
      ->check(CLI::Range(1, 1000000));
  auto* runs = command->add_option("--runs", o->run.runs, "Time so many runs")
                   ->check(CLI::Range(1, 10000000));
  command
      ->add_option("--seconds", o->run.seconds,
                   "Time runs for so long at every place of the grid (default: 3)")
      ->check(CLI::Range(0.0, 3600.0))
      ->excludes(runs);
  command
      ->add_option("--cold", o->cold,
                   "So many fresh processes, from their start to the first output")
      ->check(CLI::Range(1, 10000));
  command->add_flag("--no-limits", o->no_limits,
                    "Measure nothing between the runs: no peaks, no bandwidth");
  command
      ->add_option("--accuracy", o->accuracy_set,
                   "Evaluation set or golden file (.safetensors): accuracies beside the times")
      ->type_name("FILE");
  command->add_option("--label", o->label, "What reports call this machine");
  command->add_option("--sysfs", o->sysfs, "Folder that holds another machine's sys/")
      ->type_name("DIR");
  auto* json = command->add_flag("--json", o->json, "Print JSON");
  command->add_flag("--csv", o->csv, "Print CSV")->excludes(json);
  command->add_option("--html", o->html, "Also write a report with plots, one page (.html)")
      ->type_name("FILE");
  command->add_option("--svg", o->svg, "Also write the plots alone, into this folder")
      ->type_name("DIR");
  command->add_option("--fresh", o->fresh)->group("");
  add_examples(*command,
               {"kinglet-bench model model.gguf",
                "kinglet-bench model fp32.gguf int8.gguf --seq 32,64,128 --batch 1,4 --threads 1,2",
                "kinglet-bench model fp32.gguf int8.gguf --accuracy eval.safetensors --json > "
                "results.json"});
  command->callback([o] { run(*o); });
}

}  // namespace kinglet::tools
