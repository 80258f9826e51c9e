#include "smooth.hpp"

#include <algorithm>
#include <cmath>
#include <dispatch/dispatch.hpp>

namespace kinglet::tools {
namespace {

constexpr double kBalances[] = {0.0, 0.25, 0.5, 0.75, 1.0};
constexpr double kClearly = 0.9;  ///< of the error without factors
constexpr int kFurthest = 12;     ///< factors between 2^-12 and 2^12

/// Largest |x| of each column.
std::vector<double> column_sizes(const float* x, std::size_t rows, std::size_t n) {
  std::vector<double> most(n, 0.0);
  for (std::size_t i = 0; i < rows * n; ++i)
    most[i % n] = std::max(most[i % n], static_cast<double>(std::abs(x[i])));
  return most;
}

std::vector<double> exact_product(const DenseMatrix& w, const KeptRows& x) {
  std::vector<double> y;
  y.reserve(static_cast<std::size_t>(x.count) * w.rows());
  const auto k = static_cast<std::size_t>(w.k);
  for (std::size_t r = 0; r < static_cast<std::size_t>(x.count); ++r) {
    for (std::size_t o = 0; o < w.rows(); ++o) {
      float lanes[8] = {};  // so that the compiler can use vectors
      const float *a = x.values.data() + r * k, *b = w.row(o);
      std::size_t i = 0;
      for (; i + 8 <= k; i += 8)
        for (std::size_t j = 0; j < 8; ++j) lanes[j] += a[i + j] * b[i + j];
      for (; i < k; ++i) lanes[0] += a[i] * b[i];
      double sum = 0;
      for (const float lane : lanes) sum += static_cast<double>(lane);
      y.push_back(sum);
    }
  }
  return y;
}

/// x·f in int8 times W/f in int8, by the kernels.
std::vector<float> int8_product(DenseMatrix w, const KeptRows& x, const std::vector<float>& f) {
  const auto& kernel = kernels::best();
  if (!f.empty()) divide_columns(w, f);
  const RowsS8 rows = quantize_rows(w);
  const int n = static_cast<int>(w.rows()), k = w.k, depth = kernels::padded_depth(k);
  const auto padded =
      static_cast<std::size_t>(kernels::panels_of(n)) * static_cast<std::size_t>(kernels::kPanel);
  std::vector<std::int8_t> panels(kernels::panels_size_s8(n, k));
  std::vector<std::int32_t> sums(padded), negatives(padded);
  std::vector<float> scale(padded);
  kernels::pack_panels_s8(n, k, rows.values.data(), k, panels.data(), sums.data(),
                          negatives.data());
  std::copy(rows.scale.begin(), rows.scale.end(), scale.begin());

  const auto m = static_cast<std::size_t>(x.count);
  std::vector<std::int8_t> q(m * static_cast<std::size_t>(depth));
  std::vector<float> row_scale(m), y(m * static_cast<std::size_t>(n));
  std::vector<std::int32_t> zero(m);
  const kernels::QuantizedRows quantized{q.data(), depth, row_scale.data(), zero.data(),
                                         f.empty() ? nullptr : f.data()};
  kernel.quantize_rows(x.count, k, x.values.data(), k, quantized);
  kernel.gemm_s8(x.count, n, k, quantized,
                 {panels.data(), scale.data(), sums.data(), negatives.data()}, {}, y.data(), n);
  return y;
}

double rms_difference(const std::vector<double>& a, const std::vector<float>& b) {
  double square = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double away = a[i] - static_cast<double>(b[i]);
    square += away * away;
  }
  return std::sqrt(square / static_cast<double>(std::max<std::size_t>(a.size(), 1)));
}

}  // namespace

std::vector<float> smoothing_factors(const DenseMatrix& w, const KeptRows& x, double balance) {
  const auto k = static_cast<std::size_t>(w.k);
  const std::vector<double> of_w = column_sizes(w.values.data(), w.rows(), k),
                            of_x =
                                column_sizes(x.values.data(), static_cast<std::size_t>(x.count), k);
  std::vector<double> powers(k, 0.0);
  double mean = 0;
  for (std::size_t i = 0; i < k; ++i) {
    if (!(of_w[i] > 0) || !(of_x[i] > 0)) continue;
    powers[i] = (1 - balance) * std::log2(of_w[i]) - balance * std::log2(of_x[i]);
    mean += powers[i] / static_cast<double>(k);
  }
  std::vector<float> f(k, 1.0f);
  for (std::size_t i = 0; i < k; ++i) {
    if (!(of_w[i] > 0) || !(of_x[i] > 0)) continue;
    const double power =
        std::clamp(std::nearbyint(powers[i] - mean), -1.0 * kFurthest, 1.0 * kFurthest);
    f[i] = static_cast<float>(std::exp2(power));
  }
  return f;
}

double product_error(const DenseMatrix& w, const KeptRows& x, const std::vector<float>& f) {
  return rms_difference(exact_product(w, x), int8_product(w, x, f));
}

std::vector<float> best_factors(const DenseMatrix& w, const KeptRows& x) {
  const std::vector<double> wanted = exact_product(w, x);
  std::vector<float> best;
  double least = kClearly * rms_difference(wanted, int8_product(w, x, {}));
  for (const double balance : kBalances) {
    const std::vector<float> f = smoothing_factors(w, x, balance);
    const double error = rms_difference(wanted, int8_product(w, x, f));
    if (!(error < least)) continue;
    least = error;
    best = f;
  }
  return best;
}

void divide_columns(DenseMatrix& w, const std::vector<float>& f) {
  for (std::size_t i = 0; i < w.values.size(); ++i) w.values[i] /= f[i % f.size()];
}

void fold_into_values(ModelEdit& model, const std::string& layer, const std::vector<float>& f) {
  const std::string qkv = layer + ".attn_qkv", output = layer + ".attn_output.weight";
  DenseMatrix w = model.matrix(output), joined = model.matrix(qkv + ".weight");
  divide_columns(w, f);
  const std::size_t n = f.size();  // values are the last of three parts
  for (std::size_t i = 0; i < n; ++i) {
    float* row = joined.row(2 * n + i);
    for (int j = 0; j < joined.k; ++j) row[j] *= f[i];
  }
  model.put_matrix(output, w);
  model.put_matrix(qkv + ".weight", joined);
  if (model.find_tensor(qkv + ".bias") == nullptr) return;
  std::vector<float> bias = model.vector(qkv + ".bias");
  for (std::size_t i = 0; i < n; ++i) bias[2 * n + i] *= f[i];
  model.put_vector(qkv + ".bias", bias);
}

}  // namespace kinglet::tools
