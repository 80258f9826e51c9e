#pragma once
// c = act(a·wᵀ + bias) + residual in double, in the order of the formula.

#include <cmath>
#include <cstddef>
#include <vector>

#include "reference/activation.hpp"

namespace kinglet::reference {

struct Gemm {
  std::vector<double> c;           ///< (m, n)
  std::vector<double> sum;         ///< a·wᵀ + bias, before the activation
  std::vector<double> magnitudes;  ///< Σ |a||w|, what rounding errors are in proportion to
};

/// a (m, k), w (n, k), residual (m, n): rows ld* apart. bias (n) and residual may be null.
inline Gemm gemm(int m, int n, int k, const float* a, int lda, const float* w, int ldw,
                 const float* bias, kernels::Activation act, const float* residual,
                 int ld_residual) {
  const auto at = [](const float* x, int ld, int row, int col) {
    return static_cast<double>(x[static_cast<std::ptrdiff_t>(row) * ld + col]);
  };
  Gemm out;
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      double sum = 0, magnitude = 0;
      for (int kk = 0; kk < k; ++kk) {
        const double product = at(a, lda, i, kk) * at(w, ldw, j, kk);
        sum += product;
        magnitude += std::fabs(product);
      }
      if (bias) sum += static_cast<double>(bias[j]);
      out.sum.push_back(sum);
      out.magnitudes.push_back(magnitude);
      out.c.push_back(activate(act, sum) + (residual ? at(residual, ld_residual, i, j) : 0.0));
    }
  }
  return out;
}

/// panels[p][kk][j] = w[16p + j][kk], zero where there is no such row.
inline std::vector<float> pack_panels(int n, int k, const float* w, int ldw) {
  std::vector<float> panels;
  for (int first = 0; first < n; first += 16) {
    for (int kk = 0; kk < k; ++kk) {
      for (int row = first; row < first + 16; ++row) {
        panels.push_back(row < n ? w[static_cast<std::ptrdiff_t>(row) * ldw + kk] : 0.0f);
      }
    }
  }
  return panels;
}

}  // namespace kinglet::reference
