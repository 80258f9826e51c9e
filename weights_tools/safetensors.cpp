// safetensors: length of the header (u64) | header (JSON) | data
//
//   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, …,
//    "__metadata__": {"key": "text", …}}
//
// The header's grammar is small and fixed, so it is parsed as such: no depth, no tree, and names or
// fields that come twice are seen.
#include <algorithm>
#include <cstring>
#include <kinglet/io/utf8.hpp>
#include <utility>

#include "budget.hpp"
#include "readers.hpp"
#include "safetensors_types.hpp"

namespace kinglet::tools {
namespace {

constexpr std::uint64_t kLengthSize = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr std::size_t kHighestRank = 64;

class HeaderParser {
 public:
  HeaderParser(std::string_view header, const std::string& file, Budget& budget)
      : header_(header), file_(file), budget_(budget) {}

  /// Calls entry(name) for each member, which must take its value.
  template <class F>
  void object(F entry) {
    expect('{');
    if (accept('}')) return;
    do {
      const std::string_view key = string();
      expect(':');
      entry(key);
    } while (accept(','));
    expect('}');
  }

  std::vector<std::int64_t> numbers(std::size_t most) {
    std::vector<std::int64_t> values;
    expect('[');
    if (accept(']')) return values;
    do {
      if (values.size() == most) fail("a list of more than " + std::to_string(most) + " numbers");
      values.push_back(number());
    } while (accept(','));
    expect(']');
    return values;
  }

  bool accept_null() {
    skip_blanks();
    if (header_.substr(at_, 4) != "null") return false;
    at_ += 4;
    return true;
  }

  /// Valid until the next string.
  std::string_view string() {
    expect('"');
    const std::size_t from = at_;
    bool escaped = false;
    for (;; ++at_) {
      if (at_ == header_.size()) fail("a string does not end");
      if (static_cast<unsigned char>(header_[at_]) < 0x20) fail("a control character in a string");
      if (header_[at_] == '"') break;
      if (header_[at_] != '\\') continue;
      escaped = true;
      if (++at_ == header_.size()) fail("a string does not end");
    }
    const std::string_view raw = header_.substr(from, at_++ - from);
    return escaped ? unescaped(raw) : raw;
  }

  void end() {
    skip_blanks();
    if (at_ != header_.size()) fail("something follows the JSON object");
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FileError(file_, "header offset " + std::to_string(kLengthSize + at_), what);
  }

 private:
  void skip_blanks() {
    while (at_ < header_.size() && (header_[at_] == ' ' || header_[at_] == '\t' ||
                                    header_[at_] == '\n' || header_[at_] == '\r'))
      ++at_;
  }

  bool accept(char c) {
    skip_blanks();
    if (at_ == header_.size() || header_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(std::string("'") + c + "' is missing");
  }

  /// Plain and not negative.
  std::int64_t number() {
    skip_blanks();
    const std::size_t from = at_;
    std::uint64_t value = 0;
    for (; at_ < header_.size() && header_[at_] >= '0' && header_[at_] <= '9'; ++at_) {
      value = value * 10 + static_cast<std::uint64_t>(header_[at_] - '0');
      if (value >> 59 != 0) fail("a number is too large");
    }
    const std::size_t digits = at_ - from;
    const char next = at_ < header_.size() ? header_[at_] : ' ';
    if (digits == 0 || (digits > 1 && header_[from] == '0') || next == '.' || (next | 32) == 'e')
      fail("not a plain whole number");
    return static_cast<std::int64_t>(value);
  }

  std::string_view unescaped(std::string_view raw) {
    budget_.charge(4 * raw.size());
    text_.clear();
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '\\') {
        text_ += raw[i];
        continue;
      }
      static constexpr std::string_view kLetters = "\"\\/bfnrt";
      static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
      const std::size_t known = kLetters.find(raw[++i]);
      if (known != std::string_view::npos) {
        text_ += kMeanings[known];
        continue;
      }
      std::uint32_t point = code_unit(raw, i);
      if (point >= 0xD800 && point < 0xDC00) {
        if (raw.substr(i + 1, 1) != "\\") fail("half a surrogate pair");
        i += 2;
        const std::uint32_t low = i < raw.size() ? code_unit(raw, i) : 0;
        if (low < 0xDC00 || low > 0xDFFF) fail("half a surrogate pair");
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
      } else if (point >= 0xDC00 && point < 0xE000) {
        fail("half a surrogate pair");
      }
      append_utf8(text_, point);
    }
    return text_;
  }

