// keep-layers, prune-vocab and factorize: what they leave is what the model was.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "checkpoint.hpp"
#include "corpus.hpp"
#include "file_error.hpp"
#include "models/hitut_fixture.hpp"
#include "nan.hpp"
#include "rewrite.hpp"

namespace {

using namespace kinglet;
using namespace kinglet::test;
using tools::FileError;
using tools::ModelEdit;
using tools::Values;

const std::string kGoldens = KINGLET_TEST_DATA "/alfred/hitut_";

/// The edited model, in memory.
struct Edited {
  explicit Edited(const ModelEdit& edit) : memory("edited") { edit.write(memory); }
  std::unique_ptr<tools::ModelSession> open() const {
    return tools::open_model(memory.bytes(), "edited");
  }
  tools::MemorySink memory;
};

std::vector<std::uint32_t> words_of(const std::string& golden) {
  tools::Corpus corpus;
  tools::read_corpus(golden, 1u << 30, {}, corpus);
  return {corpus.ids.begin(), corpus.ids.end()};
}

/// Largest distance between two runs, which give the same outputs, relative to the largest number
/// of each.
double distance(const std::vector<Values>& a, const std::vector<Values>& b) {
  double largest = 0;
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(a[i].name == b[i].name);
    REQUIRE(a[i].shape == b[i].shape);
    double scale = 1e-30;
    for (const double x : a[i].numbers) scale = std::max(scale, std::abs(x));
    for (std::size_t j = 0; j < a[i].numbers.size(); ++j)
      largest = tools::max_or_nan(largest, std::abs(a[i].numbers[j] - b[i].numbers[j]) / scale);
  }
  return largest;
}

bool same_tensors(const ModelEdit& a, const ModelEdit& b) {
  return std::equal(a.tensors().begin(), a.tensors().end(), b.tensors().begin(), b.tensors().end(),
                    [](const ModelEdit::Tensor& x, const ModelEdit::Tensor& y) {
                      return x.name == y.name && x.type == y.type && x.shape == y.shape &&
                             x.bytes.size() == y.bytes.size() &&
                             std::memcmp(x.bytes.data(), y.bytes.data(), x.bytes.size()) == 0;
                    });
}

}  // namespace

TEST_CASE("a model with all its layers kept has the same tensors, byte for byte") {
  const ModelEdit before(trained_model());
  ModelEdit edit(trained_model());
  tools::keep_layers(edit, {0, 1, 2, 3, 4, 5});
  CHECK(same_tensors(before, edit));
  CHECK(edit.number("hitut.block_count") == 6);
  CHECK(edit.text("kinglet.recipe") == "convert hitut; keep-layers 0,1,2,3,4,5");
}

TEST_CASE("kept layers run in the order asked for, under new numbers, int8 attention with them") {
  const ModelEdit before(trained_model());
  ModelEdit edit(trained_model());
  edit.set_u32s("hitut.attention.s8_layers", {0, 2, 4});
  tools::keep_layers(edit, {4, 1, 2});
  CHECK(edit.number("hitut.block_count") == 3);
  CHECK(edit.number("hitut.stored_block_count") == 3);
  // the last layer shows its probabilities: its attention is never int8
  CHECK(edit.numbers("hitut.attention.s8_layers") == std::vector<std::uint32_t>{0});
  CHECK(edit.find_tensor("blk.3.ffn_up.weight") == nullptr);
  const char* from[] = {"blk.4.", "blk.1.", "blk.2."};
  for (int i = 0; i < 3; ++i) {
    const std::string to = "blk." + std::to_string(i) + ".";
    for (const char* name : {"attn_qkv.weight", "ffn_down.bias", "layer_output_norm.weight"}) {
      const Bytes a = before.tensor(from[i] + std::string(name)).bytes;
      const Bytes b = edit.tensor(to + name).bytes;
      CHECK(a.data() != nullptr);
      CHECK(std::memcmp(a.data(), b.data(), a.size()) == 0);
    }
  }
  const auto samples = tools::read_checkpoint(KINGLET_MODELS_DIR "/hitut6_small/eval.safetensors");
  CHECK(!Edited(edit).open()->run_samples(samples, 2).empty());

  // again, now without any layer of int8 attention
  tools::keep_layers(edit, {1, 0});
  CHECK(edit.find_value("hitut.attention.s8_layers") == nullptr);
  CHECK(Edited(edit).open()->file().u64("hitut.block_count").value_or(0) == 2);
}

