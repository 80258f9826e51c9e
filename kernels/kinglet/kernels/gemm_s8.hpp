#pragma once
// c = act(s_a·s_w·((a − z)·Wᵀ) + bias) + residual for int8 rows a and int8 W in panels:
//
//     W (n, k)                            panel p: element (g, j, i) = W[16p + j][4g + i], or 0
//
//     row 16p    ┌ w00 w01 w02 …          g = 0 │ w00 w01 w02 w03 │ w10 w11 w12 w13 │ … │ … wF3 │
//     row 16p+1  │ w10 w11 w12 …    ──►   g = 1 │ w04 w05 w06 w07 │ w14 …
//     …          │ …                      …     │ …
//     row 16p+15 └ wF0 wF1 wF2 …                  64 bytes a group of four k, an even number of groups
//
// The loop nest is that of tiles.hpp, its step is Dot<Isa>. The integers are exact, so they are the
// same on every ISA, for every tile and split.

#include <cstdint>
#include <kinglet/kernels/activation.hpp>
#include <kinglet/kernels/gemm_f32.hpp>
#include <kinglet/kernels/quantize.hpp>

namespace kinglet::kernels {

/// The largest k: its sums fit s32, also those of q xor 0x80 with a weight of −128.
inline constexpr int kMostDepthS8 = 65536;
static_assert(std::int64_t{255} * 128 * kMostDepthS8 <= INT32_MAX);

/// Bytes in the panels of W (n, k).
KINGLET_INLINE constexpr std::size_t panels_size_s8(int n, int k) noexcept {
  return static_cast<std::size_t>(panels_of(n)) * kPanel *
         static_cast<std::size_t>(padded_depth(k));
}

/// W as int8, and what belongs to its columns (the rows of W, the outputs), zero padded to panels.
struct WeightsS8 {
  const std::int8_t* panels = nullptr;
  const float* scale = nullptr;             ///< [ceil(n/16)·16]
  const std::int32_t* sums = nullptr;       ///< Σ_k w
  const std::int32_t* negatives = nullptr;  ///< Σ_k max(−w, 0), see dot.hpp
};

/// panels, sums and negatives of W, as drawn above. For converters and tests.
/// shapes    w (n, k)   panels [ceil(n/16)][padded_depth(k)/4][16][4]   sums, negatives (n, padded)
/// layout    rows of w contiguous, ldw in elements
/// requires  every w in [−127, 127]; k ≤ kMostDepthS8
/// numerics  exact
/// memory    none
/// oracle    tests/reference/gemm_s8.hpp
inline void pack_panels_s8(int n, int k, const std::int8_t* w, int ldw, std::int8_t* panels,
                           std::int32_t* sums, std::int32_t* negatives) noexcept {
  for (int j = 0; j < panels_of(n) * kPanel; ++j) {
    const std::int8_t* row = w + static_cast<std::ptrdiff_t>(j) * ldw;
    std::int8_t* column = panels +
                          static_cast<std::ptrdiff_t>(j / kPanel) * kPanel * padded_depth(k) +
                          j % kPanel * 4;
    sums[j] = negatives[j] = 0;
    for (int kk = 0; kk < padded_depth(k); ++kk) {
      const int value = j < n && kk < k ? row[kk] : 0;
      column[static_cast<std::ptrdiff_t>(kk / 4) * kPanel * 4 + kk % 4] =
          static_cast<std::int8_t>(value);
      sums[j] += value;
      negatives[j] += value < 0 ? -value : 0;
    }
  }
}

namespace detail {

template <class Isa>
using ShapeS8 = TileShape<Dot<Isa>::accumulators, kPanel / Dot<Isa>::lanes, 8, Dot<Isa>::rows>;

/// What makes floats of the sums of a tile.
struct TileScales {
  const float* row_scale;        ///< [Rows]
  const std::int32_t* row_zero;  ///< [Rows]
  const float* scale;            ///< [columns], as everything below
  const std::int32_t* sums;
  const std::int32_t* negatives;
};

/// y[r][16p + j] = fma(float(Σ (a[r][kk] − zero)·w[p][kk][j]), s_a·s_w, bias), + residual;
/// from `next` on, more of W is fetched into L2, unless the rows are few. Straight from the registers: as passes over a buffer in L1 the
/// epilogue takes 2 % of the time of k = 512 on VNNI.
template <class Isa, int Rows, int Across, class A>
KINGLET_NOINLINE void tile_s8(int groups, A a, const std::int8_t* panels, const char* next,
                              int next_step, const TileScales& scales,
                              const TileOut& out) noexcept {
  using D = Dot<Isa>;
  using V = Floats<Isa>;
  using I = Integers<Isa>;
  static_assert(D::lanes == V::size);
  typename D::Sums acc[(Rows + D::rows - 1) / D::rows][Across];
  // Inlined at once, as in tile_f32.
  const auto fetch = [&](const std::int8_t*) __attribute__((always_inline)) {
    if constexpr (Rows > 3) {
      KINGLET_UNROLL
      for (int i = 0; i < D::depth; ++i) __builtin_prefetch(next + i * next_step, 0, 2);
      next += D::depth * next_step;
    }
  };
  sum_products<D, Rows, Across, 0>(groups, a, panels, acc, fetch);
  const TileScales t = scales;
  const TileOut o = out;
  KINGLET_UNROLL
  for (int j = 0; j < Across; ++j) {
    const int column = j * D::lanes;
    const V scale = V::load(t.scale + column);
    const V bias = o.bias ? V::load(o.bias + column) : V(0.0f);
    const I sums = I::load(t.sums + column);
    const I start = D::needs_negative_sums ? I::load(t.negatives + column) : I::all(0);
    KINGLET_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const I products = I(D::row(acc[r / D::rows][j], r % D::rows)) + start;
      const I exact = products - I::all(t.row_zero[r]) * sums;
      V sum = fma(exact.to_floats(), V(t.row_scale[r]) * scale, bias);
      if (o.residual) sum = sum + V::load(o.residual + r * o.ld_residual + column);
      sum.store(o.y + r * o.ldy + column);
    }
  }
}

/// One call of gemm_s8, for for_tiles.
template <class Isa>
struct GemmS8 {
  int n, groups;
  const QuantizedRows& a;
  const WeightsS8& w;
  const Epilogue& epilogue;
  float* c;
  int ldc;

