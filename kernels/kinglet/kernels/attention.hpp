#pragma once
// One head. K and V are packed into panels in scratch, where both products are
// the tiles of gemm_f32.hpp:
//
//     pack K (n, d) as panels of 16 keys and V as panels of 16 columns, masked keys left out
//     for each block of kQueryRows rows of q
//       s = q·Kᵀ             (rows, n) in scratch
//       s = exp(scale·(s − max s)), Σ s
//       y = s·V / Σ s

#include <kinglet/kernels/gemm_f32.hpp>
#include <kinglet/kernels/softmax.hpp>

namespace kinglet::kernels {

namespace detail {

/// Rows of q whose scores are held at once: whole groups of exp_rows on every ISA; at n = 160 two
/// thirds of an L1.
inline constexpr int kQueryRows = 32;

/// The keys that are not masked, in their order.
struct LiveKeys {
  const std::uint8_t* mask;  ///< 0: masked; null: none is
  int key = 0;

  KINGLET_INLINE int next() noexcept {
    while (mask && mask[key] == 0) ++key;
    return key++;
  }
};

KINGLET_INLINE int live_keys(int n, const std::uint8_t* mask) noexcept {
  if (mask == nullptr) return n;
  int live = 0;
  for (int j = 0; j < n; ++j) live += mask[j] != 0;
  return live;
}

/// panels[p][kk][j] = k[16p + j][kk] of the n live keys, the last one repeated. Squares of
/// V::size × V::size are transposed in registers; the last columns of a row are taken from as far
/// left as makes a square.
template <class Isa>
KINGLET_INLINE void pack_keys(int n, int d, const float* k, int ldk, LiveKeys live,
                              float* panels) noexcept {
  using V = Floats<Isa>;
  constexpr int kSize = V::size;
  const float* rows[kPanel];
  for (int first = 0; first < n;
       first += kPanel, panels += static_cast<std::ptrdiff_t>(d) * kPanel) {
    for (int j = 0; j < kPanel; ++j) {
      rows[j] = first + j < n ? k + static_cast<std::ptrdiff_t>(live.next()) * ldk : rows[j - 1];
    }
    if (d < kSize) {
      for (int kk = 0; kk < d; ++kk) {
        for (int j = 0; j < kPanel; ++j) panels[kk * kPanel + j] = rows[j][kk];
      }
      continue;
    }
    for (int kk = 0; kk < d; kk += kSize) {
      const int column = kk < d - kSize ? kk : d - kSize;
      for (int j = 0; j < kPanel; j += kSize) {
        V square[kSize];
        KINGLET_UNROLL
        for (int i = 0; i < kSize; ++i) square[i] = V::load(rows[j + i] + column);
        transpose<Isa>(square);
        KINGLET_UNROLL
        for (int i = 0; i < kSize; ++i) square[i].store(panels + (column + i) * kPanel + j);
      }
    }
  }
}

/// panels[p][kk][j] = v[kk][16p + j] of the n live keys, zero from column d on
template <class Isa>
KINGLET_INLINE void pack_values(int n, int d, const float* v, int ldv, LiveKeys live,
                                float* panels) noexcept {
  const std::ptrdiff_t pitch = static_cast<std::ptrdiff_t>(n) * kPanel;
  for (int kk = 0; kk < n; ++kk, panels += kPanel) {
    const float* row = v + static_cast<std::ptrdiff_t>(live.next()) * ldv;
    float* to = panels;
    int left = d;
    for (; left >= kPanel; left -= kPanel, row += kPanel, to += pitch) copy<Isa>(kPanel, to, row);
    if (left > 0) {
      copy<Isa>(left, to, row);
      for (int j = left; j < kPanel; ++j) to[j] = 0.0f;
    }
  }
}

/// y = factors·(a·Wᵀ) for operands in L1 or L2: nothing is fetched; no factors: they are 1.
template <class Isa, int Rows, int Across, int First>
KINGLET_NOINLINE void near_tile(int k, const float* a, int lda, const float* panels,
                                const float* factors, float* y, std::ptrdiff_t ldy) noexcept {
  using V = Floats<Isa>;
  V acc[Rows][Across];
  sum_products<Multiply<Isa>, Rows, Across, First>(k, StridedRows<float>{a, lda}, panels, acc,
                                                   [](const float*) {});
  KINGLET_UNROLL
  for (int r = 0; r < Rows; ++r) {
    const V factor = factors ? factors[r] : 1.0f;
    KINGLET_UNROLL
    for (int j = 0; j < Across; ++j)
      (factors ? acc[r][j] * factor : acc[r][j]).store(y + r * ldy + j * V::size);
  }
}

/// The first n columns, n may be negative; apart, because g++ warns of what it cannot bound.
template <class Isa>
KINGLET_NOINLINE void copy_rows(int rows, int n, const float* x, int ldx, float* y,
                                std::ptrdiff_t ldy) noexcept {
  for (int r = 0; r < rows; ++r, x += ldx, y += ldy) copy<Isa>(n, y, x);
}

/// y = factors·(a·Wᵀ) for a block of queries, for for_tiles; `columns` of y are there.
template <class Isa>
struct NearProduct {
  int k, columns;
  const float* a;
  int lda;
  const float* panels;
  const float* factors;
  float* y;
  int ldy;

