#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <kinglet/io/model_file.hpp>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "conversion.hpp"
#include "safetensors_writer.hpp"
#include "tool_files.hpp"

using namespace kinglet;
using namespace kinglet::tools;
using kinglet::tests::BasicConversion;
using kinglet::tests::read_text;
using kinglet::tests::ScratchFolder;
using kinglet::tests::write_text;
using Json = nlohmann::json;

namespace {

constexpr const char* kEncoders[] = {"roberta", "bert", "albert", "scratch"};
constexpr const char* kContainers[] = {"pth", "legacy.pth", "safetensors"};

std::string fixture(const std::string& encoder, const std::string& file) {
  return std::string(KINGLET_TEST_DATA) + "/alfred/hitut_" + encoder + "/" + file;
}

struct Conversion : BasicConversion {
  explicit Conversion(const std::string& encoder, const std::string& container = "safetensors") {
    architecture = "hitut";
    request.input = fixture(encoder, "model_best_seen." + container);
    request.config = fixture(encoder, "config.json");
    request.tables = fixture(encoder, "tables.safetensors");
  }
  void edit_tables(const Edit& edit) { edit_tensors(request.tables, "tables.safetensors", edit); }
};

Tensor& named(std::vector<Tensor>& tensors, const std::string& name) {
  for (Tensor& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  FAIL("no tensor " << name);
  return tensors.front();
}

void drop(std::vector<Tensor>& tensors, const std::string& name) {
  tensors.erase(tensors.begin() + (&named(tensors, name) - tensors.data()));
}

/// A tensor over values that the caller keeps alive.
template <class T>
void set_values(Tensor& tensor, const std::vector<T>& values, DType dtype, const char* dtype_name) {
  tensor.dtype = dtype;
  tensor.dtype_name = dtype_name;
  tensor.item_size = sizeof(T);
  std::int64_t step = 1;
  tensor.stride.assign(tensor.shape.size(), 1);
  for (std::size_t i = tensor.shape.size(); i-- > 0; step *= tensor.shape[i]) {
    tensor.stride[i] = step;
  }
  REQUIRE(step == static_cast<std::int64_t>(values.size()));
  tensor.storage = reinterpret_cast<const unsigned char*>(values.data());
  tensor.storage_bytes = values.size() * sizeof(T);
  tensor.storage_offset = 0;
  tensor.storage_id = ~std::uint64_t{0};
}

template <class T>
std::vector<T> values_of(const Tensor& tensor) {
  std::vector<T> values(static_cast<std::size_t>(tensor.count()));
  REQUIRE(tensor.nbytes() == values.size() * sizeof(T));
  copy_dense(tensor, values.data());
  return values;
}

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

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("parameters are counted as the checkpoint's author counted them") {
  for (const char* encoder : kEncoders) {
    CAPTURE(encoder);
    Conversion conversion(encoder, "pth");
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
      Conversion conversion(encoder, container);
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
    Conversion conversion(encoder);
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
    Conversion conversion(encoder);
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
    Conversion full(encoder), bare(encoder);
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
    CHECK(contains(bare.report, "assumed, as published"));
  }
}

TEST_CASE("id tables may come from the config") {
  const std::string folder = std::string(KINGLET_MODELS_DIR) + "/hitut6_small/";
  Conversion with("bert"), without("bert");
  for (Conversion* conversion : {&with, &without}) {
    conversion->request.input = folder + "model_best_seen.pth";
    conversion->request.config = folder + "config.json";
  }
  with.request.tables = folder + "tables.safetensors";
  with.run();
  without.request.tables = "";
  CHECK(contains(without.error(), "no --tables given, and no config with action_to_words"));
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

TEST_CASE("a tensor that is missing, extra, mis-shaped or of the wrong kind is named") {
  const std::string query = "encoder.encoder.layer.1.attention.self.query.weight";
  Conversion conversion("bert");
  std::vector<float> floats;
  std::vector<std::int64_t> integers;
  std::string expected;
  SUBCASE("missing") {
    conversion.edit_weights([&](auto& tensors) { drop(tensors, query); });
    expected = "tensor '" + query + "': is missing";
  }
  SUBCASE("a whole layer is missing in between") {
    conversion.edit_weights([&](auto& tensors) {
      for (Tensor& tensor : tensors) {
        const std::size_t at = tensor.name.find("layer.1.");
        if (at != std::string::npos) tensor.name.replace(at, 8, "layer.2.");
      }
    });
    conversion.edit_config([](Json& root) { root["dims"]["layers"] = 1; });
    expected = "encoder.encoder.layer.2.";
  }
  SUBCASE("extra") {
    conversion.edit_weights([&](auto& tensors) {
      Tensor extra = named(tensors, query);
      extra.name = "adapter.weight";
      tensors.push_back(extra);
    });
    expected = "tensor 'adapter.weight': has no place in this model (shape [32, 32])";
  }
  SUBCASE("shape") {
    floats.assign(32 * 31, 0.0f);
    conversion.edit_weights([&](auto& tensors) {
      named(tensors, query).shape = {32, 31};
      set_values(named(tensors, query), floats, DType::f32, "float32");
    });
    expected = "tensor '" + query + "': has the shape [32, 31], needed is [32, 32]";
  }
  SUBCASE("rank of a tensor that gives a size") {
    conversion.edit_weights([&](auto& tensors) {
      Tensor& table = named(tensors, "encoder.embeddings.position_embeddings.weight");
      table.shape.push_back(1);
      table.stride.push_back(1);
    });
    expected = "'encoder.embeddings.position_embeddings.weight': has the shape [40, 32, 1]";
  }
  SUBCASE("too few positions") {
    floats.assign(20 * 32, 0.0f);
    conversion.edit_weights([&](auto& tensors) {
      Tensor& table = named(tensors, "encoder.embeddings.position_embeddings.weight");
      table.shape[0] = 20;
      set_values(table, floats, DType::f32, "float32");
    });
    expected = "position_embeddings.weight': has the shape [20, 32], needed is [26, 32]";
  }
  SUBCASE("integers") {
    integers.assign(32 * 32, 1);
    conversion.edit_weights(
        [&](auto& tensors) { set_values(named(tensors, query), integers, DType::s64, "int64"); });
    expected = "tensor '" + query + "': holds int64";
  }
  SUBCASE("not a number") {
    floats.assign(32 * 32, 0.0f);
    floats[700] = std::numeric_limits<float>::quiet_NaN();
    conversion.edit_weights(
        [&](auto& tensors) { set_values(named(tensors, query), floats, DType::f32, "float32"); });
    expected = "tensor '" + query + "': holds a NaN or an infinity";
  }
  SUBCASE("copies of the word table that differ") {
    floats.assign(209 * 32, 0.5f);
    conversion.edit_weights([&](auto& tensors) {
      Tensor copy = named(tensors, "encoder.embeddings.word_embeddings.weight");
      copy.name = "word_emb.weight";
      set_values(copy, floats, DType::f32, "float32");
      tensors.push_back(copy);
    });
    expected = "'word_emb.weight': differs from 'encoder.embeddings.word_embeddings.weight'";
  }
  SUBCASE("no encoder at all") {
    conversion.edit_weights([&](auto& tensors) { tensors.resize(1); });
    expected = "encoder: no tensors of a HiTUT encoder";
  }
  const std::string error = conversion.error();
  CAPTURE(error);
  CHECK(contains(error, expected));
}

TEST_CASE("copies of the word table that are equal count once, whatever names are there") {
  Conversion plain("roberta", "pth"), copied("roberta"), renamed("roberta");
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
  Conversion conversion("bert");
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
  CHECK(contains(conversion.report, "note      1 tensors of "));
}

TEST_CASE("a float64 weight too large for float32 is an error") {
  Conversion conversion("bert");
  std::vector<double> doubles(32 * 7, 1e300);
  conversion.edit_weights([&](auto& t) {
    set_values(named(t, "vis_feat_to_emb.0.weight"), doubles, DType::f64, "float64");
  });
  CHECK(contains(conversion.error(), "'vis_feat_to_emb.0.weight': holds a NaN or an infinity"));
}

TEST_CASE("id tables are checked against what they point into") {
  Conversion conversion("bert");
  const Checkpoint original = read_checkpoint(conversion.request.tables);
  std::vector<std::int64_t> ids;
  std::string expected;
  const auto replace = [&](const char* name, std::size_t at, std::int64_t id) {
    ids = values_of<std::int64_t>(*original.find(name));
    ids[at] = id;
    conversion.edit_tables(
        [&](auto& tensors) { set_values(named(tensors, name), ids, DType::s64, "int64"); });
  };
  SUBCASE("word beyond the vocabulary") {
    replace("action_to_words", 5, 209);
    expected = "action_to_words: holds the id 209, but there are only 209";
  }
  SUBCASE("negative word") {
    replace("action_to_words", 5, -1);
    expected = "tensor 'action_to_words': -1 is not an id";
  }
  SUBCASE("word of 64 bits") {
    replace("action_to_words", 5, (std::int64_t{1} << 32) + 3);
    expected = "4294967299 is not an id";
  }
  SUBCASE("action beyond the vocabulary") {
    replace("low_actions", 12, 127);
    expected = "low_actions: holds the id 127, but there are only 127";
  }
  SUBCASE("object beyond the vocabulary") {
    replace("objs", 0, 5000);
    expected = "objects: holds the id 5000";
  }
  SUBCASE("kinds of positions in another order") {
    replace("modal_indicator", 1, 2);
    expected = "modal_indicator: is not [CLS], vision, words, history";
  }
  SUBCASE("a table is missing") {
    conversion.edit_tables([](auto& tensors) { drop(tensors, "objs"); });
    expected = "tensor 'objs': is missing";
  }
  SUBCASE("an empty table") {
    conversion.edit_tables([](auto& tensors) { named(tensors, "high_actions").shape = {0}; });
    expected = "high_actions: has 0 entries";
  }
  SUBCASE("another rank") {
    conversion.edit_tables([](auto& tensors) {
      Tensor& table = named(tensors, "objs");
      table.shape = {106, 1};
      table.stride = {1, 1};
    });
    expected = "tensor 'objs': has the shape [106, 1]";
  }
  SUBCASE("not integers") {
    static const std::vector<float> floats(106);
    conversion.edit_tables(
        [](auto& tensors) { set_values(named(tensors, "objs"), floats, DType::f32, "float32"); });
    expected = "tensor 'objs': holds float32, not ids";
  }
  const std::string error = conversion.error();
  CAPTURE(error);
  CHECK(contains(error, expected));
}

TEST_CASE("what nothing tells is asked for, and what does not agree is refused") {
  struct Wrong {
    const char* encoder;
    std::function<void(Json&)> edit;
    const char* expected;
  };
  const auto experiment = [](const char* key, const Json& value) {
    return [=](Json& root) { root["exp_config"][key] = value; };
  };
  const Wrong cases[] = {
      {"roberta", [](Json& root) { root["dims"].erase("heads"); }, "give --heads N"},
      {"roberta", [](Json& root) { root["dims"]["heads"] = 3; }, "3 heads do not divide"},
      {"roberta", [](Json& root) { root["dims"]["heads"] = "4"; }, "dims.heads: is not a usable"},
      {"roberta", [](Json& root) { root["dims"]["hidden"] = 48; }, "dims.hidden: is 48, but"},
      {"roberta", [](Json& root) { root["dims"]["layers"] = 6; }, "dims.layers: is 6, but"},
      {"roberta", [](Json& root) { root["dims"]["vis_len"] = 10; }, "do not agree"},
      {"roberta", [](Json& root) { root.erase("layer_norm_eps"); }, "give --eps X"},
      {"roberta", [](Json& root) { root["layer_norm_eps"]["encoder"] = -1; },
       "layer_norm_eps.encoder: is not a positive number"},
      {"roberta", [](Json& root) { root["activation"] = "swish"; }, "'swish' is not supported"},
      {"roberta", [](Json& root) { root["vocab"]["action_vocab"].erase(0); }, "126 names for 127"},
      {"roberta", [](Json& root) { root["exp_config"].erase("pred_head_pos"); },
       "pred_head_pos: is not known"},
      {"roberta", experiment("pred_head_pos", "middle"), "is neither cls nor sep"},
      {"roberta", experiment("disable_feat_vis", true), "disable_feat_vis: a model trained so"},
      {"roberta", experiment("bert_model", "bert"), "looks like roberta (1 token types)"},
      {"roberta", experiment("bert_model", "albert"), "looks like roberta"},
      {"roberta", experiment("bert_model", "xlnet"), "is no encoder of HiTUT"},
      {"roberta", experiment("use_bert", false), "use_bert: does not agree with the encoder"},
      {"scratch", experiment("use_bert", true), "use_bert: does not agree with the encoder"},
      {"albert", experiment("enable_feat_posture", true), "is not possible with ALBERT"},
      {"albert",
       [](Json& root) {
         root["dims"].erase("layers");
         root["exp_config"]["hidden_dim"] = 512;
       },
       "give --layers N"},
      {"scratch", experiment("enable_feat_vis_his", "yes"), "is neither true nor false"},
  };
  for (const Wrong& wrong : cases) {
    Conversion conversion(wrong.encoder);
    conversion.edit_config(wrong.edit);
    const std::string error = conversion.error();
    CAPTURE(error);
    CHECK_MESSAGE(contains(error, wrong.expected), wrong.expected);
  }
  Conversion broken("bert");
  broken.request.config = broken.scratch.file("broken.json");
  write_text(broken.request.config, "{\"dims\": ");
  CHECK(contains(broken.error(), "broken.json: JSON: "));
}

TEST_CASE("sizes in an experiment's arguments do not count for a pretrained encoder") {
  Conversion conversion("bert");
  conversion.edit_config([](Json& root) {
    for (const char* key :
         {"inner_dim", "hidden_dim", "enc_layer_num", "head_num", "emb_dim", "topk_objs"}) {
      root["exp_config"][key] = 77;
    }
  });
  conversion.run();
  CHECK(contains(conversion.report, "topk_objs names other parts of the sequence"));
  CHECK(*conversion.file.u64("hitut.vision_length") == 7);
  CHECK(*conversion.file.u64("hitut.attention.head_count") == 4);
  CHECK(*conversion.file.u64("hitut.feed_forward_length") == 80);
  CHECK(*conversion.file.u64("hitut.block_count") == 2);
}

TEST_CASE("features that are switched off are left out, and it is said") {
  Conversion conversion("scratch");
  conversion.edit_config([](Json& root) {
    root["exp_config"]["enable_feat_posture"] = false;
    root["exp_config"]["enable_feat_vis_his"] = false;
    root["exp_config"]["auxiliary_loss_navi"] = false;
    root["exp_config"]["pred_head_pos"] = "sep";
  });
  conversion.run();
  CHECK_FALSE(*conversion.file.boolean("hitut.posture"));
  CHECK_FALSE(*conversion.file.boolean("hitut.history_vision"));
  CHECK_FALSE(*conversion.file.boolean("hitut.navigation_monitors"));
  CHECK(*conversion.file.string("hitut.pred_head_pos") == "sep");
  for (const char* name : {"rotation_embd.weight", "history_in.weight", "monitors.weight"}) {
    CHECK_FALSE(conversion.file.tensor(name).ok());
  }
  for (const char* name : {"rotation_emb.weight", "vis_his_to_enc_input.0.weight", "pos_ln.bias",
                           "visible_monitor.weight"}) {
    CHECK(contains(conversion.report, name));
  }
  Conversion unused("bert");
  unused.run();
  for (const char* name : {"arg_head.weight", "high_head.bias", "low_head.weight",
                           "encoder.pooler.dense.weight", "encoder.embeddings.position_ids",
                           "vis_his_to_enc_input.weight", "token_type_embeddings.weight"}) {
    CHECK(contains(unused.report, name));
  }
}

TEST_CASE("without a config that tells them apart, token types tell RoBERTa from BERT") {
  for (const char* encoder : {"roberta", "bert"}) {
    Conversion conversion(encoder);
    conversion.edit_config([](Json& root) { root["exp_config"].erase("bert_model"); });
    conversion.run();
    CHECK(*conversion.file.string("hitut.encoder") == encoder);
  }
  Conversion unclear("bert");
  std::vector<float> types(3 * 32);
  unclear.edit_weights([&](auto& tensors) {
    Tensor& table = named(tensors, "encoder.embeddings.token_type_embeddings.weight");
    table.shape[0] = 3;
    set_values(table, types, DType::f32, "float32");
  });
  unclear.edit_config([](Json& root) { root["exp_config"].erase("bert_model"); });
  CHECK(contains(unclear.error(), "bert_model: is not known"));
}

TEST_CASE("ALBERT's layers may be given, and are stored once") {
  Conversion conversion("albert");
  conversion.request.layers = 7;
  conversion.run();
  CHECK(*conversion.file.u64("hitut.block_count") == 7);
  CHECK(*conversion.file.u64("hitut.stored_block_count") == 1);
  CHECK_FALSE(conversion.file.tensor("blk.1.ffn_up.weight").ok());
}

TEST_CASE("a vocabulary must fit the word table") {
  Conversion conversion("bert");
  conversion.request.vocab = conversion.scratch.file("vocab.txt");
  std::string lines = "[PAD]\n[UNK]\r\n";
  for (int i = 2; i < 209; ++i) lines += "word" + std::to_string(i) + "\n";
  write_text(conversion.request.vocab, lines);
  conversion.run();
  CHECK(*conversion.file.array("tokenizer.ggml.tokens")->string(1) == "[UNK]");
  CHECK(*conversion.file.array("tokenizer.ggml.tokens")->string(208) == "word208");
  std::filesystem::remove(conversion.request.output);
  write_text(conversion.request.vocab, lines + "more\n");
  CHECK(contains(conversion.error(), "210 lines for a word table of 209 rows"));
  write_text(conversion.request.vocab, "[pad]" + lines.substr(5));
  CHECK(contains(conversion.error(), "has no line '[PAD]'"));
  Conversion other("roberta");
  other.request.vocab = conversion.request.vocab;
  CHECK(contains(other.error(), "roberta has no word pieces"));
}

TEST_CASE("the output may not be an input, and an unknown architecture is an error") {
  Conversion conversion("bert");
  conversion.edit_weights([](auto&) {});
  const std::string before = read_text(conversion.request.input);
  conversion.request.output = conversion.request.input;
  std::ostringstream report;
  CHECK_THROWS_AS(convert("hitut", conversion.request, report), FileError);
  CHECK(read_text(conversion.request.input) == before);
  CHECK_THROWS(convert("gpt", conversion.request, report));
}
