#pragma once

#include <cstddef>
#include <cstdint>
#include <kinglet/kernels/gemm_s8.hpp>

namespace kinglet::kernels {

/// y[r] = table[ids[r]], or y[r] += table[ids[r]] when accumulating
/// shapes    ids (rows)   table (vocabulary, n)   y (rows, n)
/// layout    rows contiguous; ldt, ldy in elements
/// requires  0 ≤ ids[r] < vocabulary; y does not overlap the table
/// numerics  exact; one rounded addition when accumulating
/// memory    none
/// oracle    tests/reference/embedding.hpp
template <class Isa>
void embedding_f32(int rows, int n, const std::int32_t* ids, const float* table, int ldt, float* y,
                   int ldy, bool accumulate) noexcept {
  for (int r = 0; r < rows; ++r, y += ldy) {
    KINGLET_ASSERT(ids[r] >= 0);
    const float* row = table + static_cast<std::ptrdiff_t>(ids[r]) * ldt;
    if (accumulate) {
      map<Isa>(
          n, y, [](auto u, auto v) { return u + v; }, y, row);
    } else {
      copy<Isa>(n, y, row);
    }
  }
}

namespace detail {

/// y (+)= s · bytes
template <class Isa>
KINGLET_INLINE void scaled_bytes(int n, const std::int8_t* x, float scale, float* y,
                                 bool accumulate) noexcept {
  using V = Floats<Isa>;
  const V s = scale;
  int i = 0;
  for (; i <= n - V::size; i += V::size) {
    const V start = accumulate ? V::load(y + i) : V(0.0f);
    fma(V::load_bytes(x + i), s, start).store(y + i);
  }
  if (i < n) {
    std::int8_t bytes[V::size] = {};
    for (int j = 0; i + j < n; ++j) bytes[j] = x[i + j];
    const V start = accumulate ? V::load(y + i, n - i) : V(0.0f);
    fma(V::load_bytes(bytes), s, start).store(y + i, n - i);
  }
}

/// Columns of a row of panels that are gathered at a time.
inline constexpr int kGathered = 64;

}  // namespace detail

/// The same for a table of int8 rows with a scale each: y[r] (+)= scale[ids[r]] · table[ids[r]]
/// shapes    ids (rows)   table (vocabulary, n)   scale (vocabulary)   y (rows, n)
/// layout    rows contiguous; ldt, ldy in elements
/// requires  0 ≤ ids[r] < vocabulary; y does not overlap the table
/// numerics  one rounding, whether accumulating or not
/// memory    none
/// oracle    tests/reference/embedding.hpp
template <class Isa>
void embedding_s8(int rows, int n, const std::int32_t* ids, const std::int8_t* table, int ldt,
                  const float* scale, float* y, int ldy, bool accumulate) noexcept {
  for (int r = 0; r < rows; ++r, y += ldy) {
    KINGLET_ASSERT(ids[r] >= 0);
    const std::int8_t* row = table + static_cast<std::ptrdiff_t>(ids[r]) * ldt;
    detail::scaled_bytes<Isa>(n, row, scale[ids[r]], y, accumulate);
  }
}

/// embedding_f32 for a table that is stored as the panels of a product with it: a word table tied to the decoder of a
/// masked language model. Row id is column id mod 16 of panel id / 16.
/// shapes    ids (rows)   panels [ceil(vocabulary/16)][n][16], see gemm_f32.hpp   y (rows, n)
/// layout    rows of y contiguous; ldy in elements
/// requires  0 ≤ ids[r] < vocabulary; y does not overlap the panels
/// numerics  the same bits as embedding_f32 of the table
/// memory    256 bytes of stack
/// oracle    tests/reference/embedding.hpp
template <class Isa>
void embedding_panels_f32(int rows, int n, const std::int32_t* ids, const float* panels, float* y,
                          int ldy, bool accumulate) noexcept {
  for (int r = 0; r < rows; ++r, y += ldy) {
    KINGLET_ASSERT(ids[r] >= 0);
    const float* column =
        panels + static_cast<std::ptrdiff_t>(ids[r] / kPanel) * n * kPanel + ids[r] % kPanel;
    for (int i = 0; i < n; i += detail::kGathered) {
      const int count = n - i < detail::kGathered ? n - i : detail::kGathered;
      float row[detail::kGathered];
      for (int j = 0; j < count; ++j) row[j] = column[static_cast<std::ptrdiff_t>(i + j) * kPanel];
      const std::int32_t first = 0;
      embedding_f32<Isa>(1, count, &first, row, count, y + i, ldy, accumulate);
    }
  }
}

/// The same for int8 panels, with a scale a row of the table.
/// shapes    ids (rows)   panels [ceil(vocabulary/16)][padded_depth(n)/4][16][4], see gemm_s8.hpp
///           scale (vocabulary)   y (rows, n)
/// layout    rows of y contiguous; ldy in elements
/// requires  0 ≤ ids[r] < vocabulary; y does not overlap the panels
/// numerics  the same bits as embedding_s8 of the table
/// memory    64 bytes of stack
/// oracle    tests/reference/embedding.hpp
template <class Isa>
void embedding_panels_s8(int rows, int n, const std::int32_t* ids, const std::int8_t* panels,
                         const float* scale, float* y, int ldy, bool accumulate) noexcept {
  static_assert(detail::kGathered % 4 == 0, "whole groups of four");
  for (int r = 0; r < rows; ++r, y += ldy) {
    KINGLET_ASSERT(ids[r] >= 0);
    const std::int8_t* column =
        panels + static_cast<std::ptrdiff_t>(ids[r] / kPanel) * padded_depth(n) * kPanel +
        ids[r] % kPanel * 4;
    for (int i = 0; i < n; i += detail::kGathered) {
      const int count = n - i < detail::kGathered ? n - i : detail::kGathered;
      std::int8_t row[detail::kGathered];
      for (int j = 0; j < count; ++j) {
        row[j] = column[static_cast<std::ptrdiff_t>((i + j) / 4) * kPanel * 4 + (i + j) % 4];
      }
      detail::scaled_bytes<Isa>(count, row, scale[ids[r]], y + i, accumulate);
    }
  }
}

}  // namespace kinglet::kernels
