#pragma once
// Text from files, made fit to be shown.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::tools {

/// A name as it may stand in a message or a listing: on one line, valid UTF-8, about `limit` bytes
/// at most; control characters and stray bytes as \xNN.
std::string printable(std::string_view name, std::size_t limit);

/// The same in quotes.
std::string in_quotes(std::string_view name, std::size_t limit = 120);

/// "[2, 3]".
std::string shape_text(const std::vector<std::int64_t>& shape);

/// "12345 bytes (0.01 MiB)".
std::string bytes_text(std::uint64_t bytes);

/// What stands behind the last '/'.
std::string file_name(const std::string& path);

/// Adds a code point, which must be below 2^21.
void append_utf8(std::string& text, std::uint32_t point);

bool ends_with(std::string_view text, std::string_view end) noexcept;

/// Whether a name fits a pattern, in which * stands for any text.
bool matches_wildcard(std::string_view pattern, std::string_view text);

}  // namespace kinglet::tools
