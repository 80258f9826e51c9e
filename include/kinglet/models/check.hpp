#pragma once
// What the checks of the models' inputs share.

#include <cstddef>
#include <cstdint>
#include <kinglet/core/status.hpp>
#include <string_view>

namespace kinglet {

/// which: the input that is not as it should be.
constexpr Status invalid(const char* what, std::string_view which) noexcept {
  return Status(Code::invalid, what, Status::kNowhere, which);
}

/// Whether each of n numbers is in [least, end). Null: none is outside.
constexpr bool all_within(const std::int32_t* numbers, std::ptrdiff_t n, int least,
                          int end) noexcept {
  for (std::ptrdiff_t i = 0; numbers != nullptr && i < n; ++i) {
    if (numbers[i] < least || numbers[i] >= end) return false;
  }
  return true;
}

}  // namespace kinglet
