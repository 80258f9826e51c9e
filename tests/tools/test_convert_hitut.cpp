// What HiTUT's converter makes of checkpoints, tables and configs.

#include <cstring>
#include <set>
#include <tuple>

#include "hitut_conversion.hpp"

using namespace kinglet;
using namespace kinglet::tests;
using namespace kinglet::tools;
using Json = nlohmann::json;

namespace {

constexpr const char* kEncoders[] = {"roberta", "bert", "albert", "scratch"};
constexpr const char* kContainers[] = {"pth", "legacy.pth", "safetensors"};

/// Part p of a stored tensor without panels and padding.
std::vector<float> logical(const ModelFile& file, const std::string& name, std::uint64_t part = 0) {
  const auto tensor = file.tensor(name);
  REQUIRE(tensor.ok());
  std::vector<float> stored(static_cast<std::size_t>(tensor->nbytes / sizeof(float)));
  std::memcpy(stored.data(), tensor->data, stored.size() * sizeof(float));
  const auto names = file.array("kinglet.panels.tensor");
  std::uint64_t i = 0;
  for (const std::string_view panels : names->strings()) {
    if (panels == name) break;
    ++i;
  }
  if (i == names->count()) return stored;
  const std::size_t n = static_cast<std::size_t>(*file.array("kinglet.panels.n")->number(i));
  const std::size_t k = static_cast<std::size_t>(*file.array("kinglet.panels.k")->number(i));
  const std::size_t parts =
      static_cast<std::size_t>(*file.array("kinglet.panels.parts")->number(i));
  const std::size_t columns = k == 0 ? 1 : k;
  const std::size_t padded = (n + 15) / 16 * 16;
  REQUIRE(stored.size() == parts * padded * columns);
  const float* from = stored.data() + part * padded * columns;
  std::vector<float> rows(n * columns);
  for (std::size_t row = 0; row < padded; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      const float value = from[(row / 16 * columns + column) * 16 + row % 16];
      if (row < n) {
        rows[row * columns + column] = value;
      } else {
        CHECK(value == 0.0f);
      }
    }
  }
  return rows;
}

/// Published name → stored name and part, for one layer and what is outside the layers.
using Names = std::vector<std::tuple<std::string, std::string, std::uint64_t>>;
Names names_of(const std::string& encoder) {
  Names names;
  const auto pair = [&](const std::string& from, const std::string& to, std::uint64_t part = 0,
                        bool bias = true) {
    names.emplace_back(from + ".weight", to + ".weight", part);
    if (bias) names.emplace_back(from + ".bias", to + ".bias", part);
  };
  const std::string at = encoder == "albert"
                             ? "encoder.encoder.albert_layer_groups.0.albert_layers.0."
                         : encoder == "scratch" ? "encoder.layer_stack.1."
                                                : "encoder.encoder.layer.1.";
  const std::string blk = encoder == "albert" ? "blk.0." : "blk.1.";
  if (encoder == "scratch") {
    pair(at + "slf_attn.w_qs", blk + "attn_qkv", 0, false);
    pair(at + "slf_attn.w_ks", blk + "attn_qkv", 1, false);
    pair(at + "slf_attn.w_vs", blk + "attn_qkv", 2, false);
    pair(at + "slf_attn.fc", blk + "attn_output", 0, false);
    pair(at + "slf_attn.layer_norm", blk + "attn_output_norm");
    pair(at + "pos_ffn.w_1", blk + "ffn_up");
    pair(at + "pos_ffn.w_2", blk + "ffn_down");
    pair(at + "pos_ffn.layer_norm", blk + "layer_output_norm");
    pair("encoder.layer_norm", "token_embd_norm");
    pair("vision_to_enc_input.0", "vision_in");
    pair("vision_to_enc_input.1", "vision_in_norm");
    pair("lang_to_enc_input.1", "word_in");
    pair("lang_to_enc_input.2", "word_in_norm");
    pair("action_to_enc_input.1", "action_in");
    pair("action_to_enc_input.2", "action_in_norm");
    pair("vis_his_to_enc_input.0", "history_in");
    pair("vis_his_to_enc_input.1", "history_in_norm");
    names.emplace_back("word_emb.embedding.weight", "token_embd.weight", 0);
  } else {
    const std::string self = encoder == "albert" ? at + "attention." : at + "attention.self.";
    const std::string out = encoder == "albert" ? at + "attention." : at + "attention.output.";
    pair(self + "query", blk + "attn_qkv", 0);
    pair(self + "key", blk + "attn_qkv", 1);
    pair(self + "value", blk + "attn_qkv", 2);
    pair(out + "dense", blk + "attn_output");
    pair(out + "LayerNorm", blk + "attn_output_norm");
    pair(encoder == "albert" ? at + "ffn" : at + "intermediate.dense", blk + "ffn_up");
    pair(encoder == "albert" ? at + "ffn_output" : at + "output.dense", blk + "ffn_down");
    pair(encoder == "albert" ? at + "full_layer_layer_norm" : at + "output.LayerNorm",
         blk + "layer_output_norm");
    pair("encoder.embeddings.LayerNorm", "token_embd_norm");
    pair("vis_feat_to_emb.0", "vision_in");
    names.emplace_back("word_emb.weight", "token_embd.weight", 0);
    if (encoder == "albert") pair("encoder.encoder.embedding_hidden_mapping_in", "embd_to_hidden");
  }
  if (encoder == "albert" || encoder == "scratch") {
    pair("fc1", "high_proj");
    pair("fc2", "low_proj");
    pair("fc3", "arg_proj");
  }
  if (encoder != "albert") {
    names.emplace_back("rotation_emb.weight", "rotation_embd.weight", 0);
    names.emplace_back("horizon_emb.weight", "horizon_embd.weight", 0);
    pair("pos_ln", "posture_norm");
  }
  return names;
}

}  // namespace