TEST_CASE("layers that share their weights stay stored once and run less often") {
  ModelEdit edit(hitut_model("albert"));
  const ModelEdit before(hitut_model("albert"));
  tools::keep_layers(edit, {1});
  CHECK(same_tensors(before, edit));
  CHECK(edit.number("hitut.block_count") == 1);
  CHECK(edit.number("hitut.stored_block_count") == 1);
  Edited(edit).open();
}

TEST_CASE("a run of stored layers keeps those that it still runs") {
  ModelEdit edit(trained_model());
  edit.set_u32("hitut.block_count", 8);
  edit.set_u32s("hitut.block_order", {0, 0, 1, 2, 3, 4, 5, 5});
  tools::keep_layers(edit, {7, 2, 6});
  CHECK(edit.numbers("hitut.block_order") == std::vector<std::uint32_t>{0, 1, 0});
  CHECK(edit.number("hitut.stored_block_count") == 2);
  CHECK(edit.find_tensor("blk.2.ffn_up.weight") == nullptr);
}

TEST_CASE("layers that are not there, none, or one twice are refused") {
  ModelEdit edit(trained_model());
  for (const std::vector<int>& layers : {std::vector<int>{6}, {-1}, {}, {0, 1, 0}})
    CHECK_THROWS_AS(tools::keep_layers(edit, layers), FileError);
  edit.set_u32("hitut.block_count", 4000000000u);
  CHECK_THROWS_AS(tools::keep_layers(edit, {0}), FileError);
  edit.set_u32("hitut.block_count", 7);
  CHECK_THROWS_AS(tools::keep_layers(edit, {0}), FileError);
}

TEST_CASE("a pruned vocabulary gives the outputs of the whole one on its corpus, bit by bit") {
  for (const char* encoder : kEncoders) {
    for (const bool int8 : {false, true}) {
      CAPTURE(encoder);
      CAPTURE(int8);
      const std::string golden = kGoldens + encoder + "/golden_high_b3.safetensors";
      const auto samples = tools::read_checkpoint(golden);
      ModelEdit edit(hitut_model(encoder));
      if (int8)
        edit.put_table_s8("token_embd.weight",
                          tools::quantize_rows(edit.table("token_embd.weight")));
      const auto wanted = Edited(edit).open()->run_golden(samples);
      const std::uint64_t before = edit.file_bytes();
      const tools::PruneResult result = tools::prune_vocabulary(edit, words_of(golden));
      CHECK(result.rows < result.rows_before);
      CHECK(edit.tensor("token_embd.weight").shape[0] == result.rows);
      CHECK(edit.file_bytes() < before + 4 * result.rows_before);
      CHECK(distance(wanted, Edited(edit).open()->run_golden(samples)) == 0);

      // the same once more, and with other words after it
      const ModelEdit once = edit;
      tools::prune_vocabulary(edit, words_of(golden));
      CHECK(same_tensors(once, edit));
      CHECK(once.numbers("kinglet.vocab.map") == edit.numbers("kinglet.vocab.map"));
      tools::prune_vocabulary(edit, {words_of(golden).front()});
      CHECK(edit.tensor("token_embd.weight").shape[0] <= 2);
      Edited(edit).open()->run_golden(samples);
    }
  }
}

TEST_CASE("words that are left out become the unknown one; ids stay those of the vocabulary") {
  ModelEdit edit(trained_model());
  const auto unknown = static_cast<std::uint32_t>(edit.number("tokenizer.ggml.unknown_token_id"));
  const tools::PruneResult result = tools::prune_vocabulary(edit, {40, 7, 40});
  CHECK(result.unknown_named);
  CHECK(result.rows == 6);  // 7, 40, [PAD], [UNK], [CLS], [SEP]
  const std::vector<std::uint32_t> map = edit.numbers("kinglet.vocab.map");
  CHECK(map.size() == 2235);
  CHECK(map[7] == 4);
  CHECK(map[40] == 5);
  CHECK(map[41] == map[unknown]);
  CHECK(edit.number("hitut.vocab_size") == 2235);
  CHECK(edit.texts("tokenizer.ggml.tokens").size() == 2235);
  CHECK_THROWS_AS(tools::prune_vocabulary(edit, {2235}), FileError);
  CHECK_THROWS_AS(tools::prune_vocabulary(edit, {7}, 2235), FileError);
}