  template <int Rows, int Across>
  KINGLET_INLINE void run(int row, int v, Fetch fetch) const noexcept {
    constexpr int kColumns = Across * Dot<Isa>::lanes;
    static_assert(kColumns % kPanel == 0, "whole panels");
    const int first = v * Dot<Isa>::lanes;
    const std::ptrdiff_t depth = groups * 4;
    const int inside = n - first < kColumns ? n - first : kColumns;
    const TileScales scales{a.scale + row, a.zero + row, w.scale + first, w.sums + first,
                            w.negatives + first};
    float t[Rows * kColumns];
    const TileTarget to(epilogue, row, first, inside == kColumns, kColumns, t, c, ldc);
    const StridedRows<std::int8_t> rows{a.q + static_cast<std::ptrdiff_t>(row) * a.ld, a.ld};
    tile_s8<Isa, Rows, Across>(groups, rows, w.panels + first * depth,
                               fetch.in(w.panels, kPanel * depth), fetch.step(), scales, to.out);
    if (!to.done) to.template finish<Isa>(epilogue.act, Rows, inside, kColumns, t);
  }
};

}  // namespace detail

/// c = act(s_a·s_w·((a − z)·Wᵀ) + bias) + residual
/// shapes    a (m, k)   W (n, k)   bias (n)   residual, c (m, n)
/// layout    rows contiguous, ld* in elements; W and what belongs to its columns as panels, zero
///           padded; residual may be c
/// requires  m, n ≥ 0, 0 < k ≤ kMostDepthS8; a written by quantize_rows<Isa>; c overlaps neither a
///           nor W; c's columns from n on are left alone
/// numerics  the integer Σ (q − z)·w is exact and the same on every ISA; then three roundings; the
///           same bits on every ISA with FMA, for any m, n and split
/// memory    at most 3 kB of stack
/// oracle    tests/reference/gemm_s8.hpp
template <class Isa>
void gemm_s8(int m, int n, int k, const QuantizedRows& a, const WeightsS8& w,
             const Epilogue& epilogue, float* c, int ldc) noexcept {
  KINGLET_ASSERT(m >= 0 && n >= 0 && k > 0 && k <= kMostDepthS8);
  KINGLET_ASSERT(a.ld >= padded_depth(k) && ldc >= n);
  const detail::GemmS8<Isa> tiles{n, padded_depth(k) / 4, a, w, epilogue, c, ldc};
  detail::for_tiles<detail::ShapeS8<Isa>>(m, panels_of(n), tiles);
}

}  // namespace kinglet::kernels