  /// raw[i] is the u of \uXXXX; i moves to its last digit.
  std::uint32_t code_unit(std::string_view raw, std::size_t& i) const {
    if (raw[i] != 'u' || raw.size() - i <= 4) fail("an unknown escape in a string");
    std::uint32_t unit = 0;
    for (const char c : raw.substr(i + 1, 4)) {
      const char lower = static_cast<char>(c | 32);
      if (c >= '0' && c <= '9') {
        unit = unit * 16 + static_cast<std::uint32_t>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        unit = unit * 16 + static_cast<std::uint32_t>(lower - 'a' + 10);
      } else {
        fail("an unknown escape in a string");
      }
    }
    i += 4;
    return unit;
  }

  std::string_view header_;
  const std::string& file_;
  Budget& budget_;
  std::size_t at_ = 0;
  std::string text_;
};

class SafetensorsReader {
 public:
  SafetensorsReader(Bytes bytes, const std::string& file)
      : file_(file),
        budget_(file),
        data_(bytes),
        header_(split(bytes)),
        parser_(header_, file, budget_) {}

  Checkpoint read() {
    if (!valid_utf8(header_)) throw FileError(file_, "header", "is not UTF-8");
    bool has_metadata = false;
    parser_.object([&](std::string_view name) {
      if (name != "__metadata__") return read_entry(name);
      if (std::exchange(has_metadata, true)) parser_.fail("'__metadata__' comes twice");
      read_metadata();
    });
    parser_.end();
    check_names();
    check_ranges();
    find_aliases();
    return std::move(checkpoint_);
  }

 private:
  /// data_ becomes what is behind the header.
  std::string_view split(Bytes bytes) {
    if (bytes.size() < kLengthSize) throw FileError(file_, "header", "the file is too short");
    std::uint64_t length = 0;
    for (unsigned i = 0; i < kLengthSize; ++i) length |= std::uint64_t{bytes[i]} << (8 * i);
    if (length > kLongestHeader)
      throw FileError(file_, "header",
                      "its length of " + std::to_string(length) + " bytes is above 100 MB");
    if (length > bytes.size() - kLengthSize)
      throw FileError(file_, "header",
                      "its " + std::to_string(length) + " bytes reach past the end of the file");
    const auto data_at = static_cast<std::size_t>(kLengthSize + length);
    data_ = bytes.subspan(data_at, bytes.size() - data_at);
    return {reinterpret_cast<const char*>(bytes.data()) + kLengthSize,
            static_cast<std::size_t>(length)};
  }

  void read_metadata() {
    if (parser_.accept_null()) return;
    parser_.object([&](std::string_view key) {
      budget_.charge(8 * key.size() + 3 * 64);
      std::string owned(key);
      const std::string_view value = parser_.string();
      budget_.charge(8 * value.size());
      checkpoint_.metadata.emplace_back(std::move(owned), value);
    });
    TextPairs& pairs = checkpoint_.metadata;
    budget_.charge(pairs.size() * sizeof(std::string_view));
    std::vector<std::string_view> keys;
    for (const auto& pair : pairs) keys.push_back(pair.first);
    refuse_twins(keys, "metadata key ");
  }

  void read_entry(std::string_view name) {
    budget_.charge(3 * sizeof(Tensor) + 8 * name.size() + 64);
    Tensor tensor;
    tensor.name = name;
    const SafetensorsType* type = nullptr;
    std::vector<std::int64_t> offsets;
    bool has_shape = false;
    const auto once = [&](bool seen) {
      if (seen) parser_.fail("tensor " + in_quotes(tensor.name) + ": a field comes twice");
    };
    parser_.object([&](std::string_view field) {
      if (field == "dtype") {
        once(type != nullptr);
        const std::string_view dtype = parser_.string();
        type = find_safetensors_type(dtype);
        if (type == nullptr)
          parser_.fail("tensor " + in_quotes(tensor.name) + ": unknown dtype " +
                       in_quotes(dtype, 20));
      } else if (field == "shape") {
        once(std::exchange(has_shape, true));
        tensor.shape = parser_.numbers(kHighestRank);
      } else if (field == "data_offsets") {
        once(!offsets.empty());
        offsets = parser_.numbers(2);
        if (offsets.size() != 2) parser_.fail("data_offsets are not two numbers");
      } else {
        parser_.fail("tensor " + in_quotes(tensor.name) + ": unknown field " +
                     in_quotes(field, 40));
      }
    });
    if (type == nullptr || !has_shape || offsets.empty())
      parser_.fail("tensor " + in_quotes(tensor.name) + " lacks dtype, shape or data_offsets");
    place(tensor, *type, offsets);
    budget_.charge(2 * (8 * tensor.shape.size() + 16));
    checkpoint_.tensors.push_back(std::move(tensor));
  }

