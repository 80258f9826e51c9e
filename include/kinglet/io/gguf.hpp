#pragma once
// What a GGUF file is made of: value types, tensor types, and views of values as they stand in the
// file. Whoever makes a view has checked its bytes; see model_file.hpp.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <kinglet/core/dtype.hpp>
#include <kinglet/core/span.hpp>
#include <kinglet/core/status.hpp>
#include <string_view>

namespace kinglet {

/// Types of metadata values, numbered as in the file.
enum class GgufType : std::uint32_t {
  u8,
  s8,
  u16,
  s16,
  u32,
  s32,
  f32,
  boolean,
  string,
  array,
  u64,
  s64,
  f64,
};

/// How a tensor type lays out its elements: `block` of them along a row take `bytes`.
struct GgufTensorType {
  const char* name;  // null: unknown
  std::uint16_t block;
  std::uint16_t bytes;
  DType dtype;
};

namespace detail {

inline constexpr GgufTensorType kUnknownGgufTensorType = {nullptr, 0, 0, DType::other};
inline constexpr GgufTensorType kGgufTensorTypes[] = {
    {"f32", 1, 4, DType::f32},
    {"f16", 1, 2, DType::f16},
    {"q4_0", 32, 18, DType::other},
    {"q4_1", 32, 20, DType::other},
    kUnknownGgufTensorType,
    kUnknownGgufTensorType,
    {"q5_0", 32, 22, DType::other},
    {"q5_1", 32, 24, DType::other},
    {"q8_0", 32, 34, DType::other},
    {"q8_1", 32, 36, DType::other},
    {"q2_k", 256, 84, DType::other},
    {"q3_k", 256, 110, DType::other},
    {"q4_k", 256, 144, DType::other},
    {"q5_k", 256, 176, DType::other},
    {"q6_k", 256, 210, DType::other},
    {"q8_k", 256, 292, DType::other},
    {"iq2_xxs", 256, 66, DType::other},
    {"iq2_xs", 256, 74, DType::other},
    {"iq3_xxs", 256, 98, DType::other},
    {"iq1_s", 256, 50, DType::other},
    {"iq4_nl", 32, 18, DType::other},
    {"iq3_s", 256, 110, DType::other},
    {"iq2_s", 256, 82, DType::other},
    {"iq4_xs", 256, 136, DType::other},
    {"i8", 1, 1, DType::s8},
    {"i16", 1, 2, DType::s16},
    {"i32", 1, 4, DType::s32},
    {"i64", 1, 8, DType::s64},
    {"f64", 1, 8, DType::f64},
    {"iq1_m", 256, 56, DType::other},
    {"bf16", 1, 2, DType::bf16},
    kUnknownGgufTensorType,
    kUnknownGgufTensorType,
    kUnknownGgufTensorType,
    {"tq1_0", 256, 54, DType::other},
    {"tq2_0", 256, 66, DType::other},
    kUnknownGgufTensorType,
    kUnknownGgufTensorType,
    kUnknownGgufTensorType,
    {"mxfp4", 32, 17, DType::other},
};

/// Little-endian, from any address, on any machine.
template <class T>
T load_le(const unsigned char* p) noexcept {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(static_cast<T>(p[i]) << (8 * i)));
  }
  return value;
}

inline std::string_view text_at(const unsigned char* p, std::uint64_t size) noexcept {
  return {reinterpret_cast<const char*>(p), static_cast<std::size_t>(size)};
}

/// Bytes of a value of this type; 0 for strings, arrays and unknown types.
constexpr std::uint64_t size_of(GgufType type) noexcept {
  switch (type) {
    case GgufType::u8:
    case GgufType::s8:
    case GgufType::boolean: return 1;
    case GgufType::u16:
    case GgufType::s16: return 2;
    case GgufType::u32:
    case GgufType::s32:
    case GgufType::f32: return 4;
    case GgufType::u64:
    case GgufType::s64:
    case GgufType::f64: return 8;
    case GgufType::string:
    case GgufType::array: return 0;
  }
  return 0;
}

constexpr bool multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& product) noexcept {
  if (b != 0 && a > ~std::uint64_t{0} / b) return false;
  product = a * b;
  return true;
}

}  // namespace detail

constexpr const GgufTensorType& gguf_tensor_type(std::uint32_t type) noexcept {
  constexpr std::size_t count =
      sizeof detail::kGgufTensorTypes / sizeof detail::kGgufTensorTypes[0];
  return type < count ? detail::kGgufTensorTypes[type] : detail::kUnknownGgufTensorType;
}

/// The values behind a key: one, or those of an array. A view into a checked file.
class GgufArray {
 public:
  GgufArray() noexcept = default;
  GgufArray(GgufType type, std::uint64_t count, Bytes bytes) noexcept
      : type_(type), count_(count), bytes_(bytes) {}

