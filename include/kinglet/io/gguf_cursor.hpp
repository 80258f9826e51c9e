#pragma once
// Walking through a GGUF file, value by value and tensor by tensor; see model_file.hpp.

#include <cstddef>
#include <cstdint>
#include <kinglet/io/gguf.hpp>
#include <string_view>

namespace kinglet::detail {

/// Reads little-endian values and never beyond the end.
struct GgufCursor {
  Bytes bytes;
  std::uint64_t at = 0;

  std::uint64_t left() const noexcept { return bytes.size() - at; }
  const unsigned char* here() const noexcept { return bytes.data() + static_cast<std::size_t>(at); }
  template <class T>
  bool read(T& value) noexcept {
    if (left() < sizeof(T)) return false;
    value = load_le<T>(here());
    at += sizeof(T);
    return true;
  }
  bool skip(std::uint64_t size) noexcept {
    if (left() < size) return false;
    at += size;
    return true;
  }
  bool read_text(std::string_view& text) noexcept {
    std::uint64_t size = 0;
    if (!read(size) || left() < size) return false;
    text = text_at(here(), size);
    at += size;
    return true;
  }
};

inline Status read_value(GgufCursor& cursor, GgufValue& value) noexcept {
  const std::uint64_t start = cursor.at;
  std::uint32_t raw_type = 0;
  std::uint64_t count = 1;
  if (!cursor.read_text(value.key) || !cursor.read(raw_type)) {
    return Status(Code::truncated, "a value is cut off", start);
  }
  value.is_array = raw_type == static_cast<std::uint32_t>(GgufType::array);
  if (value.is_array && !(cursor.read(raw_type) && cursor.read(count))) {
    return Status(Code::truncated, "an array is cut off", start);
  }
  if (raw_type > static_cast<std::uint32_t>(GgufType::f64)) {
    return Status(Code::malformed, "unknown value type", cursor.at);
  }
  const GgufType type = static_cast<GgufType>(raw_type);
  if (type == GgufType::array) {
    return Status(Code::unsupported, "arrays of arrays are not supported", start);
  }
  const std::uint64_t from = cursor.at;
  if (type == GgufType::string) {
    std::string_view text;
    if (count > cursor.left() / 8) {
      return Status(Code::truncated, "an array of strings claims more than the file holds", from);
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!cursor.read_text(text)) {
        return Status(Code::truncated, "a string is longer than the file", cursor.at);
      }
    }
  } else {
    const std::uint64_t size = size_of(type);
    if (count > cursor.left() / size || !cursor.skip(count * size)) {
      return Status(Code::truncated, "a value is longer than the file", from);
    }
  }
  value.items = {type, count,
                 cursor.bytes.subspan(static_cast<std::size_t>(from),
                                      static_cast<std::size_t>(cursor.at - from))};
  return {};
}

/// A tensor as the file describes it; see gguf.hpp for the types.
struct GgufTensor {
  std::string_view name;
  std::uint32_t rank = 0;
  std::uint64_t dims[4] = {1, 1, 1, 1};  ///< fastest first
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
  std::uint64_t nbytes = 0;
};

/// Bounds are checked here, what the fields say in ModelFile.
inline Status read_tensor(GgufCursor& cursor, GgufTensor& raw) noexcept {
  const std::uint64_t start = cursor.at;
  raw = {};
  if (!cursor.read_text(raw.name) || !cursor.read(raw.rank)) {
    return Status(Code::truncated, "a tensor description is cut off", start);
  }
  if (raw.rank > 4) return Status(Code::malformed, "a tensor of more than 4 dimensions", start);
  bool read = true;
  for (std::uint32_t i = 0; i < raw.rank; ++i) read = read && cursor.read(raw.dims[i]);
  if (!read || !cursor.read(raw.type) || !cursor.read(raw.offset)) {
    return Status(Code::truncated, "a tensor description is cut off", start);
  }
  const GgufTensorType& type = gguf_tensor_type(raw.type);
  if (type.name == nullptr) return Status(Code::malformed, "unknown tensor type", start);
  if (raw.dims[0] % type.block != 0) {
    return Status(Code::malformed, "a row is not a whole number of blocks", start);
  }
  bool fits = multiply(raw.dims[0] / type.block, type.bytes, raw.nbytes);
  for (int i = 1; i < 4; ++i) fits = fits && multiply(raw.nbytes, raw.dims[i], raw.nbytes);
  if (!fits) return Status(Code::malformed, "a tensor's size overflows 64 bits", start);
  return {};
}

/// What check_distinct compares: a name and the bytes that it stands for, none if begin = end.
struct GgufEntry {
  std::string_view name;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

inline std::uint64_t hash_of(std::string_view text) noexcept {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// No two entries of the same name or with common bytes. A block of entries is held on the stack
/// and compared with all later ones, block after block: n²/2 cheap comparisons and n/64 walks over
/// the file. Names are compared by a 64-bit hash (two that share it count as the same).
template <class Next>
Status check_distinct(GgufCursor cursor, std::uint64_t count, const char* what,
                      Next next) noexcept {
  struct Held {
    std::uint64_t hash, begin, end;
  } held[64];
  std::uint64_t first = 0;
  while (first < count) {
    GgufCursor following = cursor;
    std::size_t size = 0;
    for (std::uint64_t i = first; i < count; ++i) {
      const std::uint64_t at = cursor.at;
      GgufEntry entry;
      if (!next(cursor, entry)) return Status(Code::malformed, what, at);
      const Held now = {hash_of(entry.name), entry.begin, entry.end};
      bool clash = false;
      for (std::size_t j = 0; j < size; ++j) {
        clash |=
            (held[j].hash == now.hash) | ((held[j].begin < now.end) & (now.begin < held[j].end));
      }
      if (clash) return Status(Code::malformed, what, at, entry.name);
      if (size < sizeof held / sizeof held[0]) {
        held[size++] = now;
        following = cursor;
      }
    }
    first += size;
    cursor = following;
  }
  return {};
}

}  // namespace kinglet::detail
