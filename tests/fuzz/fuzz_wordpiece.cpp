// Any text through the tokenizer of any model file: the input is a GGUF file and a text, the text's
// length in the first two bytes.
#include <algorithm>
#include <kinglet/io/wordpiece.hpp>
#include <string_view>
#include <vector>

namespace {

std::uint32_t checksum = 0;

/// Encodes with room for more and for fewer ids than there are.
void encode(const kinglet::ModelFile& file, std::string_view text) {
  using namespace kinglet;
  constexpr std::size_t kMostIndex = std::size_t{1} << 20;
  const std::size_t size = Wordpiece::index_size(file);
  if (size > kMostIndex) return;
  std::vector<std::uint32_t> index(size);
  const Result<Wordpiece> words = Wordpiece::bind(file, {index.data(), index.size()});
  if (!words) return;
  for (const std::size_t room : {text.size() + 1, text.size() / 4, std::size_t{0}}) {
    std::vector<std::int32_t> ids(room);
    const Result<int> count = words->encode(text, {ids.data(), ids.size()});
    if (!count) continue;
    for (std::size_t i = 0; i < std::min(room, static_cast<std::size_t>(*count)); ++i)
      for (const char c : words->token(ids[i])) checksum += static_cast<unsigned char>(c);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace kinglet;
  if (size < 2) return 0;
  const std::size_t length =
      std::min<std::size_t>(std::size_t{data[0]} | std::size_t{data[1]} << 8, size - 2);
  const std::vector<unsigned char> model(data + 2 + length, data + size);
  const Result<ModelFile> file = ModelFile::open(Bytes(model.data(), model.size()));
  if (file) encode(*file, {reinterpret_cast<const char*>(data) + 2, length});
  return 0;
}