TEST_CASE("parameters are counted as the checkpoint's author counted them") {
  for (const char* encoder : kEncoders) {
    CAPTURE(encoder);
    HitutConversion conversion(encoder, "pth");
    conversion.run();
    const Json config = Json::parse(read_text(conversion.request.config));
    CHECK(*conversion.file.u64("kinglet.source.parameters") ==
          config["parameters"].get<std::uint64_t>());
    const std::string folder = std::string(KINGLET_MODELS_DIR) + "/hitut6_small/";
    if (std::string(encoder) != "bert") continue;
    conversion.request.input = folder + "model_best_seen.pth";
    conversion.request.config = folder + "config.json";
    conversion.request.tables = folder + "tables.safetensors";
    conversion.request.vocab = folder + "vocab.txt";
    conversion.run();
    CHECK(*conversion.file.u64("kinglet.source.parameters") == 1533056);
    CHECK(conversion.file.array("tokenizer.ggml.tokens")->count() == 2235);
    CHECK(*conversion.file.u64("tokenizer.ggml.unknown_token_id") == 1);
    CHECK(*conversion.file.u64("tokenizer.ggml.padding_token_id") == 0);
  }
}

TEST_CASE("the three containers of a checkpoint give the same file, the source's hash aside") {
  for (const char* encoder : kEncoders) {
    CAPTURE(encoder);
    std::set<std::string> files, hashes;
    for (const char* container : kContainers) {
      HitutConversion conversion(encoder, container);
      conversion.run();
      std::string text = read_text(conversion.request.output);
      const std::string hash(*conversion.file.string("kinglet.source.sha256"));
      const std::size_t at = text.find(hash);
      REQUIRE(at != std::string::npos);
      files.insert(text.replace(at, hash.size(), 64, '0'));
      hashes.insert(hash);
    }
    CHECK(files.size() == 1);
    CHECK(hashes.size() == 3);
  }
}

