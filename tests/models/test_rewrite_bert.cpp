// prune-vocab and keep-layers on a masked LM, whose decoder has a row a word.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "checkpoint.hpp"
#include "convert_plan.hpp"
#include "file_error.hpp"
#include "models/hitut_fixture.hpp"
#include "rewrite.hpp"

namespace {

using namespace kinglet;
using namespace kinglet::test;
using tools::ModelEdit;
using tools::Values;

constexpr int kVocab = 37, kHidden = 8, kInner = 12, kLayers = 3;

tools::FillRows made_up(int k, int seed) {
  return [k, seed](std::int64_t first, std::int64_t count, float* out) {
    for (std::int64_t r = first; r < first + count; ++r)
      for (int c = 0; c < k; ++c)
        *out++ = static_cast<float>((r * 31 + c * 17 + seed * 7) % 23 - 11) / 16.0f;
  };
}

/// A BERT of made-up numbers; tied: its decoder is the word table.
std::string masked_lm(bool tied) {
  tools::TensorPlan plan;
  const auto linear = [&](const std::string& name, int n, int k, int parts = 1) {
    plan.matrix(name + ".weight", parts, n, k, made_up(k, n));
    plan.bias(name + ".bias", parts, n, made_up(1, k));
  };
  const auto norm = [&](const std::string& name) {
    plan.vector(name + ".weight", kHidden, made_up(1, 3));
    plan.vector(name + ".bias", kHidden, made_up(1, 4));
  };
  if (tied) {
    linear("token_embd", kVocab, kHidden);
  } else {
    plan.table("token_embd.weight", kVocab, kHidden, made_up(kHidden, 1));
    linear("masked_lm", kVocab, kHidden);
  }
  plan.table("position_embd.weight", 10, kHidden, made_up(kHidden, 2));
  norm("token_embd_norm");
  for (int l = 0; l < kLayers; ++l) {
    const std::string at = "blk." + std::to_string(l) + ".";
    linear(at + "attn_qkv", kHidden, kHidden, 3);
    linear(at + "attn_output", kHidden, kHidden);
    norm(at + "attn_output_norm");
    linear(at + "ffn_up", kInner, kHidden);
    linear(at + "ffn_down", kHidden, kInner);
    norm(at + "layer_output_norm");
  }
  linear("masked_lm_in", kHidden, kHidden);
  norm("masked_lm_norm");

  const std::string path = temporary_file(tied ? "tied.gguf" : "untied.gguf");
  tools::OutputFile out(path);
  tools::GgufWriter file(out, "bert");
  file.add_u32("bert.block_count", kLayers);
  file.add_u32("bert.stored_block_count", kLayers);
  file.add_u32("bert.embedding_length", kHidden);
  file.add_u32("bert.word_embedding_length", kHidden);
  file.add_u32("bert.feed_forward_length", kInner);
  file.add_u32("bert.attention.head_count", 2);
  file.add_f32("bert.attention.layer_norm_epsilon", 1e-5f);
  file.add_string("bert.activation", "gelu");
  file.add_string("bert.masked_lm.activation", "gelu");
  file.add_u32("bert.position_count", 10);
  file.add_u32("bert.vocab_size", kVocab);
  file.add_u32("bert.token_type_count", 0);
  file.add_u32("bert.label_count", 0);
  file.add_bool("bert.positions_from_ids", false);
  file.add_u32("tokenizer.ggml.padding_token_id", 0);
  file.add_u32("tokenizer.ggml.unknown_token_id", 2);
  plan.add_panel_values(file);
  plan.write(file, nullptr);
  out.commit();
  return path;
}

constexpr std::int64_t kIds[] = {5, 30, 11, 5, 36, 7, 2, 11};

std::vector<Values> run(const ModelEdit& edit) {
  tools::MemorySink memory("edited");
  edit.write(memory);
  tools::Checkpoint samples;
  samples.path = "samples";
  tools::Tensor ids;
  ids.name = "in.input_ids";
  ids.dtype = DType::s64;
  ids.dtype_name = "int64";
  ids.item_size = 8;
  ids.shape = {2, 4};
  ids.stride = {4, 1};
  ids.storage = reinterpret_cast<const unsigned char*>(kIds);
  ids.storage_bytes = sizeof kIds;
  samples.tensors.push_back(ids);
  return tools::open_model(memory.bytes(), "edited")->run_samples(samples, 0);
}

}  // namespace

