#pragma once
// Activations as int8: a scale and a zero point a row, found from the row itself.

#include <cstddef>
#include <kinglet/kernels/dot.hpp>
#include <kinglet/kernels/simd.hpp>

namespace kinglet::kernels {

/// Rows of int8 in which x·smooth ≈ scale·(q − zero); q and zero are both stored with
/// Dot<Isa>::offset added (as u8), so what one ISA wrote only it can read.
struct QuantizedRows {
  std::int8_t* q = nullptr;
  int ld = 0;  ///< a multiple of kDepth
  float* scale = nullptr;
  std::int32_t* zero = nullptr;
  /// A factor a column, which W is divided by: it makes columns of unequal size more alike (Xiao et
  /// al. 2023, SmoothQuant). Null: none.
  const float* smooth = nullptr;

  KINGLET_INLINE constexpr QuantizedRows from_row(int first) const noexcept {
    return {q + static_cast<std::ptrdiff_t>(first) * ld, ld, scale + first, zero + first, smooth};
  }
};

/// Rows of int8 are padded to a multiple of this many k, by zeros in W.
inline constexpr int kDepth = 8;
KINGLET_INLINE constexpr int padded_depth(int k) noexcept {
  return (k + kDepth - 1) / kDepth * kDepth;
}

namespace detail {

inline constexpr float kRound = 12582912.0f;  ///< 1.5·2^23: adding it rounds to an even integer
/// The bits of kRound: those of u + kRound are kRoundBits + u, for an integer u.
inline constexpr std::int32_t kRoundBits = 0x4b400000;

/// The integer nearest to x, |x| < 2^22.
KINGLET_INLINE std::int32_t nearest(float x) noexcept {
  return static_cast<std::int32_t>((x + kRound) - kRound);
}

/// What is quantised: a row of x, or of x·smooth.
template <class Isa, bool Smooth>
struct RowOf {
  const float* x;
  const float* smooth;

