// ModelEdit: matrices, tables and vectors out of the forms they are stored in, and back.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <kinglet/kernels/gemm_s8.hpp>
#include <stdexcept>

#include "file_error.hpp"
#include "model_edit.hpp"

namespace kinglet::tools {
namespace {

constexpr auto kRows = static_cast<std::size_t>(kernels::kPanel);

using Tensor = ModelEdit::Tensor;

std::size_t panels_of(int n) { return static_cast<std::size_t>(kernels::panels_of(n)); }
std::size_t size_of(int n) { return static_cast<std::size_t>(n); }

template <class T>
std::vector<T> values_of(const Tensor& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), values.size() * sizeof(T));
  return values;
}

template <class T>
Tensor make(std::string_view name, std::uint32_t type, std::vector<std::uint64_t> shape,
            const std::vector<T>& values) {
  const auto* begin = reinterpret_cast<const unsigned char*>(values.data());
  Tensor tensor;
  tensor.name = name;
  tensor.type = type;
  tensor.shape = std::move(shape);
  tensor.own =
      std::make_shared<const std::vector<unsigned char>>(begin, begin + values.size() * sizeof(T));
  tensor.bytes = Bytes(tensor.own->data(), tensor.own->size());
  return tensor;
}

Panels panels_like(int parts, int n, int k) {
  return {static_cast<std::uint64_t>(parts), static_cast<std::uint64_t>(n),
          static_cast<std::uint64_t>(k)};
}

/// Vectors of n values a part, each padded to whole panels.
template <class T>
Tensor make_vectors(const std::string& name, std::uint32_t type, int parts, int n,
                    const std::vector<T>& padded) {
  Tensor tensor = make(name, type, {size_of(parts) * panels_of(n), kRows}, padded);
  tensor.panels = panels_like(parts, n, 0);
  return tensor;
}

/// Value i of a vector of n a part, in panels.
std::size_t place_in_panels(std::size_t i, int n) {
  return i / size_of(n) * panels_of(n) * kRows + i % size_of(n);
}

}  // namespace

RowsS8 quantize_rows(const DenseMatrix& x) {
  RowsS8 q{x.parts, x.n, x.k, std::vector<std::int8_t>(x.values.size()),
           std::vector<float>(x.rows(), 1.0f)};
  for (std::size_t r = 0; r < x.rows(); ++r) {
    const float* row = x.row(r);
    float most = 0;
    for (int i = 0; i < x.k; ++i) {
      if (!std::isfinite(row[i])) throw std::domain_error("holds a value that is not finite");
      most = std::max(most, std::abs(row[i]));
    }
    const float scale = most / 127.0f;
    if (!(scale >= 1e-37f)) continue;  // 1 / scale must be finite: such rows are zero
    q.scale[r] = scale;
    for (int i = 0; i < x.k; ++i)
      q.values[r * size_of(x.k) + size_of(i)] =
          static_cast<std::int8_t>(std::clamp(std::nearbyint(row[i] / scale), -127.0f, 127.0f));
  }
  return q;
}

DenseMatrix dequantize_rows(const RowsS8& x) {
  DenseMatrix dense{x.parts, x.n, x.k, std::vector<float>(x.values.size())};
  for (std::size_t i = 0; i < x.values.size(); ++i)
    dense.values[i] = x.scale[i / size_of(x.k)] * static_cast<float>(x.values[i]);
  return dense;
}

std::vector<float> ModelEdit::vector(std::string_view name) const {
  const Tensor& stored = tensor(name);
  const bool in_panels = stored.panels && stored.panels->k == 0;
  if (!stored.is_f32() || !(in_panels || (!stored.panels && stored.shape.size() == 1)))
    fail(name, "is not a vector of f32");
  const std::vector<float> values = values_of<float>(stored);
  if (!in_panels) return values;
  const int n = static_cast<int>(stored.panels->n);
  std::vector<float> dense(static_cast<std::size_t>(stored.panels->parts) * size_of(n));
  for (std::size_t i = 0; i < dense.size(); ++i) dense[i] = values[place_in_panels(i, n)];
  return dense;
}

