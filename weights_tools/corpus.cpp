#include "corpus.hpp"

#include <algorithm>
#include <cstring>
#include <kinglet/io/utf8.hpp>
#include <unordered_map>

#include "checkpoint.hpp"
#include "file_error.hpp"
#include "mapped_file.hpp"

namespace kinglet::tools {
namespace {

/// Tensors of sample files that hold ids of words, by what follows the last dot.
constexpr std::string_view kNames[] = {"input_ids", "lang_input", "lang_ids", "lang",
                                       "word_ids",  "words",      "ids"};

bool holds_words(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  const std::string_view last =
      std::string_view(name).substr(dot == std::string::npos ? 0 : dot + 1);
  return std::find(std::begin(kNames), std::end(kNames), last) != std::end(kNames);
}

template <class T>
std::int64_t load(const unsigned char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return static_cast<std::int64_t>(value);
}

std::int64_t integer_at(DType dtype, const unsigned char* p) {
  switch (dtype) {
    case DType::s8: return load<std::int8_t>(p);
    case DType::s16: return load<std::int16_t>(p);
    case DType::s32: return load<std::int32_t>(p);
    case DType::s64: return load<std::int64_t>(p);
    default: return load<std::uint8_t>(p);
  }
}

class Reader {
 public:
  Reader(const std::string& path, std::uint32_t vocab, Corpus& corpus)
      : path_(path), vocab_(vocab), corpus_(corpus) {}

  void samples(const Checkpoint& checkpoint) {
    bool found = false;
    for (const Tensor& tensor : checkpoint.tensors) {
      const bool integers = tensor.dtype == DType::s8 || tensor.dtype == DType::s16 ||
                            tensor.dtype == DType::s32 || tensor.dtype == DType::s64 ||
                            tensor.dtype == DType::u8;
      if (!integers || !holds_words(tensor.name)) continue;
      found = true;
      constexpr std::uint64_t kPart = 4096;
      std::vector<unsigned char> part(kPart * tensor.item_size);
      const auto count = static_cast<std::uint64_t>(tensor.count());
      for (std::uint64_t first = 0; first < count; first += kPart) {
        const std::uint64_t n = std::min(kPart, count - first);
        copy_elements(tensor, first, n, part.data());
        for (std::uint64_t i = 0; i < n; ++i)
          add(integer_at(tensor.dtype, &part[static_cast<std::size_t>(i * tensor.item_size)]),
              "tensor " + in_quotes(tensor.name));
      }
    }
    corpus_.whole_inputs = corpus_.whole_inputs || found;
    if (!found)
      throw FileError(path_, "corpus",
                      "holds no ids of words (input_ids, lang_input and the like)");
  }

  void text(std::string_view text, const std::vector<std::string>& pieces) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (!line.empty()) lines.push_back(line);
    }
    if (lines.empty()) throw FileError(path_, "corpus", "is empty");
    if (std::all_of(lines.begin(), lines.end(), is_number)) {
      for (const std::string_view line : lines) add(number_of(line), "line " + in_quotes(line));
      return;
    }
    if (pieces.empty())
      throw FileError(path_, "corpus", "holds word pieces, but the model no vocabulary: give ids");
    std::unordered_map<std::string_view, std::int64_t> ids;
    for (std::size_t i = 0; i < pieces.size(); ++i)
      ids.emplace(pieces[i], static_cast<std::int64_t>(i));
    for (const std::string_view line : lines) {
      const auto found = ids.find(line);
      if (found == ids.end()) {
        ++corpus_.unknown_pieces;
      } else {
        add(found->second, "line " + in_quotes(line));
      }
    }
  }

 private:
  static bool is_number(std::string_view line) {
    return std::all_of(line.begin(), line.end(), [](char c) { return c >= '0' && c <= '9'; });
  }
  static std::int64_t number_of(std::string_view digits) {
    std::int64_t number = 0;
    for (const char c : digits) {
      number = number * 10 + (c - '0');
      if (number > 0xffffffffll) break;
    }
    return number;
  }

  void add(std::int64_t id, const std::string& where) {
    if (id < 0 || id >= std::int64_t{vocab_})
      throw FileError(path_, where,
                      "id " + std::to_string(id) + " is outside the model's vocabulary of " +
                          std::to_string(vocab_));
    corpus_.ids.insert(static_cast<std::uint32_t>(id));
  }

  const std::string& path_;
  std::uint32_t vocab_;
  Corpus& corpus_;
};

}  // namespace

void read_corpus_bytes(Bytes bytes, const std::string& path, std::uint32_t vocab,
                       const std::vector<std::string>& pieces, Corpus& corpus) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  Reader reader(path, vocab, corpus);
  // Every container has zero bytes, a text has none.
  if (text.find('\0') != std::string_view::npos)
    return reader.samples(read_checkpoint_bytes(bytes, path));
  if (!valid_utf8(text))
    throw FileError(path, "corpus", "is neither a file of samples nor a text in UTF-8");
  reader.text(text, pieces);
}

void read_corpus(const std::string& path, std::uint32_t vocab,
                 const std::vector<std::string>& pieces, Corpus& corpus) {
  read_corpus_bytes(MappedFile::open(path)->bytes(), path, vocab, pieces, corpus);
}

}  // namespace kinglet::tools