  template <class... Count>
  KINGLET_INLINE Floats<Isa> at(int i, Count... count) const noexcept {
    const auto v = Floats<Isa>::load(x + i, count...);
    if constexpr (Smooth) return v * Floats<Isa>::load(smooth + i, count...);
    return v;
  }
};

/// Smallest and largest of a row and 0.
template <class Isa, bool Smooth>
KINGLET_INLINE void range_of(int n, RowOf<Isa, Smooth> x, float& low, float& high) noexcept {
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
    for (int c = 0; c < kChains; ++c) take(c, x.at(i + c * V::size));
  }
  for (; i <= n - V::size; i += V::size) take(0, x.at(i));
  if (i < n) take(0, x.at(i, n - i));
  KINGLET_UNROLL
  for (int c = 1; c < kChains; ++c) {
    lo[0] = smaller(lo[c], lo[0]);
    hi[0] = larger(hi[c], hi[0]);
  }
  low = join_lanes(lo[0], [](auto a, auto b) { return smaller(a, b); });
  high = join_lanes(hi[0], [](auto a, auto b) { return larger(a, b); });
}

/// The register type that the intrinsics of an ISA take.
template <class Isa>
KINGLET_INLINE auto native(Integers<Isa> x) noexcept {
  if constexpr (Floats<Isa>::size == 1) {
    return x.v;
  } else {
    typename Isa::Register r;
    std::memcpy(&r, &x.v, sizeof r);
    return r;
  }
}

/// kRoundBits + rne(x·inverse) + Plus, which is even. The product is rounded first: a fused one would give other
/// integers than an ISA without it.
template <class Isa, int Plus = 0>
KINGLET_INLINE Integers<Isa> rounded(Floats<Isa> x, Floats<Isa> inverse) noexcept {
  Floats<Isa> v = x * inverse;
  v.keep();
  return Integers<Isa>::bits_of(v + Floats<Isa>(kRound + Plus));
}

struct RowScale {
  float scale;
  std::int32_t zero;
};

template <class Isa, bool Smooth>
KINGLET_INLINE RowScale scale_of(int n, RowOf<Isa, Smooth> x) noexcept {
  float low, high;
  range_of(n, x, low, high);
  // Halves first: the width of a row of ±3e38 would be infinite. Divisions, because a compiler
  // would contract products with the subtraction.
  const float step = high / 254.0f - low / 254.0f;
  const float s = step > 1e-34f ? step : 1.0f;
  const float centre = -127.0f - low / s;
  return {s, nearest(centre < 127.0f ? centre : 127.0f)};
}

template <class Isa, bool Smooth>
KINGLET_INLINE void quantize_row(int n, RowOf<Isa, Smooth> x, RowScale row,
                                 std::int8_t* q) noexcept {
  using V = Floats<Isa>;
  using I = Integers<Isa>;
  const V inverse = 1.0f / row.scale;
  const I shift = I::all(kRoundBits - row.zero);
  constexpr int kStep = 4 * V::size;
  const auto step = [=](const auto& from, std::int8_t* to) {
    const auto quantized = [&](int i) {
      return native<Isa>(rounded<Isa>(from(i * V::size), inverse) - shift);
    };
    Isa::store_bytes(to, quantized(0), quantized(1), quantized(2), quantized(3));
    for (int j = 0; j < kStep; ++j) {
      const int byte = to[j] > -127 ? to[j] : -127;
      to[j] = static_cast<std::int8_t>(byte ^ Dot<Isa>::offset);
    }
  };
  int i = 0;
  for (; i <= n - kStep; i += kStep) step([&](int j) { return x.at(i + j); }, q + i);
  if (i < n) {
    std::int8_t bytes[kStep];
    step(
        [&](int j) {
          const int left = n - i - j;
          if (left >= V::size) return x.at(i + j);
          return left > 0 ? x.at(i + j, left) : V(0.0f);
        },
        bytes);
    for (int j = 0; i < n; ++i, ++j) q[i] = bytes[j];
  }
  for (; i < padded_depth(n); ++i) q[i] = 0;
}

template <class Isa, bool Smooth>
KINGLET_INLINE void store_row(int r, int n, RowOf<Isa, Smooth> x, RowScale row,
                              const QuantizedRows& y) noexcept {
  quantize_row(n, x, row, y.q + static_cast<std::ptrdiff_t>(r) * y.ld);
  y.scale[r] = row.scale;
  y.zero[r] = row.zero + Dot<Isa>::offset;
}

template <class Isa, bool Smooth>
KINGLET_INLINE void store_rows(int rows, int n, const float* x, int ldx,
                               const QuantizedRows& y) noexcept {
  const auto row_at = [=](int r) {
    return RowOf<Isa, Smooth>{x + static_cast<std::ptrdiff_t>(r) * ldx, y.smooth};
  };
  // The divisions for a row take their time while the one before it is written.
  RowScale next = scale_of(n, row_at(0));
  for (int r = 0; r < rows; ++r) {
    const RowScale row = next;
    if (r + 1 < rows) next = scale_of(n, row_at(r + 1));
    store_row(r, n, row_at(r), row, y);
  }
}

}  // namespace detail

/// y ≈ x as int8: for each row s = (max(x, 0) − min(x, 0)) / 254, z = rne(−127 − min(x, 0) / s),
/// q = clamp(rne(x·(1/s)) + z) to [−127, 127]; of x·y.smooth where that is not null
/// shapes    x (rows, n)   y.q (rows, padded_depth(n))   y.scale, y.zero (rows)   y.smooth (n)
/// layout    rows contiguous; ldx, y.ld in elements; q and z with Dot<Isa>::offset added
/// requires  n > 0; y.ld ≥ padded_depth(n)
/// numerics  |x − s·(q − z)| ≤ s; rows within ±1e-32 become zeros; same integers on every ISA.
///           NaN becomes 127 or, with its sign set, −127; the others are as if it were 0: it is lost.
///           Infinity: s is infinite, z is −127 (127 where one is negative), every finite x becomes
///           z, what the infinite ones become depends on the CPU; gemm_s8 makes NaN or infinity of
///           such a row, before the activation
/// memory    none
/// oracle    tests/reference/quantize.hpp
template <class Isa>
void quantize_rows(int rows, int n, const float* x, int ldx, const QuantizedRows& y) noexcept {
  KINGLET_ASSERT(n > 0 && y.ld >= padded_depth(n));
  if (rows <= 0) return;
  if (y.smooth) return detail::store_rows<Isa, true>(rows, n, x, ldx, y);
  detail::store_rows<Isa, false>(rows, n, x, ldx, y);
}

}  // namespace kinglet::kernels
