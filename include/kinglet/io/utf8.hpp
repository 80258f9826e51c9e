#pragma once
// UTF-8: one code point at a time, nothing lenient.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace kinglet {

struct CodePoint {
  std::uint32_t value = 0;
  std::uint32_t size = 0;  ///< bytes it takes; 0 if the bytes are not well-formed UTF-8
};

/// The code point that starts at text[at]; at < text.size(). No overlong forms, no surrogates, nothing above U+10FFFF.
inline CodePoint decode_utf8(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::uint32_t size = lead < 0xC2   ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (size == 0 || text.size() - at < size) return {};
  std::uint32_t value = lead & (0x7Fu >> size);
  for (std::uint32_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3Fu);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, size};
}

inline bool valid_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    std::uint64_t eight = 0;
    if (text.size() - at >= sizeof eight) {
      std::memcpy(&eight, text.data() + at, sizeof eight);
      if ((eight & 0x8080808080808080u) == 0) {
        at += sizeof eight;
        continue;
      }
    }
    const CodePoint point = decode_utf8(text, at);
    if (point.size == 0) return false;
    at += point.size;
  }
  return true;
}

}  // namespace kinglet
