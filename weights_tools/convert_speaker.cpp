// The speaker encoder of Resemblyzer: which tensor of its checkpoint becomes which of the model file.
#include "convert_speaker.hpp"

#include <ostream>

#include "convert_mapping.hpp"
#include "progress.hpp"
#include "sha256.hpp"

namespace kinglet::tools {
namespace {

constexpr int kMostLayers = 16;

std::string layer_end(int layer) { return "_l" + std::to_string(layer); }

class Mapping : private TensorMapping {
 public:
  Mapping(const SpeakerModel& model, WeightSource& weights) : TensorMapping(weights), m_(model) {}

  TensorPlan make() {
    for (int l = 0; l < m_.layers; ++l)
      lstm("lstm." + std::to_string(l) + "_", lstm_names("lstm", layer_end(l)), m_.hidden,
           l == 0 ? m_.input : m_.hidden);
    linear("embedding", {"linear"}, m_.embedding, m_.hidden, true);
    return std::move(plan_);
  }

 private:
  const SpeakerModel& m_;
};

SpeakerModel describe(CheckpointWeights& weights) {
  const auto dim = [](std::int64_t n) { return static_cast<int>(n); };
  SpeakerModel m;
  m.input = dim(weights.shape("lstm.weight_ih_l0", 2)[1]);
  m.hidden = dim(weights.shape("lstm.weight_hh_l0", 2)[1]);
  m.embedding = dim(weights.shape("linear.weight", 2)[0]);
  while (m.layers < kMostLayers && weights.has("lstm.weight_ih" + layer_end(m.layers))) ++m.layers;
  return m;
}

}  // namespace

TensorPlan plan_speaker(const SpeakerModel& model, WeightSource& weights) {
  return Mapping(model, weights).make();
}

void write_speaker(OutputFile& out, const SpeakerModel& m, const TensorPlan& plan,
                   const std::function<void(std::size_t done, std::size_t all)>& progress) {
  const auto number = [](int value) { return static_cast<std::uint32_t>(value); };
  GgufWriter file(out, "speaker-encoder");
  file.add_string("kinglet.source.sha256", m.source_sha256);
  file.add_u64("kinglet.source.parameters", m.source_parameters);
  file.add_string("kinglet.recipe", m.recipe);
  file.add_u32("speaker-encoder.input_length", number(m.input));
  file.add_u32("speaker-encoder.hidden_length", number(m.hidden));
  file.add_u32("speaker-encoder.block_count", number(m.layers));
  file.add_u32("speaker-encoder.embedding_length", number(m.embedding));
  plan.add_panel_values(file);
  plan.write(file, progress);
}

bool holds_speaker(const Checkpoint& checkpoint) {
  return checkpoint.find("lstm.weight_ih_l0") != nullptr &&
         checkpoint.find("linear.weight") != nullptr &&
         checkpoint.find("similarity_weight") != nullptr;
}

void convert_speaker(const ConvertRequest& request, std::ostream& report) {
  const Checkpoint checkpoint = read_checkpoint(request.input);
  CheckpointWeights weights(checkpoint);
  SpeakerModel model = describe(weights);
  const TensorPlan plan = plan_speaker(model, weights);
  // What training compares embeddings with.
  for (const char* name : {"similarity_weight", "similarity_bias"}) weights.skip(name);
  weights.check_all_used();
  model.source_parameters = weights.parameters();
  model.source_sha256 = sha256_hex(MappedFile::open(request.input)->bytes());
  model.recipe = "convert speaker-encoder";

  OutputFile out(request.output, request.inputs());
  write_speaker(out, model, plan, terminal_progress("convert"));
  out.commit();
  report << "encoder   LSTM, " << model.layers << " layers, width " << model.hidden << ", reads "
         << model.input << " bands; embedding " << model.embedding << '\n';
  report_source(report, weights, {}, plan);
}

}  // namespace kinglet::tools
