// Eigenvalues and vectors against what they are defined by, in the units of double rounding.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "eigen.hpp"
#include "nan.hpp"

namespace {

using kinglet::tools::Eigen;
using kinglet::tools::eigen_symmetric;
using kinglet::tools::max_or_nan;
using Doubles = std::vector<double>;

/// XᵀX of made-up rows: symmetric, rank at most `rows`.
Doubles gram(int n, int rows) {
  std::uint32_t state = 7;
  const auto next = [&] {
    state = state * 1664525u + 1013904223u;
    return static_cast<double>(state >> 8) / (1 << 23) - 1;
  };
  Doubles a(static_cast<std::size_t>(n * n), 0.0), x(static_cast<std::size_t>(n));
  for (int r = 0; r < rows; ++r) {
    for (double& v : x) v = next();
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x.size(); ++j) a[i * x.size() + j] += x[i] * x[j];
  }
  return a;
}

/// A·v = λ·v, vectors of length 1 and at right angles, values descending.
void check(const Doubles& a, int n) {
  CAPTURE(n);
  const Eigen found = eigen_symmetric(n, a);
  const auto size = static_cast<std::size_t>(n);
  REQUIRE(found.values.size() == size);
  REQUIRE(found.vectors.size() == size * size);
  double norm = 0, trace = 0, sum = 0;
  for (const double v : a) norm = std::max(norm, std::abs(v));
  const double tolerance = 1e-14 * n * std::max(norm * n, 1e-300);
  for (std::size_t i = 0; i < size; ++i) {
    trace += a[i * size + i];
    sum += found.values[i];
    if (i > 0) CHECK(found.values[i] <= found.values[i - 1]);
    const double* v = &found.vectors[i * size];
    double off = 0;
    for (std::size_t r = 0; r < size; ++r) {
      double av = 0;
      for (std::size_t c = 0; c < size; ++c) av += a[r * size + c] * v[c];
      off = max_or_nan(off, std::abs(av - found.values[i] * v[r]));
    }
    CHECK(off <= tolerance);
    double angle = 0;
    for (std::size_t j = 0; j <= i; ++j) {
      double product = 0;
      for (std::size_t c = 0; c < size; ++c) product += v[c] * found.vectors[j * size + c];
      angle = max_or_nan(angle, std::abs(product - (i == j ? 1.0 : 0.0)));
    }
    CHECK(angle <= 1e-14 * (n + 10));
  }
  CHECK(std::abs(trace - sum) <= tolerance);
}

}  // namespace

TEST_CASE("eigenvectors are at right angles and are only scaled by their matrix") {
  for (const int n : {1, 2, 3, 4, 5, 16, 33, 100}) check(gram(n, 3 * n), n);
}

TEST_CASE("matrices without full rank, with equal eigenvalues, diagonal and zero ones") {
  check(gram(40, 3), 40);
  check(Doubles(25, 0.0), 5);
  check(Doubles(36, 1.0), 6);
  Doubles identity(49, 0.0), diagonal(49, 0.0), graded(49, 0.0);
  for (std::size_t i = 0; i < 7; ++i) {
    identity[i * 8] = 1;
    diagonal[i * 8] = static_cast<double>(i % 3) - 1;
    for (std::size_t j = 0; j < 7; ++j) graded[i * 7 + j] = std::pow(10.0, -double(i + j));
  }
  check(identity, 7);
  check(diagonal, 7);
  check(graded, 7);
  Doubles tiny = gram(12, 30), huge = tiny;
  for (double& v : tiny) v *= 1e-150;
  for (double& v : huge) v *= 1e150;
  check(tiny, 12);
  check(huge, 12);
}

TEST_CASE("what is no number ends with an error, not in a loop") {
  CHECK_THROWS(eigen_symmetric(3, Doubles(9, std::nan(""))));
}