TEST_CASE("every weight is kept to the last bit") {
  for (const char* encoder : kEncoders) {
    HitutConversion conversion(encoder);
    conversion.run();
    const Checkpoint checkpoint = read_checkpoint(conversion.request.input);
    for (const auto& [from, to, part] : names_of(encoder)) {
      const std::string& published = from;
      CAPTURE(published);
      const Tensor* tensor = checkpoint.find(from);
      REQUIRE(tensor != nullptr);
      CHECK(logical(conversion.file, to, part) == values_of<float>(*tensor));
    }
    std::vector<float> monitors, biases;
    for (const char* name : {"visible_monitor", "reached_monitor", "progress_monitor"}) {
      const auto row = values_of<float>(*checkpoint.find(std::string(name) + ".weight"));
      monitors.insert(monitors.end(), row.begin(), row.end());
      biases.push_back(values_of<float>(*checkpoint.find(std::string(name) + ".bias"))[0]);
    }
    CHECK(logical(conversion.file, "monitors.weight") == monitors);
    CHECK(logical(conversion.file, "monitors.bias") == biases);
  }
}

TEST_CASE(
    "what depends on the weights alone is computed: action embeddings, candidates, positions") {
  for (const char* encoder : kEncoders) {
    CAPTURE(encoder);
    HitutConversion conversion(encoder);
    conversion.run();
    const ModelFile& file = conversion.file;
    const Checkpoint checkpoint = read_checkpoint(conversion.request.input);
    const Checkpoint tables = read_checkpoint(conversion.request.tables);
    const auto words = logical(file, "token_embd.weight");
    const auto action_words = values_of<std::int64_t>(*tables.find("action_to_words"));
    const auto e = static_cast<std::size_t>(*file.u64("hitut.word_embedding_length"));
    const std::size_t each = action_words.size() / 127;
    std::vector<float> actions(127 * e);
    for (std::size_t a = 0; a < 127; ++a) {
      for (std::size_t w = 0; w < each; ++w) {
        const auto row = static_cast<std::size_t>(action_words[a * each + w]);
        for (std::size_t j = 0; j < e; ++j) actions[a * e + j] += words[row * e + j];
      }
    }
    CHECK(logical(file, "action_embd.weight") == actions);
    const std::pair<const char*, const char*> heads[] = {{"high_actions", "high_actions.weight"},
                                                         {"low_actions", "low_actions.weight"},
                                                         {"objs", "objects.weight"}};
    for (const auto& [table, stored] : heads) {
      std::vector<float> rows;
      for (const std::int64_t id : values_of<std::int64_t>(*tables.find(table))) {
        const auto at =
            actions.begin() + static_cast<std::ptrdiff_t>(id * static_cast<std::int64_t>(e));
        rows.insert(rows.end(), at, at + static_cast<std::ptrdiff_t>(e));
      }
      CHECK(logical(file, stored) == rows);
    }
    const bool scratch = std::string(encoder) == "scratch";
    const auto table = values_of<float>(*checkpoint.find(
        scratch ? "positional_emb.weight" : "encoder.embeddings.position_embeddings.weight"));
    const auto types = values_of<float>(*checkpoint.find(
        scratch ? "modality_emb.weight" : "encoder.embeddings.token_type_embeddings.weight"));
    const auto modality = values_of<std::int64_t>(*tables.find("modal_indicator"));
    const auto width = static_cast<std::size_t>(file.tensor("position_embd.weight")->shape[1]);
    const std::size_t offset = std::string(encoder) == "roberta" ? 2 : 0;
    std::vector<float> positions(modality.size() * width);
    for (std::size_t p = 0; p < modality.size(); ++p) {
      const std::size_t type = scratch ? static_cast<std::size_t>(modality[p]) : 0;
      for (std::size_t j = 0; j < width; ++j) {
        positions[p * width + j] = table[(p + offset) * width + j] + types[type * width + j];
      }
    }
    CHECK(logical(file, "position_embd.weight") == positions);
  }
}

