// The example programs with models of unusual sizes.
#include <doctest/doctest.h>

#include "model_edit.hpp"
#include "tool_files.hpp"

namespace {

using namespace kinglet::tests;
using kinglet::tools::ModelEdit;

/// Is the example there, and may it keep what it allocates until its end, as on a device?
bool can_run(const std::string& program) {
  ::setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
  if (std::filesystem::exists(program_path(program))) return true;
  say_skipped(program + " with unusual models: the examples were not built");
  return false;
}

}  // namespace

TEST_CASE("sentence_embedding refuses a model with no position for a word") {
  if (!can_run("sentence_embedding")) return;
  const ScratchFolder scratch;
  const std::string bert = KINGLET_TEST_DATA "/zoo/bert-seqcls", model = scratch.file("bert.gguf");
  REQUIRE(run_weights({"convert", bert + "/pytorch_model.oldnames.bin", "--config",
                       bert + "/config.json", "--vocab", bert + "/vocab.txt", "-o", model},
                      scratch)
              .code == 0);
  for (int positions = 1; positions <= 3; ++positions) {
    CAPTURE(positions);
    ModelEdit edit(model);
    auto table = edit.table("position_embd.weight");
    table.n = positions;
    table.values.resize(static_cast<std::size_t>(positions) * static_cast<std::size_t>(table.k));
    edit.put_table("position_embd.weight", table);
    edit.set_u32("bert.position_count", static_cast<std::uint32_t>(positions));
    const std::string small = scratch.file("small.gguf");
    edit.save(small);
    const Ran ran = run_program("sentence_embedding", {small, "the cat", "a dog"}, scratch);
    CHECK(ran.code == (positions < 3 ? 1 : 0));
    CHECK((ran.err.find("positions") != std::string::npos) == (positions < 3));
  }
}

TEST_CASE("hitut_agent takes memory for a vocabulary of any size") {
  if (!can_run("hitut_agent")) return;
  const ScratchFolder scratch;
  const std::string small = KINGLET_MODELS_DIR "/hitut6_small", model = scratch.file("hitut.gguf");
  REQUIRE(run_weights({"convert", small + "/model_best_seen.pth", "--arch", "hitut", "--config",
                       small + "/config.json", "--tables", small + "/tables.safetensors", "--vocab",
                       small + "/vocab.txt", "-o", model},
                      scratch)
              .code == 0);
  const std::string episode = KINGLET_PROGRAMS_DIR "/episode.bin";
  const Ran wanted = run_program("hitut_agent", {model, episode}, scratch);
  CHECK(wanted.code == 0);
  ModelEdit edit(model);
  std::vector<std::string> words = edit.texts("tokenizer.ggml.tokens");
  for (int i = 0; words.size() < 120000; ++i) words.push_back("[unused" + std::to_string(i) + "]");
  edit.set_strings("tokenizer.ggml.tokens", words);
  const std::string large = scratch.file("large.gguf");
  edit.save(large);
  const Ran ran = run_program("hitut_agent", {large, episode}, scratch);
  CHECK(ran.code == 0);
  CHECK(ran.out == wanted.out);
}
