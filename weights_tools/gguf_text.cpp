#include "gguf_text.hpp"

#include <cstdio>

namespace kinglet::tools {

std::string text_of(const GgufArray& items, std::uint64_t i) {
  switch (items.type()) {
    case GgufType::string: return std::string(items.string(i).value_or({}));
    case GgufType::boolean: return items.boolean(i).value_or(false) ? "true" : "false";
    case GgufType::u64: return std::to_string(items.number(i).value_or(0));
    case GgufType::f32:
    case GgufType::f64: {
      char text[40];
      std::snprintf(text, sizeof text, items.type() == GgufType::f32 ? "%.9g" : "%.17g",
                    items.f64(i).value_or(0));
      return text;
    }
    default: return std::to_string(items.s64(i).value_or(0));
  }
}

const char* name_of(GgufType type) noexcept {
  static constexpr const char* kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                           "bool", "string", "array", "u64", "i64", "f64"};
  return kNames[static_cast<unsigned>(type)];
}

}  // namespace kinglet::tools
