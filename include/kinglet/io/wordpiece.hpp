#pragma once
// Wordpiece: text to ids of the vocabulary stored in a model file, as BERT's uncased tokenizer does
// it, without special tokens and without heap.
//
//   "Café, 2 cups"  → clean, lower-case, strip accents → split → cafe | , | 2 | cups
//                   → longest pieces first             → ca ##fe | , | 2 | cup ##s
//
// Cleaning drops control and format characters, U+FFFD and private-use characters; every Unicode
// space separates words; ASCII signs, punctuation and Chinese characters are words of their own.
// Letters: all of Latin-1, Latin Extended-A and Latin Extended Additional, and those of Extended-B
// that are an ASCII letter with accents or have their small letter next to them. Combining marks of
// the blocks made for them are dropped anywhere. Other scripts pass unchanged. Punctuation: the
// blocks Latin-1, General, CJK and full-width. A word of more than 100 characters, or one that the
// pieces cannot spell, becomes the unknown token.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <kinglet/core/span.hpp>
#include <kinglet/core/status.hpp>
#include <kinglet/io/model_file.hpp>
#include <kinglet/io/utf8.hpp>
#include <string_view>

namespace kinglet {

namespace detail {

struct CodeRange {
  std::uint32_t first, last;
};

template <std::size_t N>
constexpr bool is_in(const CodeRange (&ranges)[N], std::uint32_t c) noexcept {
  for (const CodeRange& range : ranges) {
    if (c >= range.first && c <= range.last) return true;
  }
  return false;
}

inline constexpr CodeRange kSpaces[] = {
    {0x09, 0x0A},     {0x0D, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
// Tab and the line ends are asked for first.
inline constexpr CodeRange kDropped[] = {{0x00, 0x1F},
                                         {0x7F, 0x9F},
                                         {0xAD, 0xAD},
                                         {0x0600, 0x0605},
                                         {0x061C, 0x061C},
                                         {0x06DD, 0x06DD},
                                         {0x070F, 0x070F},
                                         {0x180E, 0x180E},
                                         {0x200B, 0x200F},
                                         {0x202A, 0x202E},
                                         {0x2060, 0x206F},
                                         {0xE000, 0xF8FF},
                                         {0xFEFF, 0xFEFF},
                                         {0xFFF9, 0xFFFB},
                                         {0xFFFD, 0xFFFD},
                                         {0xE0001, 0xE007F},
                                         {0xF0000, 0x10FFFF},
                                         // combining marks: stripped with the accents
                                         {0x0300, 0x036F},
                                         {0x1AB0, 0x1AFF},
                                         {0x1DC0, 0x1DFF},
                                         {0x20D0, 0x20FF},
                                         {0xFE00, 0xFE0F},
                                         {0xFE20, 0xFE2F}};
inline constexpr CodeRange kPunctuation[] = {
    {0x21, 0x2F},     {0x3A, 0x40},     {0x5B, 0x60},     {0x7B, 0x7E},     {0xA1, 0xA1},
    {0xA7, 0xA7},     {0xAB, 0xAB},     {0xB6, 0xB7},     {0xBB, 0xBB},     {0xBF, 0xBF},
    {0x2010, 0x2027}, {0x2030, 0x2043}, {0x2045, 0x2051}, {0x2053, 0x205E}, {0x2308, 0x230B},
    {0x2329, 0x232A}, {0x2768, 0x2775}, {0x3001, 0x3003}, {0x3008, 0x3011}, {0x3014, 0x301F},
    {0x3030, 0x3030}, {0x303D, 0x303D}, {0x30A0, 0x30A0}, {0x30FB, 0x30FB}, {0xFE10, 0xFE19},
    {0xFE30, 0xFE52}, {0xFE54, 0xFE61}, {0xFE63, 0xFE63}, {0xFE68, 0xFE68}, {0xFE6A, 0xFE6B},
    {0xFF01, 0xFF03}, {0xFF05, 0xFF0A}, {0xFF0C, 0xFF0F}, {0xFF1A, 0xFF1B}, {0xFF1F, 0xFF20},
    {0xFF3B, 0xFF3D}, {0xFF3F, 0xFF3F}, {0xFF5B, 0xFF5B}, {0xFF5D, 0xFF5D}, {0xFF5F, 0xFF65}};
inline constexpr CodeRange kChinese[] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF}, {0x20000, 0x2A6DF},
                                         {0x2A700, 0x2CEAF}, {0xF900, 0xFAFF}, {0x2F800, 0x2FA1F}};

// What becomes of a letter: the ASCII letter it is with its accents off, or itself (=), the next
// code point (+), the one 32 further (^).
inline constexpr std::string_view kLetters00C0 =
    "aaaaaa^ceeeeiiii^nooooo=^uuuuy^=aaaaaa=ceeeeiiii=nooooo==uuuuy=y"
    "aaaaaaccccccccdd+=eeeeeeeeeegggggggghh+=iiiiiiiii=+=jjkk=llllll+"
    "=+=nnnnnn=+=oooooo+=rrrrrrsssssssstttt+=uuuuuuuuuuuuwwyyyzzzzzz="
    "==+=+==+===+=====+======+=======oo+=+==+====+==uu==+=+==+===+==="
    "=====+==+==+=aaiioouuuuuuuuuu=aaaa==+=ggkkoooo==j=+=gg==nnaa===="
    "aaaaeeeeiiiioooorrrruuuusstt+=hh==+=+=aaeeooooooooyy=======+===="
    "=+====+=+=+=+=+=";
inline constexpr std::string_view kLetters1E00 =
    "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmm"
    "mmmmnnnnnnnnoooooooopppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvv"
    "wwwwwwwwwwxxxxyyzzzzzzhtwy======aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeee"
    "eeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy+=+=+=";
static_assert(kLetters00C0.size() == 0x250 - 0xC0 && kLetters1E00.size() == 0x100);

/// Lower case without accents.
constexpr std::uint32_t plain_letter(std::uint32_t c) noexcept {
  if (c >= 'A' && c <= 'Z') return c + 32;
  if (c == 0x1E9E) return 0xDF;
  char rule = '=';
  if (c >= 0xC0 && c < 0xC0 + kLetters00C0.size()) rule = kLetters00C0[c - 0xC0];
  if (c >= 0x1E00 && c < 0x1E00 + kLetters1E00.size()) rule = kLetters1E00[c - 0x1E00];
  switch (rule) {
    case '=': return c;
    case '+': return c + 1;
    case '^': return c + 32;
    default: return static_cast<unsigned char>(rule);
  }
}

/// One word being put together, in UTF-8.
class Word {
 public:
  static constexpr int kMost = 100;  ///< characters

