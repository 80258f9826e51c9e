#pragma once
// Matrix views: rows of contiguous elements, ld elements from one row to the next. They never own.

#include <cstddef>
#include <type_traits>

namespace kinglet {

template <class T>
struct MatrixView {
  T* data = nullptr;
  int rows = 0;
  int cols = 0;
  int ld = 0;

  constexpr MatrixView() noexcept = default;
  constexpr MatrixView(T* p, int r, int c) noexcept : data(p), rows(r), cols(c), ld(c) {}
  constexpr MatrixView(T* p, int r, int c, int stride) noexcept
      : data(p), rows(r), cols(c), ld(stride) {}
  template <class U, class = std::enable_if_t<std::is_same_v<const U, T>>>
  constexpr MatrixView(const MatrixView<U>& other) noexcept
      : data(other.data), rows(other.rows), cols(other.cols), ld(other.ld) {}

  constexpr T* row(int r) const noexcept { return data + static_cast<std::ptrdiff_t>(r) * ld; }

  /// Rows first … first + count − 1. Null stays null: a view that only counts has no memory behind it.
  constexpr MatrixView rows_at(int first, int count) const noexcept {
    return {data ? row(first) : nullptr, count, cols, ld};
  }
  /// Columns first … first + count − 1 of every row.
  constexpr MatrixView cols_at(int first, int count) const noexcept {
    return {data ? data + first : nullptr, rows, count, ld};
  }
};

using Matrix = MatrixView<float>;
using ConstMatrix = MatrixView<const float>;

}  // namespace kinglet
