// kinglet-weights: converts, inspects, compares and checks model files. Here is its command line; the
// commands themselves are in commands.hpp.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <sstream>

#include "command_line.hpp"
#include "commands.hpp"
#include "convert.hpp"
#include "quantize.hpp"

namespace kinglet::tools {
namespace {

void add_model(CLI::App& command, std::string& path) {
  add_file(command, "IN", path, "Model file (.gguf)")->required();
}

void add_convert(CLI::App& app) {
  const auto request = std::make_shared<ConvertRequest>();
  const auto architecture = std::make_shared<std::string>();
  CLI::App& command = *app.add_subcommand("convert", "Make a model file from a checkpoint");
  add_file(command, "IN", request->input, "Checkpoint (.pth, .pt, .bin, .safetensors)")->required();
  command
      .add_option("--arch", *architecture,
                  "Architecture; default: the one in the config or the checkpoint")
      ->check(CLI::IsMember(architectures()));
  add_file(command, "--config", request->config, "config.json, or an experiment's exp_config.json");
  add_file(command, "--tables", request->tables, "Id tables (tables.safetensors)");
  add_file(command, "--vocab", request->vocab, "Word pieces or words, one a line, to be stored");
  command.add_option("--heads", request->heads, "Attention heads, where the config has none")
      ->check(CLI::PositiveNumber);
  command.add_option("--eps", request->eps, "Layer-norm epsilon of the encoder")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--layers", request->layers, "Layers, where they share their weights (ALBERT)")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--mask-size", request->mask_size,
                  "Rows, and columns, of masks; default: what the checkpoint or the config says")
      ->check(CLI::Range(1, 4096));
  add_output(command, request->output);
  add_examples(command,
               {"kinglet-weights convert model.pth --arch hitut --config config.json --tables "
                "tables.safetensors --vocab vocab.txt -o model.gguf",
                "kinglet-weights convert pytorch_model.bin --config config.json -o bert.gguf"});
  command.callback([=] { run_convert(*architecture, *request); });
}

void add_inspect(CLI::App& app) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App& command = *app.add_subcommand(
      "inspect", "List the tensors, metadata and sizes of a PyTorch, safetensors or GGUF file");
  add_file(command, "FILE", options->file, "checkpoint or model file")->required();
  command.add_flag("--json", options->json, "machine-readable output");
  add_examples(command, {"kinglet-weights inspect checkpoint.pth",
                         "kinglet-weights inspect model.gguf --json"});
  command.callback([=] { run_inspect(*options); });
}

void add_export(CLI::App& app) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App& command = *app.add_subcommand(
      "export", "Write the weights of any checkpoint as safetensors, names and dtypes kept");
  add_file(command, "FILE", options->input, "PyTorch, safetensors or GGUF file")->required();
  add_output(command, options->output, "safetensors file to write");
  add_examples(command, {"kinglet-weights export model.gguf -o weights.safetensors"});
  command.callback([=] { run_export(*options); });
}

void add_diff(CLI::App& app) {
  const auto options = std::make_shared<DiffOptions>();
  CLI::App& command =
      *app.add_subcommand("diff", "Compare the weights of two files; exit code 1 when they differ");
  add_file(command, "A", options->a, "checkpoint or model file")->required();
  add_file(command, "B", options->b, "checkpoint or model file")->required();
  add_examples(command, {"kinglet-weights diff checkpoint.pth model.safetensors"});
  command.callback([=] {
    if (!run_diff(*options)) throw CLI::RuntimeError(1);
  });
}

void add_plan(CLI::App& app) {
  const auto options = std::make_shared<PlanOptions>();
  CLI::App& command = *app.add_subcommand("plan", "What running a model will take: bytes, FLOPs");
  add_file(command, "file", options->file, "Model file (.gguf)")->required();
  command.add_option("--batch", options->batch, "Sequences at once")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  CLI::Option* live =
      command.add_option("--live", options->live, "Positions that are not masked (default: all)")
          ->check(CLI::Range(1, 65536));
  command.add_option("--image", options->image, "Pixels of an image's side (default: 224)")
      ->check(CLI::Range(32, 4096))
      ->excludes(live);
  add_threads(command, options->threads, "Threads lent");
  command.add_flag("--all-rows", options->every_row, "Every row computed, as verify does");
  command.add_flag("--json", options->json, "Print JSON");
  add_examples(command, {"kinglet-weights plan model.gguf --batch 4",
                         "kinglet-weights plan model.gguf --live 40 --json",
                         "kinglet-weights plan resnet.gguf --image 300"});
  command.callback([=] { run_plan(*options); });
}

