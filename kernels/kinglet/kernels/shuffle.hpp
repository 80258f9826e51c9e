#pragma once
// Moves between the lanes of registers, the same source for every width: transposes, and joins of
// the lanes of several rows at once. Every step of both is one instruction or two.

#include <kinglet/kernels/simd.hpp>
#include <utility>

namespace kinglet::kernels::detail {

/// For i without bit D: v[i] and v[i + D] become the low and the high halves of both.
template <class Isa, int D>
KINGLET_INLINE void exchange_halves(Floats<Isa>* v) noexcept {
  using V = Floats<Isa>;
  if constexpr (D < V::size) {
    KINGLET_UNROLL
    for (int i = 0; i < V::size; ++i) {
      if (i & D) continue;
      const V low = halves<Isa, D, false>(v[i], v[i + D]);
      v[i + D] = halves<Isa, D, true>(v[i], v[i + D]);
      v[i] = low;
    }
  }
}

/// Lane j of v[i] and lane i of v[j] change places, for V::size registers.
template <class Isa>
KINGLET_INLINE void transpose(Floats<Isa>* v) noexcept {
  using V = Floats<Isa>;
  if constexpr (V::size >= 4) {
    KINGLET_UNROLL
    for (int i = 0; i < V::size; i += 4) {
      const V low = interleave<Isa, false>(v[i], v[i + 1]);
      const V high = interleave<Isa, true>(v[i], v[i + 1]);
      const V low2 = interleave<Isa, false>(v[i + 2], v[i + 3]);
      const V high2 = interleave<Isa, true>(v[i + 2], v[i + 3]);
      v[i] = halves<Isa, 2, false>(low, low2);
      v[i + 1] = halves<Isa, 2, true>(low, low2);
      v[i + 2] = halves<Isa, 2, false>(high, high2);
      v[i + 3] = halves<Isa, 2, true>(high, high2);
    }
    exchange_halves<Isa, 4>(v);
    exchange_halves<Isa, 8>(v);
  }
}

/// Lanes i and i + D of the rows r and r + D are joined in rows r, for D = Step and below, but for
/// the last four lanes.
template <class Isa, int Step, class Join>
KINGLET_INLINE void join_halves(Floats<Isa>* rows, Join join) noexcept {
  if constexpr (Step >= 4) {
    KINGLET_UNROLL
    for (int r = 0; r < Step; ++r) {
      rows[r] = join(halves<Isa, Step, false>(rows[r], rows[r + Step]),
                     halves<Isa, Step, true>(rows[r], rows[r + Step]));
    }
    join_halves<Isa, Step / 2>(rows, join);
  }
}

/// Lane r of the result: the lanes of row r, r < V::size, joined by the tree of fold. Rows from
/// `count` on are not read.
template <class Isa, class Join>
KINGLET_INLINE Floats<Isa> join_rows(int count, const float* lanes, Join join) noexcept {
  using V = Floats<Isa>;
  V rows[V::size];
  KINGLET_UNROLL
  for (int r = 0; r < V::size; ++r) rows[r] = V::load(lanes + (r < count ? r : 0) * V::size);
  if constexpr (V::size >= 4) {
    join_halves<Isa, V::size / 2>(rows, join);
    const V low =
        join(interleave<Isa, false>(rows[0], rows[1]), interleave<Isa, true>(rows[0], rows[1]));
    const V high =
        join(interleave<Isa, false>(rows[2], rows[3]), interleave<Isa, true>(rows[2], rows[3]));
    rows[0] = join(halves<Isa, 2, false>(low, high), halves<Isa, 2, true>(low, high));
  }
  return rows[0];
}

}  // namespace kinglet::kernels::detail
