#pragma once
// Activations in double, from the C library's erf and tanh.

#include <cmath>
#include <kinglet/kernels/activation.hpp>

namespace kinglet::reference {

inline double activate(kernels::Activation act, double x) {
  switch (act) {
    case kernels::Activation::none: return x;
    case kernels::Activation::relu: return x < 0 ? 0 : x;
    case kernels::Activation::gelu_erf: return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case kernels::Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case kernels::Activation::tanh: return std::tanh(x);
    case kernels::Activation::sigmoid: return 1 / (1 + std::exp(-x));
  }
  return x;
}

}  // namespace kinglet::reference
