#pragma once
// Values of a GGUF file as text.

#include <kinglet/io/model_file.hpp>
#include <string>

namespace kinglet::tools {

/// Value i in full precision; of an array of strings only the first is reached quickly.
std::string text_of(const GgufArray& items, std::uint64_t i);

/// "u32", "string" …
const char* name_of(GgufType type) noexcept;

}  // namespace kinglet::tools