  void append(std::uint32_t c) noexcept {
    if (++count_ > kMost) return;
    if (c < 0x80) {
      put(c);
    } else if (c < 0x800) {
      put(0xC0 | (c >> 6)), put(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      put(0xE0 | (c >> 12)), put(0x80 | ((c >> 6) & 0x3F)), put(0x80 | (c & 0x3F));
    } else {
      put(0xF0 | (c >> 18)), put(0x80 | ((c >> 12) & 0x3F));
      put(0x80 | ((c >> 6) & 0x3F)), put(0x80 | (c & 0x3F));
    }
  }
  void clear() noexcept { count_ = 0, size_ = 0; }
  bool empty() const noexcept { return count_ == 0; }
  bool too_long() const noexcept { return count_ > kMost; }
  std::string_view text() const noexcept { return {text_, size_}; }

 private:
  void put(std::uint32_t byte) noexcept { text_[size_++] = static_cast<char>(byte); }

  int count_ = 0;
  std::size_t size_ = 0;
  char text_[4 * kMost];
};

}  // namespace detail

class Wordpiece {
 public:
  Wordpiece() noexcept = default;

  /// Elements of the index that bind() wants; 0 when the file has no vocabulary.
  static std::size_t index_size(const ModelFile& file) noexcept {
    const Result<GgufArray> tokens = file.array("tokenizer.ggml.tokens");
    if (!tokens || tokens->type() != GgufType::string) return 0;
    const auto count = static_cast<std::size_t>(tokens->count());
    return count + slots_for(count);
  }

