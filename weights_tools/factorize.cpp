// kinglet-weights factorize: the word table as a product of two, by truncated SVD.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "commands.hpp"
#include "eigen.hpp"
#include "file_error.hpp"
#include "model_session.hpp"
#include "rewrite.hpp"

namespace kinglet::tools {
namespace {

constexpr const char* kTable = "token_embd.weight";
constexpr const char* kFactor = "token_embd_factor.weight";
constexpr int kMostWidth = 4096;

std::size_t size_of(int n) { return static_cast<std::size_t>(n); }

/// y (rows × n) = x (rows × k) · w, w row-major k × n; sums in double.
std::vector<float> product(const DenseMatrix& x, const std::vector<double>& w, int n) {
  std::vector<float> y(x.rows() * size_of(n));
  std::vector<double> sum(size_of(n));
  for (std::size_t r = 0; r < x.rows(); ++r) {
    std::fill(sum.begin(), sum.end(), 0.0);
    for (std::size_t i = 0; i < size_of(x.k); ++i) {
      const double factor = static_cast<double>(x.row(r)[i]);
      const double* row = w.data() + i * size_of(n);
      for (std::size_t j = 0; j < size_of(n); ++j) sum[j] += factor * row[j];
    }
    std::transform(sum.begin(), sum.end(), y.begin() + static_cast<std::ptrdiff_t>(r * size_of(n)),
                   [](double v) { return static_cast<float>(v); });
  }
  return y;
}

/// Eᵀ·E.
std::vector<double> gram(const DenseMatrix& x) {
  constexpr std::size_t kAtOnce = 8;  // rows a pass over the sums
  const std::size_t d = size_of(x.k);
  std::vector<double> sums(d * d), rows(kAtOnce * d);
  for (std::size_t first = 0; first < x.rows(); first += kAtOnce) {
    std::fill(rows.begin(), rows.end(), 0.0);
    const std::size_t count = std::min(kAtOnce, x.rows() - first);
    std::copy(x.row(first), x.row(first) + count * d, rows.begin());
    for (std::size_t i = 0; i < d; ++i) {
      double factors[kAtOnce];
      for (std::size_t r = 0; r < kAtOnce; ++r) factors[r] = rows[r * d + i];
      double* to = sums.data() + i * d;
      for (std::size_t j = i; j < d; ++j) {
        double sum = to[j];
        for (std::size_t r = 0; r < kAtOnce; ++r) sum += factors[r] * rows[r * d + j];
        to[j] = sum;
      }
    }
  }
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < i; ++j) sums[i * d + j] = sums[j * d + i];
  return sums;
}

/// The table as it is used: with the factor of an earlier run.
DenseMatrix whole_table(const ModelEdit& edit) {
  DenseMatrix table = edit.table(kTable);
  if (edit.find_tensor(kFactor) == nullptr) return table;
  const DenseMatrix factor = edit.matrix(kFactor);
  if (factor.k != table.k || factor.parts != 1)
    throw FileError(edit.path(), in_quotes(kFactor), "does not fit the table");
  std::vector<double> transposed(factor.values.size());
  for (std::size_t j = 0; j < size_of(factor.n); ++j)
    for (std::size_t i = 0; i < size_of(factor.k); ++i)
      transposed[i * size_of(factor.n) + j] = static_cast<double>(factor.row(j)[i]);
  return {1, table.n, factor.n, product(table, transposed, factor.n)};
}

/// Fills in the errors: u·v beside x.
void compare(const DenseMatrix& x, const DenseMatrix& u, const std::vector<double>& v,
             FactorizeResult& result) {
  const std::vector<float> y = product(u, v, x.k);
  double all = 0, off = 0;
  for (std::size_t r = 0; r < x.rows(); ++r) {
    double xx = 0, yy = 0, xy = 0;
    for (std::size_t j = 0; j < size_of(x.k); ++j) {
      const double a = static_cast<double>(x.row(r)[j]);
      const double b = static_cast<double>(y[r * size_of(x.k) + j]);
      xx += a * a, yy += b * b, xy += a * b;
      off += (a - b) * (a - b);
    }
    all += xx;
    const double cosine = yy > 0 ? xy / std::sqrt(xx * yy) : 0;
    if (xx > 0) result.worst_cosine = std::min(result.worst_cosine, cosine);
  }
  result.error = all > 0 ? std::sqrt(off / all) : 0;
}

}  // namespace

