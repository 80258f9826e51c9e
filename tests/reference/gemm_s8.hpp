#pragma once
// act(s_a·s_w·Σ (q − z)·w + bias) + residual, the integers in 64 bits, the rest in double.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "reference/activation.hpp"
#include "reference/quantize.hpp"

namespace kinglet::reference {

struct GemmS8 {
  std::vector<std::int64_t> integers;
  std::vector<double> sum;  ///< before the activation
  std::vector<double> c;
};

/// w (n, k) row-major; bias, residual (m, n) or null
inline GemmS8 gemm_s8(int n, int k, const std::vector<QuantizedRow>& a, const std::int8_t* w,
                      const float* scale, const float* bias, kernels::Activation act,
                      const float* residual, int ld_residual) {
  GemmS8 out;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (int j = 0; j < n; ++j) {
      std::int64_t integer = 0;
      for (int kk = 0; kk < k; ++kk)
        integer += (a[i].q[static_cast<std::size_t>(kk)] - a[i].zero) * w[j * k + kk];
      double sum = static_cast<double>(integer) * static_cast<double>(a[i].scale) *
                   static_cast<double>(scale[j]);
      if (bias) sum += static_cast<double>(bias[j]);
      out.integers.push_back(integer);
      out.sum.push_back(sum);
      out.c.push_back(activate(act, sum) +
                      (residual ? static_cast<double>(
                                      residual[static_cast<std::ptrdiff_t>(i) * ld_residual + j])
                                : 0.0));
    }
  }
  return out;
}

}  // namespace kinglet::reference
