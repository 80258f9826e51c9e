#include "text.hpp"

#include <cstdio>
#include <kinglet/io/utf8.hpp>

namespace kinglet::tools {
namespace {

/// Control characters, and the separators that some programs take for the end of a line.
bool is_printable(std::uint32_t point) noexcept {
  return point >= 0x20 && !(point >= 0x7F && point < 0xA0) && point != 0x2028 && point != 0x2029;
}

}  // namespace

std::string printable(std::string_view name, std::size_t limit) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < name.size();) {
    if (text.size() >= limit) return text + "…";
    const CodePoint point = decode_utf8(name, i);
    const std::size_t size = point.size > 0 ? point.size : 1;
    if (point.size > 0 && is_printable(point.value)) {
      text.append(name.substr(i, size));
    } else {
      for (const char c : name.substr(i, size)) {
        const auto byte = static_cast<unsigned char>(c);
        text += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
      }
    }
    i += size;
  }
  return text;
}

std::string in_quotes(std::string_view name, std::size_t limit) {
  return "'" + printable(name, limit) + "'";
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t length : shape)
    text += (text.empty() ? "" : ", ") + std::to_string(length);
  return "[" + text + "]";
}

std::string file_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

void append_utf8(std::string& text, std::uint32_t point) {
  const auto byte = [&](std::uint32_t value) { text += static_cast<char>(value); };
  const auto tail = [&](unsigned shift) { byte(0x80 | ((point >> shift) & 0x3F)); };
  if (point < 0x80) return byte(point);
  if (point < 0x800) {
    byte(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      byte(0xE0 | point >> 12);
    } else {
      byte(0xF0 | point >> 18);
      tail(12);
    }
    tail(6);
  }
  tail(0);
}

bool ends_with(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool matches_wildcard(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return matches_wildcard(pattern.substr(1), text) ||
           (!text.empty() && matches_wildcard(pattern, text.substr(1)));
  }
  return !text.empty() && pattern[0] == text[0] &&
         matches_wildcard(pattern.substr(1), text.substr(1));
}

std::string bytes_text(std::uint64_t bytes) {
  char text[80];
  std::snprintf(text, sizeof text, "%llu bytes (%.2f MiB)", static_cast<unsigned long long>(bytes),
                static_cast<double>(bytes) / 1048576.0);
  return text;
}

}  // namespace kinglet::tools