FactorizeResult factorize_words(ModelEdit& edit, int rank, double energy) {
  const ModelEdit::Tensor& stored = edit.tensor(kTable);
  if (stored.is_matrix())
    throw FileError(edit.path(), in_quotes(kTable),
                    "is also the decoder of a masked LM, which must read whole rows");
  const bool int8 = stored.is_s8();
  const DenseMatrix x = whole_table(edit);
  const std::size_t d = size_of(x.k);
  if (x.k > kMostWidth)
    throw FileError(edit.path(), in_quotes(kTable), "is wider than 4096 columns");
  if (!std::all_of(x.values.begin(), x.values.end(), [](float v) { return std::isfinite(v); }))
    throw FileError(edit.path(), in_quotes(kTable), "holds a value that is not finite");
  const int most = std::min(x.n, x.k);
  if (rank < 0 || rank > most)
    throw FileError(edit.path(), "--rank", "must be 1 to " + std::to_string(most));

  const Eigen eigen = eigen_symmetric(x.k, gram(x));
  double total = 0, kept = 0;
  for (const double value : eigen.values) total += std::max(value, 0.0);
  if (rank == 0) {
    double sum = 0;
    while (rank < most && (rank == 0 || sum < energy * total))
      sum += std::max(eigen.values[size_of(rank++)], 0.0);
  }
  for (int i = 0; i < rank; ++i) kept += std::max(eigen.values[size_of(i)], 0.0);

  // E ≈ (E·Vᵀ)·V for the rows V of the largest eigenvalues; V as it is stored, in float.
  FactorizeResult result{x.n, x.k, rank, total > 0 ? kept / total : 1, 0, 1};
  DenseMatrix factor{1, x.k, rank, std::vector<float>(d * size_of(rank))};
  std::vector<double> v(size_of(rank) * d), transposed(v.size());
  for (std::size_t i = 0; i < size_of(rank); ++i) {
    for (std::size_t j = 0; j < d; ++j) {
      const auto value = static_cast<float>(eigen.vectors[i * d + j]);
      factor.row(j)[i] = value;
      v[i * d + j] = transposed[j * size_of(rank) + i] = static_cast<double>(value);
    }
  }
  DenseMatrix u{1, x.n, rank, product(x, transposed, rank)};
  if (int8) {
    const RowsS8 q = quantize_rows(u);
    u = dequantize_rows(q);
    edit.put_table_s8(kTable, q);
  } else {
    edit.put_table(kTable, u);
  }
  edit.put_matrix(kFactor, factor);
  compare(x, u, v, result);
  edit.add_step("factorize " + std::to_string(rank) + " of " + std::to_string(x.k));
  return result;
}

void run_factorize(const FactorizeOptions& options) {
  ModelEdit edit = edit_model(options.input);
  const std::uint64_t before = edit.file_bytes();
  const FactorizeResult result = factorize_words(edit, options.rank, options.energy);
  edit.save(options.output);
  char text[160];
  std::snprintf(text, sizeof text,
                "%d x %d as %d x %d times %d x %d: energy %.6f, error %.3g, "
                "worst cosine of a row %.6f\n",
                result.rows, result.width, result.rows, result.rank, result.rank, result.width,
                result.energy, result.error, result.worst_cosine);
  std::cout << text;
  const std::uint64_t after = edit.file_bytes();
  if (after >= before) std::cout << "note: the file does not become smaller with this rank\n";
  std::cout << printable(options.output, 1000) << ": " << bytes_text(after) << ", was "
            << bytes_text(before) << '\n';
}

}  // namespace kinglet::tools