  /// Fills in what follows from dtype, shape and offsets.
  void place(Tensor& tensor, const SafetensorsType& type,
             const std::vector<std::int64_t>& offsets) {
    const auto fail = [&](const std::string& what) {
      parser_.fail("tensor " + in_quotes(tensor.name) + what);
    };
    tensor.dtype = type.dtype;
    tensor.dtype_name = type.dtype_name;
    tensor.item_size = type.size;
    tensor.stride.resize(tensor.shape.size());
    const auto begin = static_cast<std::uint64_t>(offsets[0]);
    const auto end = static_cast<std::uint64_t>(offsets[1]);
    if (begin > end || end > data_.size()) fail(": its data_offsets are not inside the file");
    std::uint64_t count = 1;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      const auto length = static_cast<std::uint64_t>(tensor.shape[i]);
      if (length > 0 && count > (std::uint64_t{1} << 59) / length)
        fail(": its size overflows 64 bits");
      count *= length;
    }
    std::int64_t stride = 1;
    for (std::size_t i = tensor.shape.size(); i-- > 0 && count > 0; stride *= tensor.shape[i])
      tensor.stride[i] = stride;
    const std::uint64_t nbytes = count * type.size;
    if (nbytes != end - begin)
      fail(" takes " + std::to_string(nbytes) + " bytes, its data_offsets hold " +
           std::to_string(end - begin));
    tensor.storage = data_.data() + begin;
    tensor.storage_bytes = nbytes;
    tensor.storage_id = checkpoint_.tensors.size();
  }

  void check_names() {
    budget_.charge(checkpoint_.tensors.size() * sizeof(std::string_view));
    names_.reserve(checkpoint_.tensors.size());
    for (const Tensor& tensor : checkpoint_.tensors) names_.push_back(tensor.name);
    refuse_twins(names_, "tensor ");
  }

  /// Sorts them.
  void refuse_twins(std::vector<std::string_view>& names, const std::string& what) const {
    std::sort(names.begin(), names.end());
    const auto twin = std::adjacent_find(names.begin(), names.end());
    if (twin != names.end())
      throw FileError(file_, "header", what + in_quotes(*twin) + " comes twice");
  }

  /// The data must be covered from the first to the last byte, without overlap.
  void check_ranges() {
    std::vector<const Tensor*> order;
    budget_.charge(checkpoint_.tensors.size() * sizeof(Tensor*));
    order.reserve(checkpoint_.tensors.size());
    for (const Tensor& tensor : checkpoint_.tensors) order.push_back(&tensor);
    std::sort(order.begin(), order.end(), [](const Tensor* a, const Tensor* b) {
      return a->storage != b->storage ? a->storage < b->storage
                                      : a->storage_bytes < b->storage_bytes;
    });
    const unsigned char* next = data_.data();
    for (const Tensor* tensor : order) {
      if (tensor->storage != next)
        throw FileError(file_, "header",
                        "tensor " + in_quotes(tensor->name) +
                            (tensor->storage < next ? " overlaps another one"
                                                    : " leaves a hole in front of it"));
      next += tensor->storage_bytes;
    }
    if (next != data_.data() + data_.size())
      throw FileError(file_, "data",
                      std::to_string(data_.data() + data_.size() - next) +
                          " bytes behind the last tensor belong to none");
  }

  /// Writers that drop shared tensors note them in the metadata: dropped name → kept name.
  void find_aliases() {
    const auto has = [&](const std::string& name) {
      return std::binary_search(names_.begin(), names_.end(), name);
    };
    for (const auto& [key, value] : checkpoint_.metadata) {
      if (!has(value) || has(key)) continue;
      budget_.charge(2 * (key.size() + value.size()) + 3 * 64);
      checkpoint_.aliases.emplace_back(key, value);
    }
  }

  const std::string& file_;
  Budget budget_;
  Bytes data_;
  std::string_view header_;
  HeaderParser parser_;
  std::vector<std::string_view> names_;  // sorted
  Checkpoint checkpoint_;
};

}  // namespace

Checkpoint read_safetensors(Bytes bytes, const std::string& path) {
  return SafetensorsReader(bytes, path).read();
}

}  // namespace kinglet::tools
