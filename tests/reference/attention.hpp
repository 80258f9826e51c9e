#pragma once
// softmax(scale · q·kᵀ) · v for one row of q, in double; masked keys have the score -inf.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "reference/softmax.hpp"

namespace kinglet::reference {

struct AttentionRow {
  std::vector<double> scores;            ///< scale · q·k (n)
  std::vector<double> score_magnitudes;  ///< scale · Σ |q||k| (n)
  std::vector<double> probs;             ///< (n)
  std::vector<double> y;                 ///< (d)
  std::vector<double> y_magnitudes;      ///< Σ probs·|v| (d)
};

inline AttentionRow attention_row(int n, int d, const float* q, const float* k, int ldk,
                                  const float* v, int ldv, const std::uint8_t* mask, double scale) {
  AttentionRow out;
  for (int j = 0; j < n; ++j) {
    if (mask && mask[j] == 0) {
      out.scores.push_back(-std::numeric_limits<double>::infinity());
      out.score_magnitudes.push_back(0);
      continue;
    }
    double sum = 0, magnitude = 0;
    for (int i = 0; i < d; ++i) {
      const double product = static_cast<double>(q[i]) *
                             static_cast<double>(k[static_cast<std::ptrdiff_t>(j) * ldk + i]);
      sum += product;
      magnitude += std::fabs(product);
    }
    out.scores.push_back(scale * sum);
    out.score_magnitudes.push_back(scale * magnitude);
  }
  out.probs = softmax(out.scores);
  for (int i = 0; i < d; ++i) {
    double sum = 0, magnitude = 0;
    for (int j = 0; j < n; ++j) {
      if (mask && mask[j] == 0) continue;
      const double value = static_cast<double>(v[static_cast<std::ptrdiff_t>(j) * ldv + i]);
      sum += out.probs[static_cast<std::size_t>(j)] * value;
      magnitude += out.probs[static_cast<std::size_t>(j)] * std::fabs(value);
    }
    out.y.push_back(sum);
    out.y_magnitudes.push_back(magnitude);
  }
  return out;
}

}  // namespace kinglet::reference