TEST_CASE("a pruned masked LM predicts the kept words as the whole one does, bit by bit") {
  for (const bool tied : {false, true}) {
    for (const bool int8 : {false, true}) {
      CAPTURE(tied);
      CAPTURE(int8);
      ModelEdit edit(masked_lm(tied));
      if (int8) {
        const auto quantized = [&](const char* name) {
          return tools::quantize_rows(edit.tensor(name).is_table() ? edit.table(name)
                                                                   : edit.matrix(name));
        };
        if (tied) {
          edit.put_matrix_s8("token_embd.weight", quantized("token_embd.weight"));
        } else {
          edit.put_table_s8("token_embd.weight", quantized("token_embd.weight"));
          edit.put_matrix_s8("masked_lm.weight", quantized("masked_lm.weight"));
        }
      }
      const std::vector<Values> whole = run(edit);
      tools::prune_vocabulary(edit, {5, 30, 11, 36, 7});
      const std::vector<std::uint32_t> kept = edit.numbers("kinglet.vocab.kept");
      CHECK(kept == std::vector<std::uint32_t>{0, 2, 5, 7, 11, 30, 36});
      const std::vector<Values> pruned = run(edit);
      REQUIRE(whole.size() == pruned.size());
      for (std::size_t i = 0; i < whole.size(); ++i) {
        REQUIRE(whole[i].shape.back() == kVocab);
        REQUIRE(pruned[i].shape.back() == static_cast<std::int64_t>(kept.size()));
        for (std::size_t j = 0; j < pruned[i].numbers.size(); ++j) {
          const std::size_t row = j / kept.size();
          const double wanted = whole[i].numbers[row * kVocab + kept[j % kept.size()]];
          CHECK(pruned[i].numbers[j] == wanted);
        }
      }
      // once more, with fewer words: the list goes on to name words of the whole vocabulary
      tools::prune_vocabulary(edit, {30});
      CHECK(edit.numbers("kinglet.vocab.kept") == std::vector<std::uint32_t>{0, 2, 30});
      run(edit);
      tools::keep_layers(edit, {2, 0});
      run(edit);
      // ids without a map are rows, which a pruned table has not
      ModelEdit unmapped = edit;
      unmapped.remove_value("kinglet.vocab.map");
      CHECK_THROWS_AS(run(unmapped), tools::FileError);
      // what is kept must be what is stored
      edit.set_u32s("kinglet.vocab.kept", {0, 2});
      CHECK_THROWS_AS(run(edit), tools::FileError);
      edit.set_u32s("kinglet.vocab.kept", {});
      CHECK_THROWS_AS(run(edit), tools::FileError);
    }
  }
}

TEST_CASE("heads of early exit stay with the layer they read") {
  ModelEdit edit(masked_lm(false));
  for (int l = 0; l < kLayers; ++l)
    edit.put_bias("exit." + std::to_string(l) + ".bias", {static_cast<float>(l)});
  edit.put_bias("exit.bias", {7});
  tools::keep_layers(edit, {2, 0});
  CHECK(edit.vector("exit.0.bias") == std::vector<float>{2});
  CHECK(edit.vector("exit.1.bias") == std::vector<float>{0});
  CHECK(edit.find_tensor("exit.2.bias") == nullptr);
  CHECK(edit.vector("exit.bias") == std::vector<float>{7});
}

TEST_CASE("the word table beside a decoder of its own is factorised, a shared one is not") {
  ModelEdit edit(masked_lm(false));
  const std::vector<Values> whole = run(edit);
  tools::factorize_words(edit, kHidden, 0);
  const std::vector<Values> factors = run(edit);
  REQUIRE(whole.size() == factors.size());
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (std::size_t j = 0; j < whole[i].numbers.size(); ++j)
      CHECK(std::abs(whole[i].numbers[j] - factors[i].numbers[j]) < 1e-4);
  ModelEdit tied(masked_lm(true));
  CHECK_THROWS_AS(tools::factorize_words(tied, kHidden, 0), tools::FileError);
}