TEST_CASE("a map that does not fit the vocabulary is refused when the model is bound") {
  const auto opens = [](const ModelEdit& edit) { return Edited(edit).open(); };
  ModelEdit edit(hitut_model("bert"));
  tools::prune_vocabulary(edit, {1, 2, 3});
  const std::vector<std::uint32_t> map = edit.numbers("kinglet.vocab.map");
  opens(edit);
  std::vector<std::uint32_t> wrong = map;
  wrong.back() = 4;
  edit.set_u32s("kinglet.vocab.map", wrong);
  CHECK_THROWS_AS(opens(edit), FileError);
  wrong.pop_back();
  edit.set_u32s("kinglet.vocab.map", wrong);
  CHECK_THROWS_AS(opens(edit), FileError);
  edit.set_u32("kinglet.vocab.map", 0);
  CHECK_THROWS_AS(opens(edit), FileError);
  edit.remove_value("kinglet.vocab.map");
  CHECK_THROWS_AS(opens(edit), FileError);
}

TEST_CASE("factors of the full rank give the model's outputs within float rounding") {
  for (const char* encoder : kEncoders) {
    CAPTURE(encoder);
    const auto samples =
        tools::read_checkpoint(kGoldens + encoder + "/golden_low_mani_b3.safetensors");
    ModelEdit edit(hitut_model(encoder));
    const int width = edit.table("token_embd.weight").k;
    const auto wanted = Edited(edit).open()->run_golden(samples);
    const tools::FactorizeResult result = tools::factorize_words(edit, width, 0);
    CHECK(result.error < 1e-6);
    CHECK(result.worst_cosine > 1 - 1e-6);
    CHECK(distance(wanted, Edited(edit).open()->run_golden(samples)) < 1e-4);

    // pruned after it, as before it
    const auto golden = kGoldens + encoder + "/golden_low_mani_b3.safetensors";
    const auto whole = Edited(edit).open()->run_golden(samples);
    tools::prune_vocabulary(edit, words_of(golden));
    CHECK(distance(whole, Edited(edit).open()->run_golden(samples)) == 0);
  }
}

TEST_CASE("a rank is chosen by the energy it keeps; what is lost is reported") {
  ModelEdit edit(trained_model());
  const tools::FactorizeResult half = tools::factorize_words(edit, 0, 0.5);
  CHECK(half.rank >= 1);
  CHECK(half.rank < 128);
  CHECK(half.energy >= 0.5);
  CHECK(half.error == doctest::Approx(std::sqrt(1 - half.energy)).epsilon(1e-4));
  CHECK(edit.tensor("token_embd.weight").shape ==
        std::vector<std::uint64_t>{2235, static_cast<std::uint64_t>(half.rank)});
  CHECK(edit.matrix("token_embd_factor.weight").k == half.rank);

  // the product has that rank: factors of the same rank lose nothing more
  const tools::FactorizeResult again = tools::factorize_words(edit, half.rank, 0);
  CHECK(again.error < 1e-6);
  CHECK(again.width == 128);
  const tools::FactorizeResult smaller = tools::factorize_words(edit, 3, 0);
  CHECK(smaller.error > 0.1);
  Edited(edit).open();
  for (const int rank : {-1, 129})
    CHECK_THROWS_AS(tools::factorize_words(edit, rank, 0), FileError);
}

TEST_CASE("an int8 table stays int8 when it is factorised") {
  ModelEdit edit(trained_model());
  edit.put_table_s8("token_embd.weight", tools::quantize_rows(edit.table("token_embd.weight")));
  const tools::FactorizeResult result = tools::factorize_words(edit, 128, 0);
  CHECK(edit.tensor("token_embd.weight").is_s8());
  CHECK(result.error < 0.02);
  Edited(edit).open();
}

TEST_CASE("tables that hold what is no number, or decode too, are not factorised") {
  ModelEdit edit(trained_model());
  tools::DenseMatrix table = edit.table("token_embd.weight");
  edit.put_matrix("token_embd.weight", table);
  CHECK_THROWS_AS(tools::factorize_words(edit, 4, 0), FileError);
  edit.remove_tensor("token_embd.weight");
  CHECK_THROWS_AS(tools::factorize_words(edit, 4, 0), FileError);
  table.values[17] = std::nanf("");
  edit.put_table("token_embd.weight", table);
  CHECK_THROWS_AS(tools::factorize_words(edit, 4, 0), FileError);
}
