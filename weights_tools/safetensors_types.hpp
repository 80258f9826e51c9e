#pragma once
// The element types that safetensors and we share.

#include <cstdint>
#include <kinglet/core/dtype.hpp>
#include <string_view>

namespace kinglet::tools {

struct SafetensorsType {
  std::string_view code;        // in the file
  std::string_view dtype_name;  // as PyTorch says
  DType dtype;
  std::uint64_t size;  // bytes
};

inline constexpr SafetensorsType kSafetensorsTypes[] = {
    {"BOOL", "bool", DType::boolean, 1},
    {"U8", "uint8", DType::u8, 1},
    {"I8", "int8", DType::s8, 1},
    {"F8_E5M2", "float8_e5m2", DType::other, 1},
    {"F8_E4M3", "float8_e4m3fn", DType::other, 1},
    {"I16", "int16", DType::s16, 2},
    {"U16", "uint16", DType::other, 2},
    {"F16", "float16", DType::f16, 2},
    {"BF16", "bfloat16", DType::bf16, 2},
    {"I32", "int32", DType::s32, 4},
    {"U32", "uint32", DType::other, 4},
    {"F32", "float32", DType::f32, 4},
    {"F64", "float64", DType::f64, 8},
    {"I64", "int64", DType::s64, 8},
    {"U64", "uint64", DType::other, 8},
};

inline const SafetensorsType* find_safetensors_type(std::string_view code) noexcept {
  for (const SafetensorsType& type : kSafetensorsTypes)
    if (type.code == code) return &type;
  return nullptr;
}

inline const SafetensorsType* safetensors_type_of(std::string_view dtype_name) noexcept {
  for (const SafetensorsType& type : kSafetensorsTypes)
    if (type.dtype_name == dtype_name) return &type;
  return nullptr;
}

}  // namespace kinglet::tools
