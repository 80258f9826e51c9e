#include "rounding.hpp"

#include <algorithm>
#include <cmath>

namespace kinglet::tools {
namespace {

constexpr double kDamping = 0.01;
constexpr std::size_t kLanes = 8;

/// Σ a[i]·b[i] in lanes, so that a compiler can use vectors; this file is compiled without fused
/// products, so that every machine gives the same sum.
double dot(std::size_t n, const double* a, const double* b) {
  double lanes[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (std::size_t j = 0; j < kLanes; ++j) lanes[j] += a[i + j] * b[i + j];
  for (; i < n; ++i) lanes[0] += a[i] * b[i];
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

}  // namespace

std::vector<double> triangle_of(const KeptRows& x, const std::vector<float>& f) {
  const auto k = static_cast<std::size_t>(x.depth), m = static_cast<std::size_t>(x.count);
  std::vector<double> r(k * k, 0.0), rows(kLanes * k);
  // Some rows at a time: XᵀX is larger than a cache.
  for (std::size_t first = 0; first < m; first += kLanes) {
    const std::size_t count = std::min(kLanes, m - first);
    for (std::size_t i = 0; i < count * k; ++i) {
      rows[i] = static_cast<double>(x.values[first * k + i]);
      if (!f.empty()) rows[i] *= static_cast<double>(f[i % k]);
    }
    for (std::size_t i = 0; i < k; ++i) {
      double* out = r.data() + i * k;
      for (std::size_t s = 0; s < count; ++s) {
        const double* row = rows.data() + s * k;
        for (std::size_t j = i; j < k; ++j) out[j] += row[i] * row[j];
      }
    }
  }
  double diagonal = 0;
  for (std::size_t i = 0; i < k; ++i) diagonal += r[i * k + i] / static_cast<double>(k);
  const double damping = diagonal > 0 ? kDamping * diagonal : 1.0;
  for (std::size_t i = 0; i < k; ++i) r[i * k + i] += damping;
  // Cholesky, row by row from the top: what row i takes from those below it.
  for (std::size_t i = 0; i < k; ++i) {
    double* top = r.data() + i * k;
    const double root = std::sqrt(std::max(top[i], damping / 16));
    for (std::size_t j = i; j < k; ++j) top[j] /= root;
    for (std::size_t l = i + 1; l < k; ++l) {
      const double factor = top[l];
      if (factor == 0) continue;
      double* below = r.data() + l * k;
      for (std::size_t j = l; j < k; ++j) below[j] -= factor * top[j];
    }
  }
  return r;
}

RowsS8 quantize_rows_for(const DenseMatrix& w, const std::vector<double>& triangle) {
  RowsS8 q = quantize_rows(w);
  const auto k = static_cast<std::size_t>(w.k);
  std::vector<double> away(k);  // w − s·q of the columns that are done
  for (std::size_t r = 0; r < w.rows(); ++r) {
    const double scale = static_cast<double>(q.scale[r]);
    for (std::size_t j = k; j-- > 0;) {
      const double* from = triangle.data() + j * k;
      const double exact = static_cast<double>(w.row(r)[j]);
      const double wanted = exact + dot(k - j - 1, from + j + 1, away.data() + j + 1) / from[j];
      const double integer = std::clamp(std::nearbyint(wanted / scale), -127.0, 127.0);
      q.values[r * k + j] = static_cast<std::int8_t>(integer);
      away[j] = exact - scale * integer;
    }
  }
  return q;
}

}  // namespace kinglet::tools