  /// Fills the index, which must outlive the tokenizer, as the file must.
  static Result<Wordpiece> bind(const ModelFile& file, Span<std::uint32_t> index) noexcept {
    constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
    const Result<std::string_view> model = file.string("tokenizer.ggml.model");
    const Result<GgufArray> tokens = file.array(kTokens);
    const Result<std::uint64_t> unknown = file.u64("tokenizer.ggml.unknown_token_id");
    if (!model) return model.status();
    if (!tokens) return tokens.status();
    if (!unknown) return unknown.status();
    const auto fault = [](Code code, const char* what, std::string_view key) {
      return Status(code, what, Status::kNowhere, key);
    };
    if (*model != "bert") {
      return fault(Code::unsupported, "only word pieces (bert) are supported",
                   "tokenizer.ggml.model");
    }
    if (tokens->type() != GgufType::string || tokens->bytes().size() > kEmpty - 1) {
      return fault(Code::mismatch, "is no usable list of strings", kTokens);
    }
    if (*unknown >= tokens->count()) {
      return fault(Code::mismatch, "is beyond the vocabulary", "tokenizer.ggml.unknown_token_id");
    }
    if (index.data() == nullptr || index.size() < index_size(file)) {
      return fault(Code::no_memory, "the index is smaller than index_size()", kTokens);
    }
    Wordpiece wordpiece;
    wordpiece.unknown_ = static_cast<std::int32_t>(*unknown);
    if (!wordpiece.fill(*tokens, index)) {
      return fault(Code::unsupported, "too many of the strings have similar hashes", kTokens);
    }
    return wordpiece;
  }

  int vocabulary_size() const noexcept { return static_cast<int>(count_); }
  /// 0 ≤ id < vocabulary_size()
  std::string_view token(int id) const noexcept {
    const unsigned char* at = tokens_ + offsets_[id];
    return detail::text_at(at + 8, detail::load_le<std::uint64_t>(at));
  }

  /// How many ids the text has; the first ids.size() of them are written. Text that is not UTF-8 is an error.
  Result<int> encode(std::string_view text, Span<std::int32_t> ids) const noexcept {
    detail::Word word;
    Ids out{ids, 0};
    for (std::size_t at = 0; at < text.size();) {
      const CodePoint point = decode_utf8(text, at);
      if (point.size == 0) return Status(Code::malformed, "the text is not UTF-8", at);
      at += point.size;
      const std::uint32_t c = point.value;
      if (detail::is_in(detail::kSpaces, c)) {
        flush(word, out);
      } else if (detail::is_in(detail::kDropped, c)) {
        continue;
      } else if (detail::is_in(detail::kPunctuation, c) || detail::is_in(detail::kChinese, c)) {
        flush(word, out);
        word.append(c);
        flush(word, out);
      } else {
        word.append(detail::plain_letter(c));
      }
    }
    flush(word, out);
    return out.count;
  }

 private:
  // index:  offsets[count] of the strings in the file | slots[power of two] of a hash table of ids
  static constexpr std::uint32_t kEmpty = 0xFFFFFFFF;
  // Slots are at most two thirds full: vocabularies of a million words look at up to 132 slots for a
  // word and at 1.4 times the number of slots in all. What exceeds the bounds was made to be slow.
  static constexpr std::size_t kMaxProbes = 256;     ///< of a word
  static constexpr std::size_t kMaxProbesASlot = 8;  ///< of bind
  static constexpr std::string_view kInside = "##";

