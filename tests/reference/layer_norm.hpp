#pragma once
// (x − mean) / sqrt(var + eps) · gamma + beta for one row, in double.

#include <cmath>
#include <cstddef>
#include <vector>

namespace kinglet::reference {

struct LayerNormRow {
  double mean = 0;
  double deviation = 0;            ///< sqrt(var + eps)
  double magnitude = 0;            ///< mean of |x|
  std::vector<double> normalised;  ///< before gamma and beta
  std::vector<double> y;
};

inline LayerNormRow layer_norm_row(int n, const float* x, const float* gamma, const float* beta,
                                   double eps) {
  LayerNormRow out;
  for (int i = 0; i < n; ++i) {
    out.mean += static_cast<double>(x[i]) / n;
    out.magnitude += std::fabs(static_cast<double>(x[i])) / n;
  }
  double variance = 0;
  for (int i = 0; i < n; ++i) variance += std::pow(static_cast<double>(x[i]) - out.mean, 2) / n;
  out.deviation = std::sqrt(variance + eps);
  for (int i = 0; i < n; ++i) {
    out.normalised.push_back((static_cast<double>(x[i]) - out.mean) / out.deviation);
    out.y.push_back(out.normalised.back() * static_cast<double>(gamma[i]) +
                    static_cast<double>(beta[i]));
  }
  return out;
}

/// x / sqrt(sum of x^2)
inline std::vector<double> unit_length_row(int n, const float* x) {
  double squares = 0;
  for (int i = 0; i < n; ++i) squares += std::pow(static_cast<double>(x[i]), 2);
  std::vector<double> y;
  for (int i = 0; i < n; ++i)
    y.push_back(squares > 0 ? static_cast<double>(x[i]) / std::sqrt(squares) : 0.0);
  return y;
}

}  // namespace kinglet::reference