/// A request, and what else is needed to know what is asked for.
struct QuantizeLine {
  QuantizeRequest request;
  std::vector<std::string> keep;
  double budget_mib = 0;
  std::string attention = "auto";
};

QuantizeRequest request_of(QuantizeLine line, bool measured) {
  QuantizeRequest request = std::move(line.request);
  const auto named = [&](const char* word) {
    const auto at = std::find(line.keep.begin(), line.keep.end(), word);
    if (at == line.keep.end()) return false;
    line.keep.erase(at);
    return true;
  };
  const bool automatic = named("auto"), none = named("none");
  request.keep = line.keep;
  if (none && (automatic || !request.keep.empty()))
    throw CLI::ValidationError("--keep-fp32", "'none' stands alone");
  request.choose = automatic || (!none && request.keep.empty() && measured);
  if (line.budget_mib > 0)
    request.budget_bytes = static_cast<std::uint64_t>(std::floor(line.budget_mib * 1048576.0));
  if (!measured && (automatic || request.max_error))
    throw CLI::ValidationError(automatic ? "--keep-fp32 auto" : "--max-error", "needs --samples");
  request.attention = line.attention == "auto" ? QuantizeRequest::Attention::automatic
                      : line.attention == "s8" ? QuantizeRequest::Attention::s8
                                               : QuantizeRequest::Attention::f32;
  return request;
}

void add_quantize(CLI::App& app) {
  const auto line = std::make_shared<QuantizeLine>();
  QuantizeRequest& request = line->request;
  CLI::App& command = *app.add_subcommand(
      "quantize", "Store matrices and tables in int8; measure over samples what that costs");
  add_model(command, request.input);
  add_output(command, request.output);
  CLI::Option* samples = add_file(command, "--samples", request.samples,
                                  "Inputs to measure with: a golden file or an evaluation set");
  command.add_option("--rows", request.rows, "Rows of each task to measure with; 0: all")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  command.add_option("--keep-fp32", line->keep,
                     "'auto': what costs most accuracy a byte; 'none'; names, * for any text. "
                     "Default: auto with --samples");
  command
      .add_option("--max-error", request.max_error,
                  "Bound on the error of every output: RMS of the change / RMS of the output")
      ->check(CLI::PositiveNumber);
  command.add_option("--budget-mb", line->budget_mib, "Bound on the file, in MiB")
      ->check(CLI::PositiveNumber);
  command.add_flag_callback(
      "--no-recentre", [line] { line->request.recentre = false; },
      "Leave constant offsets of channels where they are");
  command
      .add_flag("--smooth", request.smooth,
                "Factors for the columns of rows and weights, where they make int8 better")
      ->needs(samples);
  command
      .add_option("--attention", line->attention,
                  "Attention in int8 below the last layer: where --samples show no harm, nowhere, "
                  "everywhere")
      ->check(CLI::IsMember({"auto", "fp32", "s8"}))
      ->capture_default_str();
  add_file(command, "--report", request.report, "JSON file to write the table to");
  add_isa(command, request.isa);
  add_threads(command, request.threads);
  add_examples(
      command,
      {"kinglet-weights quantize model.gguf -o int8.gguf",
       "kinglet-weights quantize model.gguf --samples eval.safetensors --max-error 0.02 -o "
       "int8.gguf",
       "kinglet-weights quantize model.gguf --keep-fp32 action_embd 'blk.0.*' -o int8.gguf"});
  command.callback([=] { run_quantize(request_of(*line, samples->count() > 0)); });
}

/// "0,2,4".
std::vector<int> layers_of(const std::string& text) {
  std::vector<int> layers;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    if (part.empty() || part.size() > 4 ||
        part.find_first_not_of("0123456789") != std::string::npos)
      throw CLI::ValidationError("LAYERS", "must be numbers with commas between: 0,2,4");
    layers.push_back(std::stoi(part));
  }
  return layers;
}

