#include "models/bert_fixture.hpp"

#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "convert.hpp"
#include "models/hitut_fixture.hpp"
#include "output_file.hpp"
#include "safetensors_writer.hpp"

namespace kinglet::test {
namespace {

using Json = nlohmann::ordered_json;

std::uint32_t next(std::uint32_t& state) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

constexpr int kVocab = 37, kPositions = 23, kHidden = 21, kHeads = 3, kInner = 35, kEmbedding = 11;

/// Tensors by the names of the original code.
class Checkpoint {
 public:
  void add(const std::string& name, const std::vector<std::int64_t>& shape, float centre = 0) {
    std::int64_t count = 1;
    for (const std::int64_t n : shape) count *= n;
    std::vector<float>& values = values_.emplace_back();
    for (std::int64_t i = 0; i < count; ++i) {
      values.push_back(centre + static_cast<float>(next(state_) % 1024) / 1024.0f - 0.5f);
    }
    tools::Tensor tensor;
    tensor.name = name;
    tensor.dtype = DType::f32;
    tensor.dtype_name = "float32";
    tensor.item_size = sizeof(float);
    tensor.shape = shape;
    tensor.stride.assign(shape.size(), 1);
    if (shape.size() == 2) tensor.stride[0] = shape[1];
    tensor.storage = reinterpret_cast<const unsigned char*>(values.data());
    tensor.storage_bytes = values.size() * sizeof(float);
    tensor.storage_id = values_.size();
    tensors_.push_back(tensor);
  }
  void linear(const std::string& name, int n, int k) {
    add(name + ".weight", {n, k});
    add(name + ".bias", {n});
  }
  void norm(const std::string& name, int n) {
    add(name + ".weight", {n}, 1);
    add(name + ".bias", {n});
  }
  void layer(const std::vector<std::string>& names) {
    for (int i = 0; i < 4; ++i) linear(names[static_cast<std::size_t>(i)], kHidden, kHidden);
    norm(names[4], kHidden);
    linear(names[5], kInner, kHidden);
    linear(names[6], kHidden, kInner);
    norm(names[7], kHidden);
  }
  void write(const std::string& path) const {
    tools::OutputFile out(path);
    tools::write_safetensors(out, tensors_, {});
    out.commit();
  }

