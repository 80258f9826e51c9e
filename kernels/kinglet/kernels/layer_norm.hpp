#pragma once

#include <kinglet/kernels/quantize.hpp>

namespace kinglet::kernels {

namespace detail {

template <class Isa>
KINGLET_INLINE void norm_row(int n, const float* x, const float* gamma, const float* beta,
                             float eps, float* y) noexcept {
  const auto add = [](auto a, auto b) { return a + b; };
  const float mean = sum<Isa>(n, x) / static_cast<float>(n);
  const auto square = [=](auto acc, auto v) { return fma(v - mean, v - mean, acc); };
  const float variance = fold<Isa>(n, x, 0.0f, square, add) / static_cast<float>(n);
  const float inverse = 1.0f / __builtin_sqrtf(variance + eps);
  map<Isa>(
      n, y, [=](auto v, auto g, auto b) { return fma((v - mean) * inverse, g, b); }, x, gamma,
      beta);
}

template <class Isa>
KINGLET_INLINE void store_row(int r, int n, const float* y, const QuantizedRows& q) noexcept {
  const auto store = [=](auto row) { store_row(r, n, row, scale_of(n, row), q); };
  if (q.smooth) return store(RowOf<Isa, true>{y, q.smooth});
  store(RowOf<Isa, false>{y, nullptr});
}

}  // namespace detail

/// y = (x − mean(x)) / sqrt(var(x) + eps) · gamma + beta, for each row      (Ba et al. 2016)
/// shapes    x, y (rows, n)   gamma, beta (n)
/// layout    rows contiguous; ldx, ldy in elements; y may be x
/// requires  n > 0, eps > 0
/// numerics  biased variance of the centred values: no cancellation for a large mean; same bits on
///           every ISA with FMA
/// memory    none
/// oracle    tests/reference/layer_norm.hpp
template <class Isa>
void layer_norm_f32(int rows, int n, const float* x, int ldx, const float* gamma, const float* beta,
                    float eps, float* y, int ldy) noexcept {
  KINGLET_ASSERT(n > 0 && eps > 0);
  for (int r = 0; r < rows; ++r, x += ldx, y += ldy)
    detail::norm_row<Isa>(n, x, gamma, beta, eps, y);
}

/// y = LN(x) as above and q ≈ y as quantize_rows makes it, of each row while it is in L1.
/// shapes    x, y (rows, n)   gamma, beta (n)   q: rows of n
/// layout    as layer_norm_f32 and quantize_rows
/// requires  n > 0, eps > 0; q.ld ≥ padded_depth(n)
/// numerics  the same bits as the two kernels one after the other
/// memory    none
/// oracle    tests/reference/layer_norm.hpp, tests/reference/quantize.hpp
template <class Isa>
void layer_norm_s8(int rows, int n, const float* x, int ldx, const float* gamma, const float* beta,
                   float eps, float* y, int ldy, const QuantizedRows& q) noexcept {
  KINGLET_ASSERT(n > 0 && eps > 0 && q.ld >= padded_depth(n));
  for (int r = 0; r < rows; ++r, x += ldx, y += ldy) {
    detail::norm_row<Isa>(n, x, gamma, beta, eps, y);
    detail::store_row<Isa>(r, n, y, q);
  }
}

/// y = x / √Σ x², for each row; 0 for a row of zeros
/// shapes    x, y (rows, n)
/// layout    rows contiguous; ldx, ldy in elements; y may be x
/// requires  n > 0
/// numerics  Σ x² in range; one division, one rounded product an element; same bits on every ISA with FMA
/// memory    none
/// oracle    tests/reference/layer_norm.hpp
template <class Isa>
void unit_length_f32(int rows, int n, const float* x, int ldx, float* y, int ldy) noexcept {
  KINGLET_ASSERT(n > 0);
  const auto square = [](auto acc, auto v) { return fma(v, v, acc); };
  const auto add = [](auto a, auto b) { return a + b; };
  for (int r = 0; r < rows; ++r, x += ldx, y += ldy) {
    const float squares = fold<Isa>(n, x, 0.0f, square, add);
    const float inverse = squares > 0 ? 1.0f / __builtin_sqrtf(squares) : 0.0f;
    map<Isa>(
        n, y, [=](auto v) { return v * inverse; }, x);
  }
}

}  // namespace kinglet::kernels
