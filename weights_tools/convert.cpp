#include "convert.hpp"

#include <iostream>
#include <utility>

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

}  // namespace

std::vector<std::string> architectures() {
  std::vector<std::string> names;
  for (const auto& converter : kConverters) names.emplace_back(converter.first);
  return names;
}

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

void run_convert(const std::string& architecture, const ConvertRequest& request) {
  convert(architecture.empty() ? architecture_of(request) : architecture, request, std::cout);
}

}  // namespace kinglet::tools
