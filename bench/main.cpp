// kinglet-bench: how fast, how large and how right a model is on this machine. Here is its command
// line; the commands themselves are in commands.hpp.
#include <CLI/CLI.hpp>
#include <memory>

#include "command_line.hpp"
#include "commands.hpp"
#include "model.hpp"

namespace kinglet::tools {
namespace {

void add_accuracy(CLI::App& app) {
  const auto options = std::make_shared<AccuracyOptions>();
  CLI::App& command =
      *app.add_subcommand("accuracy", "How right models are, and what each costs, in one table");
  add_files(command, "files", options->files,
            "Model files (.gguf), the first is the reference; then the evaluation set or golden "
            "file (.safetensors)")
      ->required()
      ->expected(-2);  // or more
  command
      .add_option("--max-drop", options->max_drop,
                  "Fail when a model is worse than the first by more points")
      ->check(CLI::Range(0.0, 100.0));
  CLI::Option* recorded = add_file(command, "--recorded", options->recorded,
                                   "metrics.json whose fp32 accuracies are printed beside");
  command
      .add_option("--within", options->within,
                  "Fail when an accuracy is more examples away from the recorded")
      ->check(CLI::Range(0, 1000000))
      ->needs(recorded);
  command
      .add_option("--within-points", options->within_points,
                  "Fail when an accuracy is more points away from the recorded")
      ->check(CLI::Range(0.0, 100.0))
      ->needs(recorded);
  command
      .add_option("--max-difference", options->max_difference,
                  "Fail when an output of the first model is further from what the set records")
      ->check(CLI::Range(0.0, 1e9));
  command.add_option("--batch", options->batch, "Rows at once")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  add_threads(command, options->threads);
  add_isa(command, options->isa);
  CLI::Option* json = command.add_flag("--json", options->json, "Print JSON");
  command.add_flag("--answers", options->answers, "Print every answer too, row by row")
      ->needs(json);
  add_examples(command,
               {"kinglet-bench accuracy fp32.gguf int8.gguf eval.safetensors --max-drop 0.5",
                "kinglet-bench accuracy int8.gguf eval.safetensors --recorded metrics.json"});
  command.callback([=] {
    if (!run_accuracy(*options)) throw CLI::RuntimeError(1);
  });
}

void add_kernels(CLI::App& app) {
  const auto options = std::make_shared<KernelsOptions>();
  CLI::App* command = app.add_subcommand(
      "kernels", has_kernels() ? "Speed of single kernels beside this machine's peak; "
                                 "--benchmark_* go to Google Benchmark"
                               : "Not in this build: Google Benchmark was not found");
  if (has_kernels()) {
    add_files(*command, "--shapes", options->shapes,
              "Files of sizes, or names of those in bench/shapes (default: all of them)");
    command->add_option("--isa", options->isas, "Instruction sets (default: all that work here)")
        ->check(CLI::IsMember(isa_names()));
    command->add_option("--threads", options->threads, "Numbers of threads, one after the other")
        ->check(CLI::Range(1, 256))
        ->default_str("1");
    command->add_flag("--baselines", options->baselines, "OpenBLAS and oneDNN beside ours");
    add_examples(*command, {"kinglet-bench kernels --shapes peers --isa avx2 --baselines",
                            "kinglet-bench kernels --benchmark_filter='^linear_s8/.*/m:160/'"});
  } else {
    add_examples(*command, {"apt install libbenchmark-dev"});
  }
  command->allow_extras();
  command->callback([=] {
    options->rest = command->remaining();
    if (const int code = run_kernels(*options)) throw CLI::RuntimeError(code);
  });
}

/// A list with commas, so that the files may stand behind it.
template <class T>
CLI::Option* add_list(CLI::App& command, const std::string& name, std::vector<T>& values,
                      const std::string& description) {
  return command.add_option(name, values, description)->delimiter(',')->allow_extra_args(false);
}

void add_model(CLI::App& app) {
  const auto all = std::make_shared<ModelCommand>();
  ModelOptions& model = all->model;
  CLI::App& command =
      *app.add_subcommand("model", "Latency, memory and share of this machine's peak, over a grid");
  add_files(command, "files", model.files, "Model files (.gguf); they take turns")->required();
  command
      .add_option("--task", model.work.task,
                  "Of HiTUT: high, low_mani (default) or low_navi; of Seq2Seq: language, core or "
                  "whole (default)")
      ->check(CLI::IsMember({"high", "low_mani", "low_navi", "language", "core", "whole"}));
  add_list(command, "--seq", model.grid.lengths,
           "Positions that are not masked (default: all); words of Seq2Seq (default: 64)")
      ->check(CLI::Range(3, 65536));
  add_list(command, "--image", model.grid.images, "Pixels of an image's side (default: 224)")
      ->check(CLI::Range(32, 4096));
  command.add_option("--steps", model.work.steps, "Of Seq2Seq")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  add_list(command, "--batch", model.grid.batches, "Inputs at once")
      ->check(CLI::Range(1, 1024))
      ->default_str("1");
  add_list(command, "--threads", model.grid.threads, "Threads")
      ->check(CLI::Range(1, 256))
      ->default_str("1");
  add_list(command, "--isa", model.grid.isas, "Instruction sets; default: the best here")
      ->check(CLI::IsMember(isa_names()));
  command.add_flag("--all-rows", model.work.every_row, "Compute every row of the last layer too");
  command.add_option("--warmup", model.run.warm_up, "Runs before (default: for 0.2 s)")
      ->check(CLI::Range(1, 1000000));
  CLI::Option* runs = command.add_option("--runs", model.run.runs, "Time so many runs")
                          ->check(CLI::Range(1, 10000000));
  command
      .add_option("--seconds", model.run.seconds,
                  "Time runs for so long at every place of the grid")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str()
      ->excludes(runs);
  command
      .add_option("--cold", model.cold,
                  "So many fresh processes, from their start to the first output")
      ->check(CLI::Range(1, 10000));
  command.add_flag("--no-limits", model.no_limits,
                   "Measure nothing between the runs: no peaks, no bandwidth");
  command.add_flag("--ops", model.ops, "Also tell where the time of a run goes, op by op");
  add_file(command, "--accuracy", model.accuracy_set,
           "Evaluation set or golden file (.safetensors): accuracies beside the times");
  command.add_option("--label", model.label, "What reports call this machine");
  command.add_option("--sysfs", model.sysfs, "Folder that holds another machine's sys/")
      ->type_name("DIR");
  CLI::Option* json = command.add_flag("--json", all->json, "Print JSON");
  command.add_flag("--csv", all->csv, "Print CSV")->excludes(json);
  add_file(command, "--html", all->html, "Also write a report with plots, one page (.html)");
  command.add_option("--svg", all->svg, "Also write the plots alone, into this folder")
      ->type_name("DIR");
  command.add_option("--fresh", all->fresh)->group("");
  add_examples(command,
               {"kinglet-bench model model.gguf",
                "kinglet-bench model fp32.gguf int8.gguf --seq 32,64,128 --batch 1,4 --threads 1,2",
                "kinglet-bench model fp32.gguf int8.gguf --accuracy eval.safetensors --json > "
                "results.json"});
  command.callback([=] {
    if (!run_model(*all)) throw CLI::RuntimeError(1);
  });
}

void add_report(CLI::App& app) {
  const auto options = std::make_shared<ReportOptions>();
  CLI::App& command = *app.add_subcommand(
      "report",
      "One page of what 'kinglet-bench model --json' measured, on one machine or several");
  add_files(command, "files", options->files, "Results (.json)")->required();
  CLI::Option* page = add_file(command, "-o,--output", options->page, "The page (.html)");
  CLI::Option* svg =
      command.add_option("--svg", options->svg, "A folder for the plots, each a file")
          ->type_name("DIR");
  add_examples(command, {"kinglet-bench report nano.json orin.json -o boards.html",
                         "kinglet-bench report nano.json --svg plots"});
  command.callback([=] {
    if (page->empty() && svg->empty()) throw CLI::RequiredError("--output or --svg");
    run_report(*options);
  });
}

/// Throws where an option does not fit the architecture.
void check_synth(const SynthOptions& options) {
  const std::string& architecture = options.architecture;
  const bool encoder = architecture == "hitut" || architecture == "bert";
  const bool agent = architecture == "alfred-seq2seq";
  if (encoder ? options.size == "small" : options.size == "minilm")
    throw CLI::ValidationError("--size", options.size + " is not a size of " + architecture);
  if (!encoder && options.layers > 0)
    throw CLI::ValidationError("--layers", "are those of hitut and bert");
  if (!encoder && !agent && options.vocab > 0)
    throw CLI::ValidationError("--vocab", architecture + " has no words");
  if (!agent && options.actions > 0)
    throw CLI::ValidationError("--actions", "are those of alfred-seq2seq");
}

void add_synth(CLI::App& app) {
  const auto options = std::make_shared<SynthOptions>();
  CLI::App& command =
      *app.add_subcommand("synth", "Make a model file of published size with made-up weights");
  command
      .add_option("--arch", options->architecture,
                  "Architecture: hitut, bert, alfred-seq2seq or resnet")
      ->required()
      ->check(CLI::IsMember({"hitut", "bert", "alfred-seq2seq", "resnet"}));
  command
      .add_option("--size", options->size,
                  "base, as published (default); of hitut and bert minilm, 384 wide; of "
                  "alfred-seq2seq and resnet small")
      ->check(CLI::IsMember({"base", "minilm", "small"}));
  command.add_option("--layers", options->layers, "Layers; default: 12 of base, 6 of minilm")
      ->check(CLI::Range(1, 48));
  command
      .add_option("--vocab", options->vocab,
                  "Words; default: 50265 of hitut, 30522 of bert, 2360 of alfred-seq2seq")
      ->check(CLI::Range(128, 1 << 20));
  command.add_option("--actions", options->actions, "Of alfred-seq2seq; default: 15")
      ->check(CLI::Range(1, 4096));
  command.add_option("--seed", options->seed, "Other seeds give other weights")
      ->capture_default_str();
  add_output(command, options->output);
  add_examples(command, {"kinglet-bench synth --arch hitut --layers 6 -o big.gguf",
                         "kinglet-bench synth --arch bert --size minilm --seed 7 -o minilm.gguf"});
  command.callback([=] {
    check_synth(*options);
    run_synth(*options);
  });
}

}  // namespace
}  // namespace kinglet::tools

int main(int argc, char** argv) {
  using namespace kinglet::tools;
  CLI::App app("Tells how fast, how large and how right a model is on this machine",
               "kinglet-bench");
  add_accuracy(app);
  add_kernels(app);
  add_model(app);
  add_report(app);
  add_synth(app);
  return run_program(app, argc, argv);
}