void add_keep_layers(CLI::App& app) {
  const auto options = std::make_shared<KeepLayersOptions>();
  const auto layers = std::make_shared<std::string>();
  CLI::App& command = *app.add_subcommand(
      "keep-layers", "Keep some of the layers; a model of shared layers (ALBERT) then runs fewer");
  add_model(command, options->input);
  command.add_option("LAYERS", *layers, "Layers in the order they will run: 0,2,4")->required();
  add_output(command, options->output);
  add_examples(command, {"kinglet-weights keep-layers model.gguf 0,2,4 -o small.gguf"});
  command.callback([=] {
    options->layers = layers_of(*layers);
    run_keep_layers(*options);
  });
}

void add_prune_vocab(CLI::App& app) {
  const auto options = std::make_shared<PruneVocabOptions>();
  CLI::App& command = *app.add_subcommand(
      "prune-vocab",
      "Keep the words of a corpus; others become the unknown word. Callers keep using the old ids. "
      "A masked LM then predicts the kept words only, in the order of kinglet.vocab.kept");
  add_model(command, options->input);
  add_files(command, "--corpus", options->corpus,
            "Golden files, evaluation sets, or texts: an id, a word piece or a word a line");
  command.add_option("--drop-actions", options->drop_actions,
                     "Actions of Seq2Seq that it shall not choose, by name; the others move up");
  command.add_option("--unknown", options->unknown, "Id that stands for words that are left out")
      ->check(CLI::Range(0, 1 << 30));
  command
      .add_option("--keep", options->keep,
                  "Ids that stay whatever the corpus holds, such as those that frame each input")
      ->check(CLI::Range(0, 1 << 30));
  add_output(command, options->output);
  add_examples(command,
               {"kinglet-weights prune-vocab model.gguf --corpus eval.safetensors -o small.gguf"});
  command.callback([=] {
    if (options->corpus.empty() && options->drop_actions.empty())
      throw CLI::RequiredError("--corpus or --drop-actions");
    run_prune_vocab(*options);
  });
}

void add_factorize(CLI::App& app) {
  const auto options = std::make_shared<FactorizeOptions>();
  CLI::App& command = *app.add_subcommand(
      "factorize",
      "Store the word table V x d as V x r times r x d (truncated SVD); an int8 table stays int8");
  add_model(command, options->input);
  CLI::Option_group& size = *command.add_option_group("size");
  size.add_option("--rank", options->rank, "r")->check(CLI::PositiveNumber);
  size.add_option("--energy", options->energy, "Share of the squared singular values to keep")
      ->check(CLI::Range(0.0, 1.0));
  size.require_option(1);
  add_output(command, options->output);
  add_examples(command, {"kinglet-weights factorize model.gguf --energy 0.9 -o small.gguf"});
  command.callback([=] { run_factorize(*options); });
}

void add_verify(CLI::App& app) {
  const auto options = std::make_shared<VerifyOptions>();
  CLI::App& command = *app.add_subcommand("verify", "Compare a model's outputs with recorded ones");
  add_file(command, "model", options->model, "Model file (.gguf)")->required();
  add_files(command, "goldens", options->goldens, "Recorded inputs and outputs (.safetensors)")
      ->required();
  add_file(command, "--bounds", options->bounds,
           "JSON file with the recorded fp32_error of each output");
  command
      .add_option("--factor", options->factor,
                  "An output may be off by so many times its recorded error, at least by 1e-6")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--atol", options->atol, "Bound for outputs without a recorded error")
      ->check(CLI::NonNegativeNumber);
  std::vector<std::string> isas = isa_names();
  isas.emplace_back("all");
  command.add_option("--isa", options->isa, "Instruction set, or 'all'; default: the best here")
      ->check(CLI::IsMember(isas));
  add_threads(command, options->threads);
  command.add_option("--allow-missing", options->allow_missing,
                     "Outputs (* stands for any text) that the model need not produce");
  add_examples(command,
               {"kinglet-weights verify model.gguf golden.safetensors --bounds config.json",
                "kinglet-weights verify model.gguf golden.safetensors --isa all"});
  command.callback([=] {
    if (!run_verify(*options)) throw CLI::RuntimeError(1);
  });
}

}  // namespace
}  // namespace kinglet::tools

int main(int argc, char** argv) {
  using namespace kinglet::tools;
  CLI::App app("Converts, quantises, inspects, compares and checks model files", "kinglet-weights");
  add_convert(app);
  add_inspect(app);
  add_export(app);
  add_diff(app);
  add_plan(app);
  add_quantize(app);
  add_keep_layers(app);
  add_prune_vocab(app);
  add_factorize(app);
  add_verify(app);
  return run_program(app, argc, argv);
}
