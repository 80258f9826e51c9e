#pragma once
// A GGUF file put together by hand, so that tests can break each of its rules.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::tests {

template <class T>
std::string le(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes += static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  }
  return bytes;
}

inline std::string text(std::string_view s) { return le<std::uint64_t>(s.size()) + std::string(s); }

struct GgufBytes {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::uint64_t value_count = 0;
  std::uint64_t tensor_count = 0;
  std::string values;
  std::string tensors;
  std::string data;
  std::size_t alignment = 32;

  /// raw: the value as it stands in the file.
  GgufBytes& value(std::string_view key, std::uint32_t type, const std::string& raw) {
    values += text(key) + le(type) + raw;
    ++value_count;
    return *this;
  }
  GgufBytes& array(std::string_view key, std::uint32_t type, std::uint64_t count,
                   const std::string& raw) {
    return value(key, 9, le(type) + le(count) + raw);
  }
  GgufBytes& strings(std::string_view key, const std::vector<std::string>& list) {
    std::string raw;
    for (const std::string& s : list) raw += text(s);
    return array(key, 8, list.size(), raw);
  }
  /// dims: fastest first.
  GgufBytes& tensor(std::string_view name, const std::vector<std::uint64_t>& dims,
                    std::uint32_t type, std::uint64_t offset) {
    tensors += text(name) + le(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) tensors += le(dim);
    tensors += le(type) + le(offset);
    ++tensor_count;
    return *this;
  }

  std::string head() const {
    return magic + le(version) + le(tensor_count) + le(value_count) + values + tensors;
  }
  std::vector<unsigned char> bytes() const {
    std::string all = head();
    if (!data.empty()) all.append((alignment - all.size() % alignment) % alignment, '\0');
    all += data;
    return {all.begin(), all.end()};
  }
};

}  // namespace kinglet::tests
