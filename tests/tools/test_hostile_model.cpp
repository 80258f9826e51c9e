// Models whose numbers lie, given to the commands that change models.
#include <doctest/doctest.h>

#include <sstream>

#include "convert.hpp"
#include "model_edit.hpp"
#include "tool_files.hpp"

namespace {

using namespace kinglet;
using namespace kinglet::tests;

constexpr std::uint64_t kMostData = std::uint64_t{256} << 20;  // beside the mapped file

void convert_fixture(const std::string& output) {
  const std::string folder = KINGLET_TEST_DATA "/alfred/hitut_bert";
  tools::ConvertRequest request;
  request.input = folder + "/model_best_seen.pth";
  request.config = folder + "/config.json";
  request.tables = folder + "/tables.safetensors";
  request.output = output;
  std::ostringstream report;
  tools::convert("hitut", request, report);
}

/// Every command that changes a model refuses it at once and says why.
void check_refused(const std::string& model, const ScratchFolder& scratch) {
  const ScratchFolder folder;
  const std::string out = folder.file("out.gguf"), corpus = folder.file("corpus.txt");
  write_text(corpus, "1\n2\n");
  const std::vector<std::string> commands[] = {{"quantize", model},
                                               {"keep-layers", model, "0"},
                                               {"prune-vocab", model, "--corpus", corpus},
                                               {"factorize", model, "--rank", "4"}};
  for (std::vector<std::string> words : commands) {
    CAPTURE(words.front());
    words.insert(words.end(), {"-o", out});
    const Ran ran = run_weights(words, scratch, !kSanitized && !is_emulated() ? kMostData : 0);
    CHECK(ran.code == 1);
    CHECK(ran.err.rfind("kinglet-weights: " + model + ": ", 0) == 0);
    if (!kSanitized && !is_emulated()) CHECK(ran.seconds < 2);
    CHECK_FALSE(std::filesystem::exists(out));
  }
}

}  // namespace

TEST_CASE("numbers of layers that cannot be are refused before anything is made of them") {
  const ScratchFolder scratch, folder;
  const std::string good = folder.file("good.gguf"), bad = folder.file("bad.gguf");
  convert_fixture(good);
  for (const char* key : {"hitut.block_count", "hitut.stored_block_count"}) {
    for (const std::uint32_t number : {0u, 3u, 0x7fffffffu, 0xffffffffu}) {
      CAPTURE(key);
      CAPTURE(number);
      tools::ModelEdit edit(good);
      edit.set_u32(key, number);
      edit.save(bad);
      check_refused(bad, scratch);
    }
  }
}

TEST_CASE("tensors that do not fit each other are refused before they are read together") {
  const ScratchFolder scratch, folder;
  const std::string good = folder.file("good.gguf"), bad = folder.file("bad.gguf");
  convert_fixture(good);
  for (const char* name :
       {"blk.0.attn_qkv.bias", "blk.0.ffn_up.bias", "blk.0.attn_output_norm.bias"}) {
    CAPTURE(name);
    tools::ModelEdit edit(good);
    edit.put_bias(name, std::vector<float>(3, 1000.0f));
    edit.save(bad);
    check_refused(bad, scratch);
  }
}
