#include "corpus.hpp"
#include "exercise.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace kinglet;
  static const std::vector<std::string> pieces = {"[PAD]", "[UNK]", "the", "12", "##s"};
  return fuzz::expect_answer([&] {
    tools::Corpus corpus;
    tools::read_corpus_bytes(Bytes(data, size), "fuzz", 5, pieces, corpus);
    if (!corpus.ids.empty() && *corpus.ids.rbegin() >= 5) __builtin_trap();
  });
}