void ModelEdit::put_vector(std::string_view name, const std::vector<float>& values) {
  if (vector(name).size() != values.size()) fail(name, "has another number of values");
  const Tensor& old = tensor(name);
  std::vector<float> stored = values;
  if (old.panels) {
    stored.assign(old.bytes.size() / sizeof(float), 0.0f);
    for (std::size_t i = 0; i < values.size(); ++i)
      stored[place_in_panels(i, static_cast<int>(old.panels->n))] = values[i];
  }
  Tensor fresh = make(name, kGgufF32, old.shape, stored);
  fresh.panels = old.panels;
  put_tensor(std::move(fresh));
}

void ModelEdit::put_bias(std::string_view name, const std::vector<float>& values, int parts) {
  const int n = static_cast<int>(values.size()) / parts;
  std::vector<float> padded(size_of(parts) * panels_of(n) * kRows);
  for (std::size_t i = 0; i < values.size(); ++i) padded[place_in_panels(i, n)] = values[i];
  put_tensor(make_vectors(std::string(name), kGgufF32, parts, n, padded));
}

DenseMatrix ModelEdit::matrix(std::string_view name) const {
  const Tensor& stored = tensor(name);
  if (!stored.is_matrix()) fail(name, "is not a matrix of f32 or s8");
  if (stored.is_s8()) {
    DenseMatrix x = dequantize_rows(matrix_s8(name));
    const std::string smooth = std::string(name) + kSmoothSuffix;
    if (find_tensor(smooth) == nullptr) return x;
    const std::vector<float> factors = vector(smooth);
    if (factors.size() != size_of(x.k)) fail(smooth, "has another number of factors than columns");
    for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] *= factors[i % size_of(x.k)];
    return x;
  }
  DenseMatrix x{static_cast<int>(stored.panels->parts),
                static_cast<int>(stored.panels->n),
                static_cast<int>(stored.panels->k),
                {}};
  x.values.resize(x.rows() * size_of(x.k));
  for (std::size_t r = 0; r < x.rows(); ++r) {
    const std::size_t at = place_in_panels(r, x.n), k = size_of(x.k);
    const unsigned char* column =
        stored.bytes.data() + (at / kRows * k * kRows + at % kRows) * sizeof(float);
    for (std::size_t i = 0; i < k; ++i)
      std::memcpy(x.row(r) + i, column + i * kRows * sizeof(float), sizeof(float));
  }
  return x;
}

RowsS8 ModelEdit::matrix_s8(std::string_view name) const {
  const Tensor& stored = tensor(name);
  if (!stored.is_matrix() || !stored.is_s8()) fail(name, "is not a matrix of s8");
  RowsS8 x{static_cast<int>(stored.panels->parts),
           static_cast<int>(stored.panels->n),
           static_cast<int>(stored.panels->k),
           {},
           vector(std::string(name) + kScaleSuffix)};
  const std::size_t rows = size_of(x.parts) * size_of(x.n), k = size_of(x.k);
  if (x.scale.size() != rows) fail(name, "has another number of scales than rows");
  const auto depth = static_cast<std::size_t>(kernels::padded_depth(x.k));
  x.values.resize(rows * k);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t at = place_in_panels(r, x.n);
    const unsigned char* column = stored.bytes.data() + at / kRows * depth * kRows + at % kRows * 4;
    for (std::size_t i = 0; i < k; ++i)
      x.values[r * k + i] = static_cast<std::int8_t>(column[i / 4 * 4 * kRows + i % 4]);
  }
  return x;
}

