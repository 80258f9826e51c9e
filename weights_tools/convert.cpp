#include "convert.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "command_line.hpp"
#include "commands.hpp"
#include "convert_bert.hpp"
#include "convert_resnet.hpp"
#include "convert_seq2seq.hpp"
#include "convert_speaker.hpp"
#include "file_error.hpp"

namespace kinglet::tools {
namespace {

using Converter = void (*)(const ConvertRequest&, std::ostream&);
constexpr std::pair<const char*, Converter> kConverters[] = {{"hitut", convert_hitut},
                                                             {"bert", convert_bert},
                                                             // exits make it one
                                                             {"pabee", convert_bert},
                                                             {"alfred-seq2seq", convert_seq2seq},
                                                             {"resnet", convert_resnet},
                                                             {"speaker-encoder", convert_speaker}};

std::vector<std::string> architectures() {
  std::vector<std::string> names;
  for (const auto& converter : kConverters) names.emplace_back(converter.first);
  return names;
}

}  // namespace

void convert(const std::string& architecture, const ConvertRequest& request, std::ostream& report) {
  for (const auto& [name, converter] : kConverters) {
    if (architecture == name) return converter(request, report);
  }
  throw std::runtime_error("no converter for the architecture '" + architecture + "'");
}

std::string architecture_of(const ConvertRequest& request) {
  const Checkpoint checkpoint = read_checkpoint(request.input);
  if (holds_seq2seq(checkpoint)) return "alfred-seq2seq";
  if (holds_resnet(checkpoint)) return "resnet";
  if (holds_speaker(checkpoint)) return "speaker-encoder";
  if (request.config.empty()) {
    throw FileError(request.input, "architecture", "is not known; give --config or --arch");
  }
  const ConfigFile config(request.config);
  BertModel::Family family{};
  if (names_bert_family(config, family)) return "bert";
  if (const auto type = config.text(config.inside("model_type"))) {
    config.fail("model_type", in_quotes(*type) + " is not supported");
  }
  // HiTUT's experiments, alone or in a config beside other things.
  for (const char* key : {"use_bert", "exp_config.use_bert", "training_args.use_bert"}) {
    if (config.has(key)) return "hitut";
  }
  throw FileError(request.config, "architecture",
                  "no model_type and no architectures name it; give --arch");
}

void add_convert(CLI::App& app) {
  auto request = std::make_shared<ConvertRequest>();
  auto architecture = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("convert", "Make a model file from a checkpoint");
  command->add_option("IN", request->input, "Checkpoint (.pth, .pt, .bin, .safetensors)")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--arch", *architecture,
                   "Architecture; default: the one in the config or the checkpoint")
      ->check(CLI::IsMember(architectures()));
  command
      ->add_option("--config", request->config, "config.json, or an experiment's exp_config.json")
      ->type_name("FILE");
  command->add_option("--tables", request->tables, "Id tables (tables.safetensors)")
      ->type_name("FILE");
  command->add_option("--vocab", request->vocab, "Word pieces or words, one a line, to be stored")
      ->type_name("FILE");
  command->add_option("--heads", request->heads, "Attention heads, where the config has none")
      ->check(CLI::PositiveNumber);
  command->add_option("--eps", request->eps, "Layer-norm epsilon of the encoder")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--layers", request->layers, "Layers, where they share their weights (ALBERT)")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--mask-size", request->mask_size,
                   "Rows, and columns, of masks; default: what the checkpoint or the config says")
      ->check(CLI::Range(1, 4096));
  command->add_option("-o,--output", request->output, "Model file to write (.gguf)")
      ->type_name("FILE")
      ->required();
  add_examples(*command,
               {"kinglet-weights convert model.pth --arch hitut --config config.json --tables "
                "tables.safetensors --vocab vocab.txt -o model.gguf",
                "kinglet-weights convert pytorch_model.bin --config config.json -o bert.gguf"});
  command->callback([=] {
    convert(architecture->empty() ? architecture_of(*request) : *architecture, *request, std::cout);
  });
}

}  // namespace kinglet::tools
