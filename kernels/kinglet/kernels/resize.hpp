#pragma once
// Images of another size.

#include <kinglet/kernels/image.hpp>
#include <kinglet/kernels/simd.hpp>

namespace kinglet::kernels {

/// y[r][c] = x[r / factor][c / factor]: every pixel becomes a square of its copies
/// shapes    x (height, width, channels)   y (factor·height, factor·width, channels)
/// requires  factor > 0; y does not overlap x; for `count` rows of y from `first` on
/// numerics  exact
/// memory    none
/// oracle    tests/reference/image.hpp
template <class Isa>
void resize_nearest_f32(const ImageView<const float>& x, int factor, int first, int count,
                        const ImageView<float>& y) noexcept {
  KINGLET_ASSERT(y.height == x.height * factor && y.width == x.width * factor);
  for (int row = first; row < first + count; ++row) {
    for (int column = 0; column < y.width; ++column)
      copy<Isa>(y.channels, y.at(row, column), x.at(row / factor, column / factor));
  }
}

/// Where the outputs of one dimension of a bilinear resize lie: output i is `weight[i]` of the way
/// from input first[i] to the next one, or at it if it is the last.
struct Between {
  std::int32_t* first = nullptr;
  float* weight = nullptr;
};

/// Pixel centres in double would be (i + ½)·in/out − ½, and 0 where that is negative; this is in
/// float, as PyTorch has it.
/// shapes    at (out)
/// requires  in, out > 0
/// numerics  three roundings; same bits everywhere
/// memory    none
/// oracle    tests/reference/image.hpp
KINGLET_INLINE void resize_positions(int in, int out, const Between& at) noexcept {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  for (int i = 0; i < out; ++i) {
    const float centre = __builtin_fmaf(scale, static_cast<float>(i) + 0.5f, -0.5f);
    const float from = centre > 0.0f ? centre : 0.0f;
    const int whole = static_cast<int>(from);
    at.first[i] = whole < in - 1 ? whole : in - 1;
    at.weight[i] = from - static_cast<float>(at.first[i]);
  }
}

/// y = x between its pixels: bilinear, align_corners = false, without antialiasing
/// shapes    x (height, width, channels)   y (its own height and width, channels)
///           rows (y.height)   columns (y.width)
/// requires  rows, columns from resize_positions; y does not overlap x; for `count` rows of y from
///           `first` on
/// numerics  two steps a + w·(b − a), between rows first; same bits on every ISA with FMA
/// memory    scratch of x.width·channels floats
/// oracle    tests/reference/image.hpp
template <class Isa>
void resize_bilinear_f32(const ImageView<const float>& x, const Between& rows,
                         const Between& columns, int first, int count, const ImageView<float>& y,
                         float* scratch) noexcept {
  KINGLET_ASSERT(x.height > 0 && x.width > 0 && x.channels == y.channels);
  const int c = y.channels;
  const auto blend = [](auto weight, auto a, auto b) { return fma(weight, b - a, a); };
  const auto next = [](int i, int size) { return i < size - 1 ? i + 1 : i; };
  for (int row = first; row < first + count; ++row) {
    const int above = rows.first[row], below = next(above, x.height);
    const auto between_rows = [=](auto a, auto b) {
      return blend(decltype(a)(rows.weight[row]), a, b);
    };
    if (x.pixel == c) {
      map<Isa>(x.width * c, scratch, between_rows, x.at(above, 0), x.at(below, 0));
    } else {
      for (int i = 0; i < x.width; ++i)
        map<Isa>(c, scratch + i * c, between_rows, x.at(above, i), x.at(below, i));
    }
    if (c == 1 && y.pixel == 1) {
      constexpr int kBlock = 64;
      float a[kBlock], b[kBlock];
      for (int i = 0; i < y.width; i += kBlock) {
        const int n = y.width - i < kBlock ? y.width - i : kBlock;
        for (int j = 0; j < n; ++j) {
          const int left = columns.first[i + j];
          a[j] = scratch[left];
          b[j] = scratch[next(left, x.width)];
        }
        map<Isa>(n, y.at(row, i), blend, columns.weight + i, a, b);
      }
      continue;
    }
    for (int i = 0; i < y.width; ++i) {
      const int left = columns.first[i], right = next(left, x.width);
      const auto between_columns = [=](auto a, auto b) {
        return blend(decltype(a)(columns.weight[i]), a, b);
      };
      map<Isa>(c, y.at(row, i), between_columns, scratch + left * c, scratch + right * c);
    }
  }
}

}  // namespace kinglet::kernels