  GgufType type() const noexcept { return type_; }  ///< of the elements; never `array`
  std::uint64_t count() const noexcept { return count_; }
  Bytes bytes() const noexcept { return bytes_; }  ///< as in the file

  /// Any integer type_, if the number is not negative.
  Result<std::uint64_t> number(std::uint64_t i) const noexcept {
    if (i < count_ && type_ == GgufType::u64) return detail::load_le<std::uint64_t>(at_byte(i));
    const Result<std::int64_t> value = s64(i);
    if (!value) return value.status();
    if (*value < 0) return Status(Code::mismatch, "is negative");
    return static_cast<std::uint64_t>(*value);
  }

  /// Any integer type_.
  Result<std::int64_t> s64(std::uint64_t i) const noexcept {
    if (i >= count_) return Status(Code::invalid, "index beyond the array");
    const unsigned char* p = at_byte(i);
    switch (type_) {
      case GgufType::u8: return std::int64_t{*p};
      case GgufType::s8: return std::int64_t{static_cast<std::int8_t>(*p)};
      case GgufType::u16: return std::int64_t{detail::load_le<std::uint16_t>(p)};
      case GgufType::s16:
        return std::int64_t{static_cast<std::int16_t>(detail::load_le<std::uint16_t>(p))};
      case GgufType::u32: return std::int64_t{detail::load_le<std::uint32_t>(p)};
      case GgufType::s32:
        return std::int64_t{static_cast<std::int32_t>(detail::load_le<std::uint32_t>(p))};
      case GgufType::u64: {
        const std::uint64_t value = detail::load_le<std::uint64_t>(p);
        if (value >> 63) return Status(Code::mismatch, "does not fit in 63 bits");
        return static_cast<std::int64_t>(value);
      }
      case GgufType::s64: return static_cast<std::int64_t>(detail::load_le<std::uint64_t>(p));
      case GgufType::f32:
      case GgufType::f64:
      case GgufType::boolean:
      case GgufType::string:
      case GgufType::array: break;
    }
    return Status(Code::mismatch, "is not an integer");
  }

  /// f32 or f64.
  Result<double> f64(std::uint64_t i) const noexcept {
    if (i >= count_) return Status(Code::invalid, "index beyond the array");
    if (type_ == GgufType::f32) {
      const std::uint32_t bits = detail::load_le<std::uint32_t>(at_byte(i));
      float value = 0;
      std::memcpy(&value, &bits, sizeof value);
      return static_cast<double>(value);
    }
    if (type_ == GgufType::f64) {
      const std::uint64_t bits = detail::load_le<std::uint64_t>(at_byte(i));
      double value = 0;
      std::memcpy(&value, &bits, sizeof value);
      return value;
    }
    return Status(Code::mismatch, "is not a floating-point number");
  }

  Result<bool> boolean(std::uint64_t i) const noexcept {
    if (i >= count_) return Status(Code::invalid, "index beyond the array");
    if (type_ != GgufType::boolean) return Status(Code::mismatch, "is not a boolean");
    return *at_byte(i) != 0;
  }

  /// Walks over the strings; nothing if these are not strings.
  class StringIterator {
   public:
    StringIterator() noexcept = default;
    StringIterator(const unsigned char* p, std::uint64_t left) noexcept : p_(p), left_(left) {}
    std::string_view operator*() const noexcept {
      return detail::text_at(p_ + 8, detail::load_le<std::uint64_t>(p_));
    }
    StringIterator& operator++() noexcept {
      p_ += 8 + static_cast<std::size_t>(detail::load_le<std::uint64_t>(p_));
      --left_;
      return *this;
    }
    bool operator!=(const StringIterator& other) const noexcept { return left_ != other.left_; }
    /// Where the string starts in the file: StringIterator(address(), 1) comes back to it.
    const unsigned char* address() const noexcept { return p_; }

   private:
    const unsigned char* p_ = nullptr;
    std::uint64_t left_ = 0;
  };
  struct Strings {
    StringIterator first;
    StringIterator begin() const noexcept { return first; }
    StringIterator end() const noexcept { return {}; }
  };
  Strings strings() const noexcept {
    return {{bytes_.data(), type_ == GgufType::string ? count_ : 0}};
  }

  /// String i; takes time in proportion to i.
  Result<std::string_view> string(std::uint64_t i) const noexcept {
    if (type_ != GgufType::string) return Status(Code::mismatch, "is not a string");
    for (const std::string_view text : strings()) {
      if (i-- == 0) return text;
    }
    return Status(Code::invalid, "index beyond the array");
  }

 private:
  const unsigned char* at_byte(std::uint64_t i) const noexcept {
    return bytes_.data() + static_cast<std::size_t>(i * detail::size_of(type_));
  }

  GgufType type_ = GgufType::u8;
  std::uint64_t count_ = 0;
  Bytes bytes_;
};

struct GgufValue {
  std::string_view key;
  bool is_array = false;
  GgufArray items;  ///< exactly one if it is no array
};

}  // namespace kinglet
