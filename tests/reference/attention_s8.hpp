#pragma once
// attention_s8 for one row of q: the integers as the kernel must have them, one element at a time;
// everything after them in double, the probabilities not rounded.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace kinglet::reference {

/// x ≈ scale·q, the largest |q| is 127
struct SymmetricRow {
  std::vector<int> q;
  float scale;
};

inline SymmetricRow quantize_symmetric(const std::vector<float>& x) {
  float most = 0;
  for (float v : x) most = std::max(most, std::fabs(v));
  SymmetricRow row;
  row.scale = most / 127.0f > 1e-34f ? most / 127.0f : 1.0f;
  const float inverse = 1.0f / row.scale;
  for (float v : x) row.q.push_back(static_cast<int>(std::nearbyint(v * inverse)));
  return row;
}

/// The keys and values that are not masked, quantised.
struct AttentionS8 {
  std::vector<SymmetricRow> keys;     ///< (n)
  std::vector<SymmetricRow> columns;  ///< of v (d)

  AttentionS8(int n, int d, const float* k, int ldk, const float* v, int ldv,
              const std::uint8_t* mask) {
    std::vector<std::vector<float>> values(static_cast<std::size_t>(d));
    for (int j = 0; j < n; ++j) {
      if (mask && mask[j] == 0) continue;
      const float* key = k + static_cast<std::ptrdiff_t>(j) * ldk;
      keys.push_back(quantize_symmetric({key, key + d}));
      for (int i = 0; i < d; ++i)
        values[static_cast<std::size_t>(i)].push_back(v[static_cast<std::ptrdiff_t>(j) * ldv + i]);
    }
    for (const auto& column : values) columns.push_back(quantize_symmetric(column));
  }
};

struct AttentionRowS8 {
  std::vector<double> scores;                ///< scale·s_q·s_k·Σ q·k (n)
  std::vector<double> weights;               ///< 255·e^(score − max) (n)
  std::vector<double> y;                     ///< Σ weight·v / Σ weight (d)
  std::vector<std::vector<double>> columns;  ///< the numbers that int8 makes of v (d, n)
};

inline AttentionRowS8 attention_row_s8(const AttentionS8& a, const float* q, double scale) {
  const std::size_t d = a.columns.size();
  const SymmetricRow query = quantize_symmetric({q, q + d});
  AttentionRowS8 out;
  for (const auto& key : a.keys) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < d; ++i) sum += query.q[i] * key.q[i];
    out.scores.push_back(scale * static_cast<double>(query.scale) * static_cast<double>(key.scale) *
                         static_cast<double>(sum));
  }
  const double max = *std::max_element(out.scores.begin(), out.scores.end());
  double total = 0;
  for (double score : out.scores) {
    out.weights.push_back(255.0 * std::exp(score - max));
    total += out.weights.back();
  }
  for (const auto& column : a.columns) {
    double sum = 0;
    out.columns.emplace_back();
    for (std::size_t j = 0; j < out.weights.size(); ++j) {
      out.columns.back().push_back(static_cast<double>(column.q[j]) *
                                   static_cast<double>(column.scale));
      sum += out.weights[j] * out.columns.back().back();
    }
    out.y.push_back(sum / total);
  }
  return out;
}

}  // namespace kinglet::reference
