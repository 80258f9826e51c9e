// Which words a corpus names.
#include <doctest/doctest.h>

#include "corpus.hpp"
#include "file_error.hpp"
#include "safetensors_writer.hpp"
#include "tool_files.hpp"

namespace {

using namespace kinglet;
using namespace kinglet::tests;
using tools::Corpus;
using tools::FileError;
using Ids = std::set<std::uint32_t>;

const std::vector<std::string> kPieces = {"[PAD]", "[UNK]", "the", "12", "##s", "größe"};

Corpus read(const std::string& path, const std::vector<std::string>& pieces = kPieces) {
  Corpus corpus;
  tools::read_corpus(path, 6, pieces, corpus);
  return corpus;
}

}  // namespace

TEST_CASE("a text holds ids if all its lines are numbers, else word pieces") {
  const ScratchFolder scratch;
  const std::string path = scratch.file("words.txt");
  write_text(path, "3\r\n\n5\n3");
  CHECK(read(path).ids == Ids{3, 5});
  CHECK(read(path, {}).ids == Ids{3, 5});
  write_text(path, "the\n12\nunheard\n größe\ngröße\n");
  const Corpus corpus = read(path);
  CHECK(corpus.ids == Ids{2, 3, 5});
  CHECK(corpus.unknown_pieces == 2);
  CHECK_THROWS_AS(read(path, {}), FileError);
  write_text(path, "");
  CHECK_THROWS_AS(read(path), FileError);
}

TEST_CASE("ids from beyond the vocabulary, broken texts and files without words are refused") {
  const ScratchFolder scratch;
  const std::string path = scratch.file("words.txt");
  for (const char* text : {"6\n", "99999999999999999999999999\n", "4294967296\n", "\xff\xfe"}) {
    write_text(path, text);
    CHECK_THROWS_AS(read(path), FileError);
  }
  write_text(path, std::string("no\0container", 12));
  CHECK_THROWS_AS(read(path), FileError);
  CHECK_THROWS_AS(read(scratch.file("absent")), FileError);
  CHECK_THROWS_AS(read(KINGLET_TEST_DATA "/alfred/hitut_bert/model_best_seen.safetensors"),
                  FileError);
}

TEST_CASE("golden files and evaluation sets name the ids that their inputs hold") {
  Corpus corpus;
  tools::read_corpus(KINGLET_TEST_DATA "/alfred/hitut_bert/golden_high_b3.safetensors", 100000, {},
                     corpus);
  const std::size_t some = corpus.ids.size();
  CHECK(some > 1);
  CHECK(some <= 30);
  tools::read_corpus(KINGLET_MODELS_DIR "/hitut6_small/eval.safetensors", 2235, {}, corpus);
  CHECK(corpus.ids.size() > 400);
  CHECK_THROWS_AS(
      tools::read_corpus(KINGLET_MODELS_DIR "/hitut6_small/eval.safetensors", 100, {}, corpus),
      FileError);
}
