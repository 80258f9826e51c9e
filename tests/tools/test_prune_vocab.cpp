// prune-vocab: the tokens that frame every input stay, of words and actions those that are kept.
#include <kinglet/models/alfred_seq2seq_weights.hpp>

#include "conversion.hpp"
#include "file_error.hpp"
#include "model_edit.hpp"
#include "rewrite.hpp"

namespace {

using namespace kinglet;
using namespace kinglet::tests;
using Json = nlohmann::json;

const std::string kBert = KINGLET_TEST_DATA "/zoo/bert-seqcls";

struct Bert : BasicConversion {
  Bert() {
    request.input = kBert + "/pytorch_model.oldnames.bin";
    request.config = kBert + "/config.json";
  }
  /// prune-vocab of the converted model to the words 10, 11 and 12.
  Ran prune(const std::vector<std::string>& more) {
    const std::string corpus = scratch.file("ids.txt");
    write_text(corpus, "10\n11\n12\n");
    std::vector<std::string> words = {"prune-vocab", request.output, "--corpus",
                                      corpus,        "-o",           pruned()};
    words.insert(words.end(), more.begin(), more.end());
    return run_weights(words, scratch);
  }
  std::string pruned() const { return scratch.file("pruned.gguf"); }
  std::vector<std::uint32_t> map() const {
    return tools::ModelEdit(pruned()).numbers("kinglet.vocab.map");
  }
};

}  // namespace

TEST_CASE("ids of special tokens come from the config, and stay when words go") {
  Bert c;
  c.edit_config([](Json& root) {
    root["bos_token_id"] = 5;
    root["eos_token_id"] = 6;
    root["mask_token_id"] = 70;  // no word
  });
  c.run();
  CHECK(*c.file.u64("tokenizer.ggml.bos_token_id") == 5);
  CHECK(*c.file.u64("tokenizer.ggml.eos_token_id") == 6);
  CHECK_FALSE(c.file.has("tokenizer.ggml.cls_token_id"));
  CHECK_FALSE(c.file.has("tokenizer.ggml.mask_token_id"));
  CHECK(says(c.report, "mask_token_id 70 left out: the model has no such word"));
  REQUIRE(c.prune({}).code == 0);
  const std::vector<std::uint32_t> map = c.map();  // 0 (padding), 5, 6, 10, 11, 12
  CHECK(map[5] == 1);
  CHECK(map[6] == 2);
  CHECK(map[12] == 5);
  CHECK(map[7] == 0);
}

TEST_CASE("words that the vocabulary names as special count before those of the config") {
  Bert c;
  c.request.vocab = kBert + "/vocab.txt";
  c.edit_config([](Json& root) { root["cls_token_id"] = 9; });
  c.run();
  CHECK(*c.file.u64("tokenizer.ggml.cls_token_id") == 2);
  CHECK(*c.file.u64("tokenizer.ggml.unknown_token_id") == 1);
}

TEST_CASE("where nothing names what frames an input, a text is no corpus without --keep") {
  Bert c;
  c.run();
  const Ran refused = c.prune({});
  CHECK(refused.code == 1);
  CHECK(says(refused.err, "give their ids (--keep, --unknown)"));
  CHECK_FALSE(std::filesystem::exists(c.pruned()));
  REQUIRE(c.prune({"--keep", "2", "3"}).code == 0);
  CHECK(c.map()[2] == 1);
  CHECK(c.map()[3] == 2);
  CHECK(c.prune({"--unknown", "1"}).code == 0);
  CHECK(c.prune({"--keep", "70"}).code == 1);
  // Recorded inputs hold their frame.
  REQUIRE(c.prune({"--corpus", kBert + "/cases/b3_s19_holes.safetensors"}).code == 0);
  CHECK(c.map()[3] != c.map()[0]);
}

TEST_CASE("words and actions of a Seq2Seq are left out, the rest keeps its rows") {
  for (const bool int8 : {false, true}) {
    BasicConversion c;
    c.request.input = KINGLET_TEST_DATA "/alfred/seq2seq_im_mask/best_seen.legacy.pth";
    c.run();
    tools::ModelEdit model(c.request.output);
    const tools::DenseMatrix words = model.table("token_embd.weight");
    const tools::DenseMatrix actions = model.matrix("action_embd.weight");
    if (int8) {
      model.put_table_s8("token_embd.weight", tools::quantize_rows(words));
      model.put_matrix_s8("action_embd.weight", tools::quantize_rows(actions));
    }
    const tools::DenseMatrix stored = model.matrix("action_embd.weight");
    CHECK(tools::prune_vocabulary(model, {7, 20}).rows == 6);  // the four in double brackets stay
    CHECK(tools::prune_actions(model, {"<<seg>>"}).rows == 14);
    CHECK(tools::prune_actions(model, {"LookUp_15"}).rows == 13);
    const std::string path = c.scratch.file("pruned.gguf");
    model.save(path);
    const auto mapped = tools::MappedFile::open(path);
    const Result<ModelFile> file = ModelFile::open(mapped->bytes());
    REQUIRE(file.ok());
    const Result<seq2seq::Config> config = seq2seq::read_config(*file);
    REQUIRE(config.ok());
    CHECK(config->words == 82);
    CHECK(config->actions == 13);
    seq2seq::Weights w;
    REQUIRE(seq2seq::bind(*file, *config, w).ok());
    CHECK(w.words.row(7) == 3);
    CHECK(w.words.row(8) == 0);
    CHECK(seq2seq::id_of(*file, seq2seq::kActionsKey, "MoveAhead_25") == 3);
    const tools::ModelEdit pruned(path);
    CHECK(pruned.numbers("alfred-seq2seq.kept_actions") ==
          std::vector<std::uint32_t>{0, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14});
    const tools::DenseMatrix kept = pruned.matrix("action_embd.weight");
    CHECK(kept.n == 13);
    CHECK(std::equal(kept.row(3), kept.row(3) + 3, stored.row(4)));
    CHECK(std::equal(kept.row(5), kept.row(5) + 3, stored.row(7)));
    CHECK_THROWS_AS(tools::prune_actions(model, {"<<seg>>"}), tools::FileError);
    CHECK_THROWS_AS(tools::prune_actions(model, model.texts("alfred-seq2seq.action_names")),
                    tools::FileError);
  }
}
