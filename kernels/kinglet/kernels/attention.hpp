#pragma once
// One head. K and V are packed into panels in scratch, where both products are the tiles of
// gemm_f32.hpp:
//
//     pack K (n, d) as panels of 16 keys, V as panels of 16 columns
//     for each block of kQueryRows rows of q
//       s = q·Kᵀ             (rows, n) in scratch
//       s = exp(scale·(s − max s)), Σ s        row by row
//       y = s·V / Σ s

#include <kinglet/kernels/gemm_f32.hpp>
#include <kinglet/kernels/softmax.hpp>

namespace kinglet::kernels {

namespace detail {

/// Rows of q whose scores are held at once: whole tiles on every ISA; at n = 160 half of an L1.
inline constexpr int kQueryRows = 24;

/// panels[p][kk][j] = v[kk][16p + j], zero from column d on
template <class Isa>
KINGLET_INLINE void pack_columns(int n, int d, const float* v, int ldv, float* panels) noexcept {
  for (int first = 0; first < d; first += kPanel) {
    const int wide = d - first < kPanel ? d - first : kPanel;
    for (int kk = 0; kk < n; ++kk, panels += kPanel) {
      copy<Isa>(wide, panels, v + static_cast<std::ptrdiff_t>(kk) * ldv + first);
      for (int j = wide; j < kPanel; ++j) panels[j] = 0.0f;
    }
  }
}

}  // namespace detail

/// Floats of scratch for attention_f32, whatever m and the ISA.
KINGLET_INLINE constexpr std::size_t attention_scratch_f32(int n, int d) noexcept {
  return panels_size_f32(n, d) + panels_size_f32(d, n) + panels_size_f32(n, detail::kQueryRows);
}

/// y = softmax(scale · q·kᵀ) · v                        (Vaswani et al. 2017, eq. 1)
/// shapes    q (m, d)   k, v (n, d)   y (m, d)   probs (m, n) or null
/// layout    rows contiguous, ld* in elements
/// requires  m ≥ 0, n, d > 0, scale > 0; y may be q; otherwise outputs and scratch overlap nothing
/// numerics  f32; row maximum subtracted; y = (Σ e·v) / Σ e, probs = e / Σ e; a row's bits depend
///           on no other row; same bits on every ISA with FMA
/// memory    attention_scratch_f32(n, d) floats of scratch, up to 6 kB of stack
/// oracle    tests/reference/attention.hpp
template <class Isa>
void attention_f32(int m, int n, int d, const float* q, int ldq, const float* k, int ldk,
                   const float* v, int ldv, float scale, float* y, int ldy, float* probs,
                   int ld_probs, float* scratch) noexcept {
  KINGLET_ASSERT(m >= 0 && n > 0 && d > 0 && scale > 0);
  float* const keys = scratch;
  float* const values = keys + panels_size_f32(n, d);
  float* const s = values + panels_size_f32(d, n);
  const int lds = panels_of(n) * kPanel;
  detail::pack_panels<Isa>(n, d, k, ldk, keys);
  detail::pack_columns<Isa>(n, d, v, ldv, values);
  for (int first = 0; first < m; first += detail::kQueryRows) {
    const int block = m - first < detail::kQueryRows ? m - first : detail::kQueryRows;
    detail::for_tiles_f32<Isa>(block, n, d, q + static_cast<std::ptrdiff_t>(first) * ldq, ldq, keys,
                               [&](int row, int rows, int column, int columns, const float* t) {
                                 for (int r = 0; r < rows; ++r) {
                                   copy<Isa>(columns, s + (row + r) * lds + column,
                                             t + r * columns);
                                 }
                               });
    float inverse[detail::kQueryRows];
    for (int r = 0; r < block; ++r) {
      float* e = s + r * lds;
      for (int j = n; j < lds; ++j)
        e[j] = -std::numeric_limits<float>::infinity();  // e^-inf = 0 joins no sum
      const float norm = 1.0f / detail::exp_row<Isa>(lds, e, scale, e);
      inverse[r] = norm;
      if (probs) {
        float* row = probs + static_cast<std::ptrdiff_t>(first + r) * ld_probs;
        map<Isa>(
            n, row, [=](auto x) { return x * norm; }, e);
      }
    }
    detail::for_tiles_f32<Isa>(
        block, d, n, s, lds, values,
        [&](int row, int rows, int column, int columns, const float* t) {
          const int inside = d - column < columns ? d - column : columns;
          for (int r = 0; r < rows; ++r) {
            const float norm = inverse[row + r];
            float* out = y + static_cast<std::ptrdiff_t>(first + row + r) * ldy + column;
            map<Isa>(
                inside, out, [=](auto x) { return x * norm; }, t + r * columns);
          }
        });
  }
}

}  // namespace kinglet::kernels
