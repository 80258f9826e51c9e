#pragma once
// The words that occur in a corpus: recorded inputs, or a list.

#include <cstdint>
#include <kinglet/core/span.hpp>
#include <set>
#include <string>
#include <vector>

namespace kinglet::tools {

struct Corpus {
  std::set<std::uint32_t> ids;
  std::size_t unknown_pieces = 0;  // lines that the vocabulary does not have
  bool whole_inputs = false;       // some came from recorded inputs, with all that frames these
};

/// Adds what a file names: a golden file's or an evaluation set's ids of words (in.input_ids,
/// <task>.lang_input …), or a text file with an id or a word piece a line; a file of nothing but
/// numbers holds ids. pieces: the vocabulary, may be empty. Throws FileError on ids from `vocab` on.
void read_corpus(const std::string& path, std::uint32_t vocab,
                 const std::vector<std::string>& pieces, Corpus& corpus);

/// The same over bytes; `path` is for messages.
void read_corpus_bytes(Bytes bytes, const std::string& path, std::uint32_t vocab,
                       const std::vector<std::string>& pieces, Corpus& corpus);

}  // namespace kinglet::tools
