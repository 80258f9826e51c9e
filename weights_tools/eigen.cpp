#include "eigen.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace kinglet::tools {
namespace {

using std::ptrdiff_t;

class Decomposition {
 public:
  Decomposition(int n, std::vector<double> a)
      : n_(n),
        a_(std::move(a)),
        q_(a_.size(), 0.0),
        diagonal_(static_cast<std::size_t>(n)),
        beside_(static_cast<std::size_t>(n)) {}

  Eigen run() {
    reduce();
    accumulate();
    iterate();
    return sorted();
  }

 private:
  double* row(std::vector<double>& m, ptrdiff_t i) { return m.data() + i * n_; }
  double& d(ptrdiff_t i) { return diagonal_[static_cast<std::size_t>(i)]; }
  double& e(ptrdiff_t i) { return beside_[static_cast<std::size_t>(i)]; }

  /// A ← H·A·H for a reflection H = I − β·v·vᵀ a column; v stays in q_, β with it in front.
  void reduce() {
    std::vector<double> w(static_cast<std::size_t>(n_));
    for (ptrdiff_t k = 0; k + 2 < n_; ++k) {
      double* v = row(q_, k);
      double norm = 0;
      for (ptrdiff_t i = k + 1; i < n_; ++i) {
        v[i] = row(a_, k)[i];
        norm = std::hypot(norm, v[i]);
      }
      d(k) = row(a_, k)[k];
      e(k) = v[k + 1] > 0 ? -norm : norm;
      v[k] = 0;
      if (norm == 0) continue;
      v[k + 1] -= e(k);
      v[k] = -1 / (e(k) * v[k + 1]);  // β = 2 / vᵀv
      reflect_both(k, v, w.data());
    }
    for (ptrdiff_t i = std::max<ptrdiff_t>(n_ - 2, 0); i < n_; ++i) d(i) = row(a_, i)[i];
    if (n_ > 1) e(n_ - 2) = row(a_, n_ - 2)[n_ - 1];
  }

  /// The trailing block: A ← A − v·wᵀ − w·vᵀ, w = β·A·v − (β²·vᵀ·A·v / 2)·v.
  void reflect_both(ptrdiff_t k, const double* v, double* w) {
    const double beta = v[k];
    std::fill(w + k + 1, w + n_, 0.0);
    for (ptrdiff_t i = k + 1; i < n_; ++i) {
      const double* x = row(a_, i);
      const double factor = beta * v[i];
      for (ptrdiff_t j = k + 1; j < n_; ++j) w[j] += factor * x[j];
    }
    double half = 0;
    for (ptrdiff_t i = k + 1; i < n_; ++i) half += w[i] * v[i];
    half *= beta / 2;
    for (ptrdiff_t i = k + 1; i < n_; ++i) w[i] -= half * v[i];
    for (ptrdiff_t i = k + 1; i < n_; ++i) {
      double* x = row(a_, i);
      const double vi = v[i], wi = w[i];
      for (ptrdiff_t j = k + 1; j < n_; ++j) x[j] -= vi * w[j] + wi * v[j];
    }
  }

  /// a_ ← Qᵀ, Q = H₀·H₁·…, from the last reflection on: it is the identity before where it acts.
  void accumulate() {
    std::fill(a_.begin(), a_.end(), 0.0);
    for (ptrdiff_t i = 0; i < n_; ++i) row(a_, i)[i] = 1;
    std::vector<double> u(static_cast<std::size_t>(n_));
    for (ptrdiff_t k = n_ - 3; k >= 0; --k) {
      const double* v = row(q_, k);
      if (v[k] == 0) continue;
      std::fill(u.begin(), u.end(), 0.0);
      for (ptrdiff_t i = k + 1; i < n_; ++i) {
        const double factor = v[k] * v[i];
        for (ptrdiff_t j = k + 1; j < n_; ++j)
          u[static_cast<std::size_t>(j)] += factor * row(a_, i)[j];
      }
      for (ptrdiff_t i = k + 1; i < n_; ++i) {
        double* x = row(a_, i);
        for (ptrdiff_t j = k + 1; j < n_; ++j) x[j] -= v[i] * u[static_cast<std::size_t>(j)];
      }
    }
    for (ptrdiff_t i = 0; i < n_; ++i)
      for (ptrdiff_t j = 0; j < i; ++j) std::swap(row(a_, i)[j], row(a_, j)[i]);
  }

  void iterate() {
    constexpr double kEps = std::numeric_limits<double>::epsilon();
    double largest = 0;
    for (ptrdiff_t i = 0; i < n_; ++i) largest = std::max(largest, std::abs(d(i)) + std::abs(e(i)));
    const auto negligible = [&](ptrdiff_t i) {
      const double near = std::abs(d(i)) + std::abs(d(i + 1));
      return std::abs(e(i)) <= kEps * std::max(near, kEps * largest);
    };
    long left = 60L * n_;
    for (ptrdiff_t high = n_ - 1; high > 0;) {
      if (negligible(high - 1)) {
        e(--high) = 0;
        continue;
      }
      ptrdiff_t low = high - 1;
      while (low > 0 && !negligible(low - 1)) --low;
      if (left-- == 0) throw std::domain_error("the eigenvalues do not converge");
      step(low, high);
    }
  }

  /// One implicit QR step on the block low … high: a bulge is chased down the diagonal.
  void step(ptrdiff_t low, ptrdiff_t high) {
    const double half = (d(high - 1) - d(high)) / 2, last = e(high - 1);
    const double shift =
        d(high) - last * (last / (half + std::copysign(std::hypot(half, last), half)));
    double x = d(low) - shift, bulge = e(low);
    for (ptrdiff_t k = low; k < high; ++k) {
      const double r = std::hypot(x, bulge);
      const double c = r > 0 ? x / r : 1, s = r > 0 ? bulge / r : 0;
      if (k > low) e(k - 1) = r;
      const double a = d(k), b = d(k + 1), f = e(k);
      d(k) = c * c * a + 2 * c * s * f + s * s * b;
      d(k + 1) = s * s * a - 2 * c * s * f + c * c * b;
      e(k) = c * s * (b - a) + (c * c - s * s) * f;
      if (k + 1 < high) {
        x = e(k);
        bulge = s * e(k + 1);
        e(k + 1) *= c;
      }
      double *y = row(a_, k), *z = row(a_, k + 1);
      for (ptrdiff_t j = 0; j < n_; ++j) {
        const double t = y[j];
        y[j] = c * t + s * z[j];
        z[j] = c * z[j] - s * t;
      }
    }
  }

  Eigen sorted() {
    std::vector<std::size_t> order(static_cast<std::size_t>(n_));
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t i, std::size_t j) { return diagonal_[i] > diagonal_[j]; });
    Eigen out;
    for (const std::size_t i : order) {
      const double* vector = row(a_, static_cast<ptrdiff_t>(i));
      out.values.push_back(diagonal_[i]);
      out.vectors.insert(out.vectors.end(), vector, vector + n_);
    }
    return out;
  }

  ptrdiff_t n_;
  std::vector<double> a_, q_, diagonal_, beside_;
};

}  // namespace

Eigen eigen_symmetric(int n, std::vector<double> a) { return Decomposition(n, std::move(a)).run(); }

}  // namespace kinglet::tools
