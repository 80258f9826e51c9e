#pragma once

#include <cstddef>
#include <cstdint>
#include <kinglet/kernels/simd.hpp>

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
  using V = Floats<Isa>;
  for (int r = 0; r < rows; ++r, y += ldy) {
    KINGLET_ASSERT(ids[r] >= 0);
    const std::int8_t* row = table + static_cast<std::ptrdiff_t>(ids[r]) * ldt;
    const V s = scale[ids[r]];
    int i = 0;
    for (; i <= n - V::size; i += V::size) {
      const V start = accumulate ? V::load(y + i) : V(0.0f);
      fma(V::load_bytes(row + i), s, start).store(y + i);
    }
    if (i < n) {
      std::int8_t bytes[V::size] = {};
      for (int j = 0; i + j < n; ++j) bytes[j] = row[i + j];
      const V start = accumulate ? V::load(y + i, n - i) : V(0.0f);
      fma(V::load_bytes(bytes), s, start).store(y + i, n - i);
    }
  }
}

}  // namespace kinglet::kernels
