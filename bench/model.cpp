// kinglet-bench model: how long models take on this machine, what they need, and how near that is to
// what the machine can do; over a grid, several models side by side.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "command_line.hpp"
#include "commands.hpp"
#include "measure/fresh.hpp"
#include "measure/interrupt.hpp"
#include "measure/measure.hpp"
#include "report/report.hpp"
#include "results/results.hpp"

namespace kinglet::tools {
namespace {

struct Options {
  ModelOptions model;
  std::string html, svg;
  bool json = false, csv = false;
  double fresh = -1;  ///< seconds, of the fresh process that another one started
};

/// There every list has one item, as measure() gave it.
void run_as_fresh_process(const Options& o) {
  const GridOptions& grid = o.model.grid;
  WorkloadOptions work = o.model.work;
  work.batch = grid.batches[0];
  for (const auto* sizes : {&grid.lengths, &grid.images}) {
    if (!sizes->empty()) work.size = (*sizes)[0];
  }
  report_fresh_run(o.model.files[0], grid.isas[0], grid.threads[0], work, o.fresh);
}

void run(const Options& o) {
  if (o.fresh >= 0) return run_as_fresh_process(o);
  catch_interrupts();
  const Results results = measure(o.model);
  const auto form = o.json ? to_json : o.csv ? to_csv : to_table;
  std::printf("%s", form(results).c_str());
  write_report({results}, o.html, o.svg, o.model.files);
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
  command->add_option("files", o->model.files, "Model files (.gguf); they take turns")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--task", o->model.work.task,
                   "Of HiTUT: high, low_mani (default) or low_navi; of Seq2Seq: language, core or "
                   "whole (default)")
      ->check(CLI::IsMember({"high", "low_mani", "low_navi", "language", "core", "whole"}));
  add_list(*command, "--seq", o->model.grid.lengths,
           "Positions that are not masked (default: all); words of Seq2Seq (default: 64)")
      ->check(CLI::Range(3, 65536));
  add_list(*command, "--image", o->model.grid.images, "Pixels of an image's side (default: 224)")
      ->check(CLI::Range(32, 4096));
  command->add_option("--steps", o->model.work.steps, "Of Seq2Seq (default: 50)")
      ->check(CLI::Range(1, 4096));
  add_list(*command, "--batch", o->model.grid.batches, "Inputs at once")
      ->check(CLI::Range(1, 1024));
  add_list(*command, "--threads", o->model.grid.threads, "Threads")->check(CLI::Range(1, 256));
  add_list(*command, "--isa", o->model.grid.isas, "Instruction sets; default: the best here");
  command->add_flag("--all-rows", o->model.work.every_row,
                    "Compute every row of the last layer too");
  command->add_option("--warmup", o->model.run.warm_up, "Runs before (default: for 0.2 s)")
      ->check(CLI::Range(1, 1000000));
  auto* runs = command->add_option("--runs", o->model.run.runs, "Time so many runs")
                   ->check(CLI::Range(1, 10000000));
  command
      ->add_option("--seconds", o->model.run.seconds,
                   "Time runs for so long at every place of the grid (default: 3)")
      ->check(CLI::Range(0.0, 3600.0))
      ->excludes(runs);
  command
      ->add_option("--cold", o->model.cold,
                   "So many fresh processes, from their start to the first output")
      ->check(CLI::Range(1, 10000));
  command->add_flag("--no-limits", o->model.no_limits,
                    "Measure nothing between the runs: no peaks, no bandwidth");
  command->add_flag("--ops", o->model.ops, "Also tell where the time of a run goes, op by op");
  command
      ->add_option("--accuracy", o->model.accuracy_set,
                   "Evaluation set or golden file (.safetensors): accuracies beside the times")
      ->type_name("FILE");
  command->add_option("--label", o->model.label, "What reports call this machine");
  command->add_option("--sysfs", o->model.sysfs, "Folder that holds another machine's sys/")
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