  template <int Rows, int Across>
  KINGLET_INLINE void run(int row, int v, Fetch) const noexcept {
    constexpr int kColumns = Across * Floats<Isa>::size;
    constexpr int kV = kVectors<Isa>;
    const int first = v * Floats<Isa>::size;
    const int inside = columns - first;
    const float* const x = a + static_cast<std::ptrdiff_t>(row) * lda;
    const float* const w = panels + static_cast<std::ptrdiff_t>(v / kV) * k * kPanel;
    const float* const f = factors ? factors + row : nullptr;
    float* const out = y + static_cast<std::ptrdiff_t>(row) * ldy + first;
    const auto tile = [=](float* to, std::ptrdiff_t ld) {
      if constexpr (Across % kV != 0) {
        if (v % kV != 0) return near_tile<Isa, Rows, Across, 1>(k, x, lda, w, f, to, ld);
      }
      near_tile<Isa, Rows, Across, 0>(k, x, lda, w, f, to, ld);
    };
    if (inside >= kColumns) return tile(out, ldy);
    float t[Rows * kColumns];
    tile(t, kColumns);
    copy_rows<Isa>(Rows, inside, t, kColumns, out, ldy);
  }
};

/// The probabilities of the live keys, spread over all n keys in place; those of masked keys are 0.
KINGLET_INLINE void spread(int n, int live, const std::uint8_t* mask, float* probs) noexcept {
  for (int j = n; j-- > 0;) probs[j] = mask[j] == 0 ? 0.0f : probs[--live];
}

}  // namespace detail

/// Floats of n keys and values as attend_f32 reads them.
KINGLET_INLINE constexpr std::size_t packed_keys_f32(int n, int d) noexcept {
  return panels_size_f32(n, d) + panels_size_f32(d, n);
}

/// Floats of scratch for attend_f32 and for attention_f32, whatever m and the ISA.
KINGLET_INLINE constexpr std::size_t attend_scratch_f32(int n) noexcept {
  return panels_size_f32(n, detail::kQueryRows);
}
KINGLET_INLINE constexpr std::size_t attention_scratch_f32(int n, int d) noexcept {
  return packed_keys_f32(n, d) + attend_scratch_f32(n);
}

/// The keys and values that are not masked, for attend_f32. Gives how many.
/// shapes    k, v (n, d)   mask (n), 0 for a masked key, or null
/// layout    rows contiguous, ld* in elements
/// requires  n, d > 0; a key that is not masked; packed holds packed_keys_f32(n, d) floats
/// numerics  exact
/// memory    none
/// oracle    tests/reference/attention.hpp
template <class Isa>
int pack_keys_f32(int n, int d, const float* k, int ldk, const float* v, int ldv,
                  const std::uint8_t* mask, float* packed) noexcept {
  const int live = detail::live_keys(n, mask);
  KINGLET_ASSERT(live > 0);
  detail::pack_keys<Isa>(live, d, k, ldk, {mask}, packed);
  detail::pack_values<Isa>(live, d, v, ldv, {mask}, packed + panels_size_f32(live, d));
  return live;
}

/// attention_f32 with the keys and values that pack_keys_f32 left in `packed`: where the same keys
/// are asked again and again.
/// shapes    q (m, d)   y (m, d)   probs (m, n) or null; n is what pack_keys_f32 gave, without the
///           masked keys, which probs has no columns for
/// layout    rows contiguous, ld* in elements. packed: K as panels [ceil(n/16)][d][16] from 0 on,
///           V as panels [ceil(d/16)][n][16] from panels_size_f32(n, d) on: so where V lies depends
///           on the mask
/// requires  m ≥ 0, n, d > 0 as packed; scale > 0; y may be q; otherwise outputs and scratch overlap
///           nothing
/// numerics  the bits of attention_f32
/// memory    attend_scratch_f32(n) floats of scratch, up to 6 kB of stack
/// oracle    tests/reference/attention.hpp
template <class Isa>
void attend_f32(int m, int n, int d, const float* q, int ldq, const float* packed, float scale,
                float* y, int ldy, float* probs, int ld_probs, float* scratch) noexcept {
  KINGLET_ASSERT(m >= 0 && n > 0 && d > 0 && scale > 0);
  const float* const keys = packed;
  const float* const values = packed + panels_size_f32(n, d);
  float* const s = scratch;
  const int lds = panels_of(n) * kPanel;
  // Added to the scores of the last panel; 2^-inf = 0 joins no sum.
  float outside[kPanel];
  for (int j = 0; j < kPanel; ++j)
    outside[j] = lds - kPanel + j < n ? 0.0f : -std::numeric_limits<float>::infinity();

  for (int first = 0; first < m; first += detail::kQueryRows) {
    const int block = m - first < detail::kQueryRows ? m - first : detail::kQueryRows;
    detail::for_tiles<detail::ShapeF32<Isa>>(
        block, lds / kPanel,
        detail::NearProduct<Isa>{d, lds, q + static_cast<std::ptrdiff_t>(first) * ldq, ldq, keys,
                                 nullptr, s, lds});
    for (int r = 0; n < lds && r < block; ++r) {
      float* last = s + (r + 1) * lds - kPanel;
      map<Isa>(
          kPanel, last, [](auto a, auto b) { return a + b; }, last, outside);
    }
    float inverse[detail::row_results(detail::kQueryRows)];
    detail::exp_rows<Isa, true>(block, lds, s, lds, scale * detail::kLog2e, s, lds, inverse);
    for (int r = 0; probs && r < block; ++r) {
      detail::scale<Isa>(n, inverse[r], s + r * lds,
                         probs + static_cast<std::ptrdiff_t>(first + r) * ld_probs);
    }
    detail::for_tiles<detail::ShapeF32<Isa>>(
        block, panels_of(d),
        detail::NearProduct<Isa>{n, d, s, lds, values, inverse,
                                 y + static_cast<std::ptrdiff_t>(first) * ldy, ldy});
  }
}

/// y = softmax(scale · q·kᵀ) · v                        (Vaswani et al. 2017, eq. 1)
/// shapes    q (m, d)   k, v (n, d)   mask (n), 0 for a masked key, or null   y (m, d)
///           probs (m, n) or null
/// layout    rows contiguous, ld* in elements
/// requires  m ≥ 0, n, d > 0, scale > 0; a key that is not masked; y may be q; otherwise outputs and
///           scratch overlap nothing
/// numerics  f32; row maximum subtracted; y = (Σ e·v) / Σ e, probs = e / Σ e; a row's
///           bits depend on no other row; same bits on every ISA with FMA. A masked key is as good as
///           absent: its k and v are not read, its probability is 0, and y and the other
///           probabilities have the bits that they have without it
/// memory    attention_scratch_f32(n, d) floats of scratch, up to 6 kB of stack
/// oracle    tests/reference/attention.hpp
template <class Isa>
void attention_f32(int m, int n, int d, const float* q, int ldq, const float* k, int ldk,
                   const float* v, int ldv, const std::uint8_t* mask, float scale, float* y,
                   int ldy, float* probs, int ld_probs, float* scratch) noexcept {
  KINGLET_ASSERT(m >= 0 && n > 0 && d > 0 && scale > 0);
  const int live = pack_keys_f32<Isa>(n, d, k, ldk, v, ldv, mask, scratch);
  attend_f32<Isa>(m, live, d, q, ldq, scratch, scale, y, ldy, probs, ld_probs,
                  scratch + packed_keys_f32(live, d));
  for (int r = 0; probs && mask && r < m; ++r) {
    detail::spread(n, live, mask, probs + static_cast<std::ptrdiff_t>(r) * ld_probs);
  }
}

}  // namespace kinglet::kernels
