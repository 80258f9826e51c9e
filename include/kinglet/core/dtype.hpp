#pragma once
// Element types of stored tensors.

#include <cstddef>
#include <cstdint>

namespace kinglet {

enum class DType : std::uint8_t { f32, f16, bf16, f64, s8, s16, s32, s64, u8, boolean, other };

/// Bytes of one element; 0 for `other` (a quantised or unknown type whose elements have no size of their own).
constexpr std::size_t size_of(DType type) noexcept {
  switch (type) {
    case DType::s8:
    case DType::u8:
    case DType::boolean: return 1;
    case DType::f16:
    case DType::bf16:
    case DType::s16: return 2;
    case DType::f32:
    case DType::s32: return 4;
    case DType::f64:
    case DType::s64: return 8;
    case DType::other: return 0;
  }
  return 0;
}

constexpr const char* name_of(DType type) noexcept {
  switch (type) {
    case DType::f32: return "f32";
    case DType::f16: return "f16";
    case DType::bf16: return "bf16";
    case DType::f64: return "f64";
    case DType::s8: return "s8";
    case DType::s16: return "s16";
    case DType::s32: return "s32";
    case DType::s64: return "s64";
    case DType::u8: return "u8";
    case DType::boolean: return "bool";
    case DType::other: return "other";
  }
  return "other";
}

}  // namespace kinglet