void ModelEdit::put_matrix(std::string_view name, const DenseMatrix& x) {
  const std::size_t part = kernels::panels_size_f32(x.n, x.k);
  std::vector<float> panels(size_of(x.parts) * part);
  for (std::size_t p = 0; p < size_of(x.parts); ++p)
    kernels::pack_panels_f32(x.n, x.k, x.row(p * size_of(x.n)), x.k, panels.data() + p * part);
  Tensor fresh =
      make(name, kGgufF32, {size_of(x.parts) * panels_of(x.n), size_of(x.k), kRows}, panels);
  fresh.panels = panels_like(x.parts, x.n, x.k);
  for (const char* suffix : kBesideS8) remove_tensor(std::string(name) + suffix);
  put_tensor(std::move(fresh));
}

void ModelEdit::put_matrix_s8(std::string_view name, const RowsS8& x,
                              const std::vector<float>& smooth) {
  if (x.k > kernels::kMostDepthS8) fail(name, "is too deep for s8: more than 65536 inputs");
  const std::size_t part = kernels::panels_size_s8(x.n, x.k), columns = panels_of(x.n) * kRows;
  std::vector<std::int8_t> panels(size_of(x.parts) * part);
  std::vector<std::int32_t> sums(size_of(x.parts) * columns), negatives(sums.size());
  std::vector<float> scale(sums.size());
  for (std::size_t p = 0; p < size_of(x.parts); ++p) {
    const std::size_t first = p * size_of(x.n);
    kernels::pack_panels_s8(x.n, x.k, x.values.data() + first * size_of(x.k), x.k,
                            panels.data() + p * part, sums.data() + p * columns,
                            negatives.data() + p * columns);
    for (std::size_t i = 0; i < size_of(x.n); ++i) scale[p * columns + i] = x.scale[first + i];
  }
  const auto depth = static_cast<std::size_t>(kernels::padded_depth(x.k));
  Tensor fresh =
      make(name, kGgufS8, {size_of(x.parts) * panels_of(x.n), depth / 4, kRows, 4}, panels);
  fresh.panels = panels_like(x.parts, x.n, x.k);
  const std::string stem(name);
  put_tensor(std::move(fresh));
  if (!smooth.empty())
    put_after(name, make(stem + kSmoothSuffix, kGgufF32, {size_of(x.k)}, smooth));
  put_after(name, make_vectors(stem + kNegativesSuffix, kGgufS32, x.parts, x.n, negatives));
  put_after(name, make_vectors(stem + kSumsSuffix, kGgufS32, x.parts, x.n, sums));
  put_after(name, make_vectors(stem + kScaleSuffix, kGgufF32, x.parts, x.n, scale));
}

DenseMatrix ModelEdit::table(std::string_view name) const {
  const Tensor& stored = tensor(name);
  if (!stored.is_table()) fail(name, "is not a table of f32 or s8");
  if (stored.is_s8()) return dequantize_rows(table_s8(name));
  return {1, static_cast<int>(stored.shape[0]), static_cast<int>(stored.shape[1]),
          values_of<float>(stored)};
}

RowsS8 ModelEdit::table_s8(std::string_view name) const {
  const Tensor& stored = tensor(name);
  if (!stored.is_table() || !stored.is_s8()) fail(name, "is not a table of s8");
  RowsS8 x{1, static_cast<int>(stored.shape[0]), static_cast<int>(stored.shape[1]),
           values_of<std::int8_t>(stored), vector(std::string(name) + kScaleSuffix)};
  if (x.scale.size() != size_of(x.n)) fail(name, "has another number of scales than rows");
  return x;
}

void ModelEdit::put_table(std::string_view name, const DenseMatrix& x) {
  remove_tensor(std::string(name) + kScaleSuffix);
  put_tensor(make(name, kGgufF32, {size_of(x.n), size_of(x.k)}, x.values));
}

void ModelEdit::put_table_s8(std::string_view name, const RowsS8& x) {
  put_tensor(make(name, kGgufS8, {size_of(x.n), size_of(x.k)}, x.values));
  put_after(name, make(std::string(name) + kScaleSuffix, kGgufF32, {size_of(x.n)}, x.scale));
}

}  // namespace kinglet::tools