 private:
  std::uint32_t state_ = 11;
  std::deque<std::vector<float>> values_;  // tensors point into them
  std::vector<tools::Tensor> tensors_;
};

void add_albert(Checkpoint& model, Json& config) {
  constexpr int kGroups = 2, kInnerLayers = 2;
  model.linear("albert.encoder.embedding_hidden_mapping_in", kHidden, kEmbedding);
  for (int g = 0; g < kGroups; ++g) {
    for (int j = 0; j < kInnerLayers; ++j) {
      const std::string at = "albert.encoder.albert_layer_groups." + std::to_string(g) +
                             ".albert_layers." + std::to_string(j) + ".";
      model.layer({at + "attention.query", at + "attention.key", at + "attention.value",
                   at + "attention.dense", at + "attention.LayerNorm", at + "ffn",
                   at + "ffn_output", at + "full_layer_layer_norm"});
    }
  }
  model.linear("albert.pooler", kHidden, kHidden);
  model.linear("predictions.dense", kEmbedding, kHidden);
  model.norm("predictions.LayerNorm", kEmbedding);
  model.add("predictions.bias", {kVocab});
  model.linear("sop_classifier.classifier", 2, kHidden);
  model.linear("classifier", 4, kHidden);
  config["num_hidden_layers"] = 3;  // groups 0, 0, 1: six layers in all
  config["num_hidden_groups"] = kGroups;
  config["inner_group_num"] = kInnerLayers;
  config["embedding_size"] = kEmbedding;
  config["hidden_act"] = "gelu_new";
}

void add_distilbert(Checkpoint& model, Json& config) {
  for (int i = 0; i < 2; ++i) {
    const std::string at = "distilbert.transformer.layer." + std::to_string(i) + ".";
    model.layer({at + "attention.q_lin", at + "attention.k_lin", at + "attention.v_lin",
                 at + "attention.out_lin", at + "sa_layer_norm", at + "ffn.lin1", at + "ffn.lin2",
                 at + "output_layer_norm"});
  }
  model.linear("vocab_transform", kHidden, kHidden);
  model.norm("vocab_layer_norm", kHidden);
  model.add("vocab_projector.bias", {kVocab});
  model.linear("pre_classifier", kHidden, kHidden);
  model.linear("classifier", 2, kHidden);
  config["dim"] = kHidden;
  config["n_layers"] = 2;
  config["n_heads"] = kHeads;
  config["hidden_dim"] = kInner;
  config["activation"] = "relu";
}

void add_bert(Checkpoint& model, Json& config, bool roberta, int exits) {
  const std::string prefix = roberta ? "roberta." : "bert.";
  const int layers = exits > 0 ? 5 : 2;
  for (int i = 0; i < layers; ++i) {
    const std::string at = prefix + "encoder.layer." + std::to_string(i) + ".";
    model.layer({at + "attention.self.query", at + "attention.self.key",
                 at + "attention.self.value", at + "attention.output.dense",
                 at + "attention.output.LayerNorm", at + "intermediate.dense", at + "output.dense",
                 at + "output.LayerNorm"});
  }
  config["num_hidden_layers"] = layers;
  if (roberta) {
    model.linear("classifier.dense", kHidden, kHidden);
    model.linear("classifier.out_proj", 5, kHidden);
    model.linear("lm_head.dense", kHidden, kHidden);
    model.norm("lm_head.layer_norm", kHidden);
    model.add("lm_head.bias", {kVocab});
    return;
  }
  model.linear("bert.pooler.dense", kHidden, kHidden);
  for (int i = 0; i < (exits > 0 ? layers : 0); ++i)
    model.linear("classifiers." + std::to_string(i), exits, kHidden);
  if (exits > 0) return;
  model.linear("classifier", 3, kHidden);
  model.linear("cls.predictions.transform.dense", kHidden, kHidden);
  model.norm("cls.predictions.transform.LayerNorm", kHidden);
  model.add("cls.predictions.bias", {kVocab});
  model.linear("cls.seq_relationship", 2, kHidden);
  model.linear("qa_outputs", 2, kHidden);
}

}  // namespace

std::string bert_checkpoint(const std::string& family, int exits) {
  static std::map<std::string, std::string> made;
  const std::string name = family + std::to_string(exits);
  std::string& folder = made[name];
  if (!folder.empty()) return folder;
  folder = temporary_file("checkpoint_" + name);
  std::filesystem::create_directories(folder);
  Json config;
  config["model_type"] = family;
  config["vocab_size"] = kVocab;
  config["max_position_embeddings"] = kPositions;
  if (family != "distilbert") {
    config["hidden_size"] = kHidden;
    config["intermediate_size"] = kInner;
    config["num_attention_heads"] = kHeads;
    config["layer_norm_eps"] = 1e-5;
  }
  Checkpoint model;
  const int width = family == "albert" ? kEmbedding : kHidden;
  const int types = family == "roberta" ? 1 : family == "distilbert" ? 0 : 2;
  const std::string at = family + ".embeddings.";
  model.add(at + "word_embeddings.weight", {kVocab, width});
  model.add(at + "position_embeddings.weight", {kPositions, width});
  if (types > 0) model.add(at + "token_type_embeddings.weight", {types, width});
  model.norm(at + "LayerNorm", width);
  if (family == "albert") {
    add_albert(model, config);
  } else if (family == "distilbert") {
    add_distilbert(model, config);
  } else {
    add_bert(model, config, family == "roberta", exits);
  }
  model.write(folder + "/model.safetensors");
  std::ofstream(folder + "/config.json") << config.dump(1);
  return folder;
}

std::string bert_model(const std::string& family, int exits) {
  static std::map<std::string, std::string> made;
  std::string& path = made[family + std::to_string(exits)];
  if (!path.empty()) return path;
  tools::ConvertRequest request;
  request.input = bert_checkpoint(family, exits) + "/model.safetensors";
  request.config = bert_checkpoint(family, exits) + "/config.json";
  request.output = temporary_file(family + std::to_string(exits) + ".gguf");
  std::ostringstream report;
  tools::convert(tools::architecture_of(request), request, report);
  path = request.output;
  return path;
}

MadeUpText::MadeUpText(const bert::Config& c, int batch, int seq, std::uint32_t seed,
                       bool all_live) {
  for (int b = 0; b < batch; ++b) {
    std::uint32_t state = seed + 77u * static_cast<std::uint32_t>(b);
    next(state);
    for (int p = 0; p < seq; ++p) {
      ids.push_back(static_cast<std::int32_t>(next(state) % static_cast<std::uint32_t>(c.vocab)));
      types.push_back(c.types > 1 ? static_cast<std::int32_t>(next(state) % 2) : 0);
      mask.push_back(all_live || p == b % seq || next(state) % 2 == 0 ? 1 : 0);
    }
    lm_positions.push_back(seq - 1);
    lm_positions.push_back(b % seq);
  }
  in.wanted = bert::heads_of(c);
  in.batch = batch;
  in.seq = seq;
  in.ids = ids.data();
  in.types = types.data();
  in.mask = mask.data();
  if (!c.masked_lm) return;
  in.lm_positions = lm_positions.data();
  in.lm_each = 2;
}

bert::Input MadeUpText::alone(int b) const {
  bert::Input one = in;
  one.batch = 1;
  one.ids += b * in.seq;
  one.types += b * in.seq;
  one.mask += b * in.seq;
  if (one.lm_positions != nullptr) one.lm_positions += b * in.lm_each;
  return one;
}

Outputs::Outputs(const bert::Config& c, const bert::Input& in)
    : hidden(c.hidden), labels(c.labels), vocab(c.vocab) {
  const auto take = [&](std::vector<float>& x, int each) {
    x.resize(static_cast<std::size_t>(in.batch) * static_cast<std::size_t>(each));
  };
  take(last_hidden, in.seq * hidden);
  take(pooled, c.pooler ? hidden : 0);
  take(classes, labels);
  take(masked_lm, c.masked_lm ? (in.lm_each > 0 ? in.lm_each : in.seq) * vocab : 0);
  take(next_sentence, c.next_sentence ? 2 : 0);
  take(sentence_order, c.sentence_order ? 2 : 0);
  take(start, c.answer ? in.seq : 0);
  take(end, c.answer ? in.seq : 0);
  take(embedding, hidden);
}

bert::Output Outputs::out() {
  return {last_hidden.data(), pooled.data(),        classes.data(),
          masked_lm.data(),   next_sentence.data(), sentence_order.data(),
          start.data(),       end.data(),           embedding.data()};
}

std::vector<float> Outputs::row(const bert::Input& in, int b) const {
  std::vector<float> all;
  const auto add = [&](const std::vector<float>& x, bool places) {
    const auto each = static_cast<std::ptrdiff_t>(x.size()) / in.batch;
    const auto first = x.begin() + b * each;
    const auto width = places ? each / in.seq : each;
    for (int p = 0; p < (places ? in.seq : 1); ++p) {
      if (!places || in.mask[b * in.seq + p] != 0)
        all.insert(all.end(), first + p * width, first + (p + 1) * width);
    }
  };
  add(last_hidden, true);
  add(pooled, false);
  add(classes, false);
  add(masked_lm, in.lm_each == 0);
  add(next_sentence, false);
  add(sentence_order, false);
  add(start, true);
  add(end, true);
  add(embedding, false);
  return all;
}

}  // namespace kinglet::test
