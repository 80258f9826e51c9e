#pragma once

#include <kinglet/kernels/math.hpp>
#include <limits>

namespace kinglet::kernels {

namespace detail {

/// y = exp(scale·(x − max x)); returns Σ y. Every scale·x is rounded once, the maximum's too: their
/// common error cancels in y / Σ y.
template <class Isa>
KINGLET_INLINE float exp_row(int n, const float* x, float scale, float* y) noexcept {
  const auto max = [](auto a, auto b) { return larger(a, b); };
  const float shift = -(fold<Isa>(n, x, -std::numeric_limits<float>::infinity(), max, max) * scale);
  map<Isa>(
      n, y, [=](auto v) { return exp(fma(v, decltype(v)(scale), decltype(v)(shift))); }, x);
  return sum<Isa>(n, y);
}

}  // namespace detail

/// y = exp(x − max x) / Σ exp(x − max x), for each row
/// shapes    x, y (rows, n)
/// layout    rows contiguous; ldx, ldy in elements; y may be x
/// requires  n > 0, every row holds a finite value
/// numerics  |error| ≤ (n/32 + 16 + max x − x)·2^-24·y; terms below e^-87 are 0; same bits on every
///           ISA with FMA
/// memory    none
/// oracle    tests/reference/softmax.hpp
template <class Isa>
void softmax_f32(int rows, int n, const float* x, int ldx, float* y, int ldy) noexcept {
  KINGLET_ASSERT(n > 0);
  for (int r = 0; r < rows; ++r, x += ldx, y += ldy) {
    const float inverse = 1.0f / detail::exp_row<Isa>(n, x, 1.0f, y);
    map<Isa>(
        n, y, [=](auto v) { return v * inverse; }, y);
  }
}

}  // namespace kinglet::kernels