TEST_CASE("an experiment's bare arguments with --heads and --eps give the same model") {
  for (const char* encoder : kEncoders) {
    CAPTURE(encoder);
    HitutConversion full(encoder), bare(encoder);
    full.run();
    bare.request.config = fixture(encoder, "exp_config.json");
    bare.request.heads = 4;
    bare.request.eps = *full.file.f64("hitut.attention.layer_norm_epsilon");
    bare.run();
    full.file.for_each_tensor([&](const TensorInfo& tensor) {
      const auto other = bare.file.tensor(tensor.name);
      REQUIRE(other.ok());
      CHECK(std::memcmp(other->data, tensor.data, static_cast<std::size_t>(tensor.nbytes)) == 0);
    });
    full.file.for_each_value([&](const GgufValue& value) {
      if (value.key == "hitut.action_names") return;  // only the full config has names
      CAPTURE(std::string(value.key));
      GgufValue other;
      REQUIRE(bare.file.find(value.key, other));
      REQUIRE(other.items.bytes().size() == value.items.bytes().size());
      CHECK(std::memcmp(other.items.bytes().data(), value.items.bytes().data(),
                        value.items.bytes().size()) == 0);
    });
    CHECK(says(bare.report, "assumed, as published"));
  }
}

TEST_CASE("id tables may come from the config") {
  const std::string folder = std::string(KINGLET_MODELS_DIR) + "/hitut6_small/";
  HitutConversion with("bert"), without("bert");
  for (HitutConversion* conversion : {&with, &without}) {
    conversion->request.input = folder + "model_best_seen.pth";
    conversion->request.config = folder + "config.json";
  }
  with.request.tables = folder + "tables.safetensors";
  with.run();
  without.request.tables = "";
  CHECK(says(without.error(), "no --tables given, and no config with action_to_words"));
  const Checkpoint tables = read_checkpoint(with.request.tables);
  without.edit_config([&](Json& root) {
    const auto words = values_of<std::int64_t>(*tables.find("action_to_words"));
    for (std::size_t a = 0; a < 127; ++a) {
      const auto row = words.begin() + static_cast<std::ptrdiff_t>(6 * a);
      root["action_to_words"].push_back(std::vector<std::int64_t>(row, row + 6));
    }
    root["high_action_ids"] = values_of<std::int64_t>(*tables.find("high_actions"));
    root["low_action_ids"] = values_of<std::int64_t>(*tables.find("low_actions"));
    root["argument_ids"] = values_of<std::int64_t>(*tables.find("objs"));
  });
  without.run();
  CHECK(read_text(with.request.output) == read_text(without.request.output));
}

TEST_CASE("copies of the word table that are equal count once, whatever names are there") {
  HitutConversion plain("roberta", "pth"), copied("roberta"), renamed("roberta");
  plain.run();
  copied.edit_weights([](auto& tensors) {
    for (const char* name : {"word_emb.weight", "action_emb.word_embedding.weight"}) {
      Tensor copy = named(tensors, "encoder.embeddings.word_embeddings.weight");
      copy.name = name;
      tensors.push_back(copy);
    }
  });
  copied.run();
  CHECK(*copied.file.u64("kinglet.source.parameters") == 87867);
  renamed.edit_weights([](auto& tensors) {
    named(tensors, "encoder.embeddings.word_embeddings.weight").name = "word_emb.weight";
  });
  renamed.run();
  CHECK(logical(renamed.file, "token_embd.weight") == logical(plain.file, "token_embd.weight"));
}

TEST_CASE("weights of other precisions are stored as float32, and it is said") {
  const std::string name = "vis_feat_to_emb.0.weight";
  HitutConversion conversion("bert");
  std::vector<std::uint16_t> halves(32 * 7);
  std::vector<double> doubles(32 * 7);
  float expected = 0;
  SUBCASE("float16") {
    halves.assign(halves.size(), 0xC100);
    conversion.edit_weights(
        [&](auto& t) { set_values(named(t, name), halves, DType::f16, "float16"); });
    expected = -2.5f;
  }
  SUBCASE("bfloat16") {
    halves.assign(halves.size(), 0x4020);
    conversion.edit_weights(
        [&](auto& t) { set_values(named(t, name), halves, DType::bf16, "bfloat16"); });
    expected = 2.5f;
  }
  SUBCASE("float64") {
    doubles.assign(doubles.size(), 0.1);
    conversion.edit_weights(
        [&](auto& t) { set_values(named(t, name), doubles, DType::f64, "float64"); });
    expected = 0.1f;
  }
  conversion.run();
  CHECK(logical(conversion.file, "vision_in.weight") == std::vector<float>(32 * 7, expected));
  CHECK(says(conversion.report, "note      1 tensors of "));
}
