#pragma once
// Status, Result<T>: how an operation at the door (io, bind, tools) says what went wrong, and
// where. Values of fixed size: no heap, no exceptions, trivially copyable.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace kinglet {

enum class Code : std::uint8_t {
  ok,
  truncated,    ///< the bytes end before what they announce
  malformed,    ///< the bytes break the rules of their format
  unsupported,  ///< legal, but not handled here
  missing,      ///< a tensor or key that is needed is not there
  mismatch,     ///< a tensor or key is there with another type, shape or value than needed
  invalid,      ///< a caller's argument is out of range
  no_memory,    ///< the memory handed over is too small
};

class [[nodiscard]] Status {
 public:
  static constexpr std::uint64_t kNowhere = ~std::uint64_t{0};
  static constexpr std::size_t kSubject =
      72;  ///< longest subject kept; GGUF names have at most 64 bytes

  constexpr Status() noexcept = default;

  /// what: a text with static lifetime. offset: the byte where it was seen. subject: the tensor or key, cut at 72 bytes.
  constexpr Status(Code code, const char* what, std::uint64_t offset = kNowhere,
                   std::string_view subject = {}) noexcept
      : code_(code), what_(what), offset_(offset) {
    for (; size_ < subject.size() && size_ < kSubject; ++size_) subject_[size_] = subject[size_];
  }

  constexpr bool ok() const noexcept { return code_ == Code::ok; }
  constexpr explicit operator bool() const noexcept { return ok(); }
  constexpr Code code() const noexcept { return code_; }
  constexpr const char* what() const noexcept { return what_; }
  constexpr std::uint64_t offset() const noexcept { return offset_; }
  constexpr std::string_view subject() const noexcept { return {subject_, size_}; }

 private:
  Code code_ = Code::ok;
  const char* what_ = "";
  std::uint64_t offset_ = kNowhere;
  std::size_t size_ = 0;
  char subject_[kSubject] = {};
};

/// A value, or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
  static_assert(std::is_trivially_copyable_v<T>, "results are plain values");

 public:
  constexpr Result(const T& value) noexcept : value_(value) {}
  constexpr Result(const Status& status) noexcept : status_(status) {}

  constexpr bool ok() const noexcept { return status_.ok(); }
  constexpr explicit operator bool() const noexcept { return ok(); }
  constexpr const Status& status() const noexcept { return status_; }
  constexpr const T& operator*() const noexcept { return value_; }
  constexpr const T* operator->() const noexcept { return &value_; }
  constexpr T value_or(const T& other) const noexcept { return ok() ? value_ : other; }

 private:
  T value_{};
  Status status_{};
};

}  // namespace kinglet
