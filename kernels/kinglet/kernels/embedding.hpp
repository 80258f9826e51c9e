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

}  // namespace kinglet::kernels
