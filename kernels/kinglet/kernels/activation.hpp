#pragma once
// Elementwise kernels.

#include <cstdint>
#include <kinglet/kernels/math.hpp>

namespace kinglet::kernels {

enum class Activation : std::uint8_t { none, relu, gelu_erf, gelu_tanh, tanh, sigmoid };

/// y = act(x): max(x, 0); x·Φ(x), exact or with its tanh form (Hendrycks and Gimpel 2016); tanh(x);
/// 1 / (1 + e^-x)
/// shapes    x, y (n)
/// layout    contiguous; y may be x
/// requires  n ≥ 0
/// numerics  none and max(x, 0) exact; GELU within 4e-7·|x| + 1 ulp; tanh within 6 ulp; sigmoid
///           within 2.5 ulp + 3e-39; NaN stays NaN; same bits on every ISA with FMA
/// memory    none
/// oracle    tests/reference/activation.hpp
template <class Isa>
void activate_f32(Activation act, int n, const float* x, float* y) noexcept {
  KINGLET_ASSERT(n >= 0);
  switch (act) {
    case Activation::none:
      return map<Isa>(
          n, y, [](auto v) { return v; }, x);
    case Activation::relu:
      return map<Isa>(
          n, y, [](auto v) { return select(v < decltype(v)(0.0f), decltype(v)(0.0f), v); }, x);
    case Activation::gelu_erf:
      return map<Isa>(
          n, y,
          [](auto v) {
            const auto half = v * 0.5f;
            return fma(half, erf(v * 0.707106781f), half);
          },
          x);
    case Activation::gelu_tanh:  // √(2/π)·(v + 0.044715·v³)
      return map<Isa>(
          n, y,
          [](auto v) {
            const auto half = v * 0.5f;
            return fma(half, tanh(v * polynomial(v * v, 0.797884561f, 0.0356774081f)), half);
          },
          x);
    case Activation::tanh:
      return map<Isa>(
          n, y, [](auto v) { return tanh(v); }, x);
    case Activation::sigmoid:
      return map<Isa>(
          n, y, [](auto v) { return sigmoid(v); }, x);
  }
}

/// y = a + b
/// shapes    a, b, y (n)
/// layout    contiguous; y may be a or b
/// requires  n ≥ 0
/// numerics  correctly rounded
/// memory    none
/// oracle    tests/reference/activation.hpp
template <class Isa>
void add_f32(int n, const float* a, const float* b, float* y) noexcept {
  KINGLET_ASSERT(n >= 0);
  map<Isa>(
      n, y, [](auto u, auto v) { return u + v; }, a, b);
}

}  // namespace kinglet::kernels