  struct Ids {
    Span<std::int32_t> ids;
    int count;
    void append(std::int32_t id) noexcept {
      if (static_cast<std::size_t>(count) < ids.size()) ids[static_cast<std::size_t>(count)] = id;
      ++count;
    }
  };

  static std::size_t slots_for(std::size_t count) noexcept {
    std::size_t slots = 16;
    while (slots / 3 * 2 < count) slots *= 2;
    return slots;
  }

  bool fill(const GgufArray& tokens, Span<std::uint32_t> index) noexcept {
    count_ = static_cast<std::size_t>(tokens.count());
    slot_count_ = slots_for(count_);
    tokens_ = tokens.bytes().data();
    std::uint32_t* offsets = index.data();
    std::uint32_t* slots = offsets + count_;
    offsets_ = offsets;
    slots_ = slots;
    for (std::size_t i = 0; i < slot_count_; ++i) slots[i] = kEmpty;
    const GgufArray::Strings strings = tokens.strings();
    std::size_t probes = 0;
    std::uint32_t id = 0;
    for (auto it = strings.begin(); it != strings.end(); ++it, ++id) {
      offsets[id] = static_cast<std::uint32_t>(it.address() - tokens_);
      const std::string_view text = *it;
      if (text.size() > longest_) longest_ = text.size();
      const Place place = place_of({}, text);
      probes += place.probes;
      if (place.probes > kMaxProbes || probes > kMaxProbesASlot * slot_count_) return false;
      slots[place.slot] = id;  // of equal strings the last one counts
    }
    return true;
  }

  struct Place {
    std::size_t slot;
    std::size_t probes;  ///< slots that were looked at, kMaxProbes + 1 if it was given up
  };

  /// The slot that holds prefix + text, else the empty one where it belongs.
  Place place_of(std::string_view prefix, std::string_view text) const noexcept {
    std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
    for (const char c : prefix) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    auto slot = static_cast<std::size_t>((hash ^ (hash >> 32)) & (slot_count_ - 1));
    std::size_t probes = 1;
    for (; probes <= kMaxProbes; ++probes) {
      if (slots_[slot] == kEmpty) break;
      const std::string_view held = token(static_cast<int>(slots_[slot]));
      if (held.size() == prefix.size() + text.size() && held.substr(0, prefix.size()) == prefix &&
          held.substr(prefix.size()) == text) {
        break;
      }
      slot = (slot + 1) & (slot_count_ - 1);
    }
    return {slot, probes};
  }

  /// Ids of the word's pieces, longest first; the unknown id alone if a rest cannot be spelled.
  void flush(detail::Word& word, Ids& out) const noexcept {
    if (word.empty()) return;
    const int before = out.count;
    const std::string_view text = word.text();
    bool known = !word.too_long();
    for (std::size_t at = 0; known && at < text.size();) {
      const std::string_view prefix = at == 0 ? std::string_view{} : kInside;
      std::size_t size = text.size() - at;
      if (size > longest_) size = longest_;
      known = false;
      for (; size > 0 && !known; --size) {
        const bool whole = at + size == text.size() ||
                           (static_cast<unsigned char>(text[at + size]) & 0xC0) != 0x80;
        if (!whole) continue;
        const Place place = place_of(prefix, text.substr(at, size));
        if (place.probes > kMaxProbes || slots_[place.slot] == kEmpty) continue;
        out.append(static_cast<std::int32_t>(slots_[place.slot]));
        known = true;
        at += size;
      }
    }
    if (!known) {
      out.count = before;
      out.append(unknown_);
    }
    word.clear();
  }

  const unsigned char* tokens_ = nullptr;
  const std::uint32_t* offsets_ = nullptr;
  const std::uint32_t* slots_ = nullptr;
  std::size_t count_ = 0;
  std::size_t slot_count_ = 0;
  std::size_t longest_ = 0;
  std::int32_t unknown_ = 0;
};

}  // namespace kinglet
