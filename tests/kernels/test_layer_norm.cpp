#include "kernels/check.hpp"
#include "reference/layer_norm.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

constexpr float kEps = 1e-5f;

std::vector<float> run(const Table& table, int rows, int n, const Guarded& x, const Guarded& g,
                       const Guarded& b, bool in_place) {
  Guarded y(rows, n, n + 2);
  if (in_place) y.copy_from(x);
  const Guarded& from = in_place ? y : x;
  table.layer_norm_f32(rows, n, from.data(), from.ld(), g.data(), b.data(), kEps, y.data(), y.ld());
  CHECK(y.guards_intact());
  return y.values();
}

/// The mean is off by e = γ(n/32 + 6)·mean|x|: this moves x − mean by e, and the variance, of
/// values centred about the wrong mean, by e² and γ(n/32 + 8) relatively. Then one rounding an
/// operation.
void check(int rows, int n, float offset, bool in_place) {
  CAPTURE(n);
  CAPTURE(offset);
  Guarded x(rows, n, n + 3, Random(6));
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < n; ++i) x.row(r)[i] += offset;
  }
  const Guarded g(1, n, n, Random(7)), b(1, n, n, Random(8));
  on_every_isa(
      [&](const Table& table) { return run(table, rows, n, x, g, b, in_place); },
      [&](const Table&, const std::vector<float>& values) {
        int wrong = 0;
        for (int r = 0; r < rows; ++r) {
          const auto row =
              reference::layer_norm_row(n, x.row(r), g.data(), b.data(), static_cast<double>(kEps));
          const double shift = roundings(n / 32.0 + 6) * row.magnitude / row.deviation;
          const double relative = shift * shift + roundings(n / 32.0 + 8);
          for (int i = 0; i < n; ++i) {
            const auto at = static_cast<std::size_t>(i);
            const double z = std::fabs(row.normalised[at]),
                         scale = std::fabs(static_cast<double>(g.data()[i]));
            const double bound =
                scale * (shift + (relative + 4 * kU) * (z + shift)) + kU * std::fabs(row.y[at]);
            wrong += !within(static_cast<double>(values[static_cast<std::size_t>(r * n + i)]),
                             row.y[at], bound);
          }
        }
        CHECK(wrong == 0);
      });
}

}  // namespace

TEST_CASE("layer_norm_f32 is within the rounding bound") {
  for (int n : kEdges) check(3, n, 0.0f, false);
  check(2, 768, 0.0f, false);
}

TEST_CASE("layer_norm_f32 is within the rounding bound in place") {
  for (int n : {1, 31, 32, 100}) check(4, n, 0.0f, true);
}

TEST_CASE("layer_norm_f32 does not cancel for rows with a large mean") {
  for (int n : {2, 33, 768}) check(2, n, 1024.0f, false);
}

TEST_CASE("layer_norm_f32 of a constant row is beta") {
  for (int i = 0; i < kernels::count(); ++i) {
    const std::string isa = kernels::at(i).isa;
    CAPTURE(isa);
    const std::vector<float> x(64, 3.0f), gamma(64, 2.0f), beta(64, -0.5f);
    std::vector<float> y(64);
    kernels::at(i).layer_norm_f32(1, 64, x.data(), 64, gamma.data(), beta.data(), kEps, y.data(),
                                  64);
    CHECK(y == beta);
  }
}

TEST_CASE("unit_length_f32 is within the rounding bound, and a row of zeros stays zero") {
  constexpr int kRows = 3;
  for (int n : kEdges) {
    CAPTURE(n);
    Guarded x(kRows, n, n + 3, Random(9));
    for (int i = 0; i < n; ++i) x.row(1)[i] = 0;
    for (bool in_place : {false, true}) {
      on_every_isa(
          [&](const Table& table) {
            Guarded y(kRows, n, n + 2);
            if (in_place) y.copy_from(x);
            const Guarded& from = in_place ? y : x;
            table.unit_length_f32(kRows, n, from.data(), from.ld(), y.data(), y.ld());
            CHECK(y.guards_intact());
            return y.values();
          },
          [&](const Table&, const std::vector<float>& values) {
            int wrong = 0;
            for (int r = 0; r < kRows; ++r) {
              const auto row = reference::unit_length_row(n, x.row(r));
              for (int i = 0; i < n; ++i) {
                // Half the relative error of Σ x², then a root, a division and a product.
                const double wanted = row[static_cast<std::size_t>(i)];
                const double bound = roundings(n / 64.0 + 7) * std::fabs(wanted);
                wrong += !within(static_cast<double>(values[static_cast<std::size_t>(r * n + i)]),
                                 wanted, bound);
              }
            }
            CHECK(wrong == 0);
          });
    }
  }
}
