#pragma once

#include <kinglet/kernels/simd.hpp>

namespace kinglet::kernels {

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
  const auto add = [](auto a, auto b) { return a + b; };
  for (int r = 0; r < rows; ++r, x += ldx, y += ldy) {
    const float mean = sum<Isa>(n, x) / static_cast<float>(n);
    const auto square = [=](auto acc, auto v) { return fma(v - mean, v - mean, acc); };
    const float variance = fold<Isa>(n, x, 0.0f, square, add) / static_cast<float>(n);
    const float inverse = 1.0f / __builtin_sqrtf(variance + eps);
    map<Isa>(
        n, y, [=](auto v, auto g, auto b) { return fma((v - mean) * inverse, g, b); }, x, gamma,
        beta);
  }
}

}  // namespace kinglet::kernels
