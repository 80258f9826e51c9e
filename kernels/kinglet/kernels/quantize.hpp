#pragma once
// Activations as int8: a scale and a zero point a row, found from the row itself.

#include <cstddef>
#include <kinglet/kernels/dot.hpp>
#include <kinglet/kernels/simd.hpp>

namespace kinglet::kernels {

/// Rows of int8 in which x ≈ scale·(q − zero); q and zero are both stored with Dot<Isa>::offset
/// added (as u8), so what one ISA wrote only it can read.
struct QuantizedRows {
  std::int8_t* q = nullptr;
  int ld = 0;  ///< a multiple of kDepth
  float* scale = nullptr;
  std::int32_t* zero = nullptr;
};

/// Rows of int8 are padded to a multiple of this many k, by zeros in W.
inline constexpr int kDepth = 8;
KINGLET_INLINE constexpr int padded_depth(int k) noexcept {
  return (k + kDepth - 1) / kDepth * kDepth;
}

namespace detail {

inline constexpr float kRound = 12582912.0f;  ///< 1.5·2^23: adding it rounds to an even integer

/// The integer nearest to x, |x| < 2^22.
KINGLET_INLINE std::int32_t nearest(float x) noexcept {
  return static_cast<std::int32_t>((x + kRound) - kRound);
}

/// Smallest and largest of a row and 0.
template <class Isa>
KINGLET_INLINE void range_of(int n, const float* x, float& low, float& high) noexcept {
  using V = Floats<Isa>;
  constexpr int kChains = 4;
  V lo[kChains], hi[kChains];
  KINGLET_UNROLL
  for (int c = 0; c < kChains; ++c) lo[c] = hi[c] = 0.0f;
  int i = 0;
  const auto take = [&](int c, V v) {
    lo[c] = smaller(v, lo[c]);
    hi[c] = larger(v, hi[c]);
  };
  for (; i <= n - kChains * V::size; i += kChains * V::size) {
    KINGLET_UNROLL
    for (int c = 0; c < kChains; ++c) take(c, V::load(x + i + c * V::size));
  }
  for (; i <= n - V::size; i += V::size) take(0, V::load(x + i));
  if (i < n) take(0, V::load(x + i, n - i));
  KINGLET_UNROLL
  for (int c = 1; c < kChains; ++c) {
    lo[0] = smaller(lo[c], lo[0]);
    hi[0] = larger(hi[c], hi[0]);
  }
  float lows[V::size], highs[V::size];
  lo[0].store(lows);
  hi[0].store(highs);
  low = high = 0.0f;
  KINGLET_UNROLL
  for (int j = 0; j < V::size; ++j) {
    low = lows[j] < low ? lows[j] : low;
    high = highs[j] > high ? highs[j] : high;
  }
}

/// One row; see quantize_rows.
template <class Isa>
KINGLET_INLINE void quantize_row(int n, const float* x, std::int8_t* q, float* scale,
                                 std::int32_t* zero) noexcept {
  using V = Floats<Isa>;
  constexpr int kOffset = Dot<Isa>::offset;
  float low, high;
  range_of<Isa>(n, x, low, high);
  // Halves first: the width of a row of ±3e38 would be infinite. Divisions, because a compiler
  // would contract products with the subtraction.
  const float step = high / 254.0f - low / 254.0f;
  const float s = step > 1e-34f ? step : 1.0f;
  float centre = -127.0f - low / s;
  centre = centre < 127.0f ? centre : 127.0f;
  const std::int32_t z = nearest(centre);
  const float inverse = 1.0f / s;
  const float least = static_cast<float>(-127 - z), most = static_cast<float>(127 - z);
  const auto quantized = [=](V v) {
    return smaller(V(most), larger(v * V(inverse), V(least))) + V(kRound);
  };
  // The low byte of the bits of an integer + kRound is that integer modulo 256.
  const std::uint32_t shift = static_cast<std::uint32_t>(z + kOffset);
  int i = 0;
  for (; i <= n - V::size; i += V::size)
    store_low_bytes<Isa>(quantized(V::load(x + i)), shift, q + i);
  if (i < n) {
    std::int8_t bytes[V::size];
    store_low_bytes<Isa>(quantized(V::load(x + i, n - i)), shift, bytes);
    for (int j = 0; i < n; ++i, ++j) q[i] = bytes[j];
  }
  for (; i < padded_depth(n); ++i) q[i] = 0;
  *scale = s;
  *zero = z + kOffset;
}

}  // namespace detail

/// y ≈ x as int8: for each row s = (max(x, 0) − min(x, 0)) / 254, z = rne(−127 − min(x, 0) / s),
/// q = clamp(rne(x·(1/s)) + z) to [−127, 127]
/// shapes    x (rows, n)   y.q (rows, padded_depth(n))   y.scale, y.zero (rows)
/// layout    rows contiguous; ldx, y.ld in elements; q and z with Dot<Isa>::offset added
/// requires  n > 0; y.ld ≥ padded_depth(n)
/// numerics  |x − s·(q − z)| ≤ s; rows within ±1e-32 become zeros; a row with NaN or infinity gives
///           some q and, for infinity, an infinite s; same integers on every ISA
/// memory    none
/// oracle    tests/reference/quantize.hpp
template <class Isa>
void quantize_rows(int rows, int n, const float* x, int ldx, const QuantizedRows& y) noexcept {
  KINGLET_ASSERT(n > 0 && y.ld >= padded_depth(n));
  for (int r = 0; r < rows; ++r, x += ldx) {
    detail::quantize_row<Isa>(n, x, y.q + static_cast<std::ptrdiff_t>(r) * y.ld, y.scale + r,
                              y.zero + r);
  }
}

}  // namespace kinglet::kernels
