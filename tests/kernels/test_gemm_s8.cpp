#include <algorithm>

#include "kernels/quantized.hpp"
#include "reference/gemm_s8.hpp"

using namespace kinglet;
using namespace kinglet::test;
using kernels::Activation;
using kernels::Epilogue;

namespace {

struct Problem {
  int m, n, k;
  Activation act = Activation::none;
  bool bias = false, residual = false, in_place = false;
  bool extreme = false;  ///< every q and w is ±127
};

struct Inputs {
  explicit Inputs(const Problem& p)
      : x(p.m, p.k, p.k + 3, Random(1), 2.0f),
        residual(p.m, p.n, p.n + 5, Random(3)),
        bias(1, columns(p), columns(p)),
        scale(1, columns(p), columns(p)),
        w(static_cast<std::size_t>(p.n * p.k)),
        panels(kernels::panels_size_s8(p.n, p.k)),
        sums(static_cast<std::size_t>(columns(p))),
        negatives(sums.size()) {
    Random random(2);
    for (auto& v : w) v = static_cast<std::int8_t>(std::lround(random.next() * 127.0f));
    if (p.extreme) {
      for (auto& v : w) v = v < 0 ? -127 : 127;
      for (int r = 0; r < p.m; ++r) {
        for (int j = 0; j < p.k; ++j) x.row(r)[j] = x.row(r)[j] < 0 ? -1.0f : 1.0f;
      }
    }
    std::fill_n(bias.data(), columns(p), 0.0f);
    std::fill_n(scale.data(), columns(p), 0.0f);
    random.fill(bias.data(), p.n);
    for (int j = 0; j < p.n; ++j) scale.data()[j] = 0.001f * (1.5f + random.next());
    kernels::pack_panels_s8(p.n, p.k, w.data(), p.k, panels.data(), sums.data(), negatives.data());
    for (int r = 0; r < p.m; ++r) rows.push_back(reference::quantize(p.k, x.row(r)));
  }
  static int columns(const Problem& p) { return kernels::panels_of(p.n) * kernels::kPanel; }

  kernels::WeightsS8 weights() const {
    return {panels.data(), scale.data(), sums.data(), negatives.data()};
  }

  Guarded x, residual, bias, scale;
  std::vector<std::int8_t> w, panels;
  std::vector<std::int32_t> sums, negatives;
  std::vector<reference::QuantizedRow> rows;
};

std::vector<float> run(const Table& table, const Problem& p, const Inputs& in) {
  Quantized a(table, p.m, p.k);
  table.quantize_rows(p.m, p.k, in.x.data(), in.x.ld(), a.rows());
  Guarded c(p.m, p.n, p.n + 1 + p.m % 3);
  Epilogue epilogue;
  epilogue.act = p.act;
  if (p.bias) epilogue.bias = in.bias.data();
  if (p.residual) {
    epilogue.residual = in.residual.data();
    epilogue.ld_residual = in.residual.ld();
  }
  if (p.in_place) {
    c.copy_from(in.residual);
    epilogue.residual = c.data();
    epilogue.ld_residual = c.ld();
  }
  table.gemm_s8(p.m, p.n, p.k, a.rows(), in.weights(), epilogue, c.data(), c.ld());
  CHECK(c.guards_intact());
  return c.values();
}

/// The integer is exact. Its conversion, the product of the scales and the fused addition of the
/// bias round once each; activation and residual as in gemm_f32.
void check(const Problem& p) {
  CAPTURE(p.m);
  CAPTURE(p.n);
  CAPTURE(p.k);
  CAPTURE(static_cast<int>(p.act));
  const Inputs in(p);
  const bool residual = p.residual || p.in_place;
  const auto expected = reference::gemm_s8(
      p.n, p.k, in.rows, in.w.data(), in.scale.data(), p.bias ? in.bias.data() : nullptr, p.act,
      residual ? in.residual.data() : nullptr, in.residual.ld());
  on_every_isa([&](const Table& table) { return run(table, p, in); },
               [&](const Table&, const std::vector<float>& values) {
                 REQUIRE(values.size() == expected.c.size());
                 int wrong = 0;
                 for (std::size_t i = 0; i < values.size(); ++i) {
                   const double sum = std::fabs(expected.sum[i]);
                   const double bias = p.bias ? 1.0 : 0.0;
                   double bound = roundings(2) * (sum + bias) + kU * sum;
                   if (p.act != Activation::none) bound = 1.13 * bound + 4e-7 * std::max(sum, 1.0);
                   bound += kU * std::fabs(expected.c[i]);
                   wrong += !within(static_cast<double>(values[i]), expected.c[i], bound);
                 }
                 CHECK(wrong == 0);
               });
}

}  // namespace

TEST_CASE("pack_panels_s8 puts four neighbours of a row together and sums the rows") {
  const int n = 18, k = 11;
  const Inputs in({1, n, k});
  REQUIRE(in.panels.size() == 2 * 4 * 16 * 4);  // two panels; k is padded to 16
  for (int p = 0; p < 2; ++p) {
    for (int j = 0; j < 16; ++j) {
      const int row = 16 * p + j;
      int sum = 0, negative = 0;
      for (int kk = 0; kk < 16; ++kk) {
        const int expected = row < n && kk < k ? in.w[static_cast<std::size_t>(row * k + kk)] : 0;
        CHECK(in.panels[static_cast<std::size_t>(((p * 4 + kk / 4) * 16 + j) * 4 + kk % 4)] ==
              expected);
        sum += expected;
        negative -= std::min(expected, 0);
      }
      CHECK(in.sums[static_cast<std::size_t>(row)] == sum);
      CHECK(in.negatives[static_cast<std::size_t>(row)] == negative);
    }
  }
}

TEST_CASE("gemm_s8 gives the reference's integers exactly on every instruction set") {
  for (int k : {1, 4, 5, 8, 12, 100, 520}) {
    for (bool extreme : {false, true}) {
      Problem p{7, 33, k};
      p.extreme = extreme;
      Inputs in(p);
      std::fill_n(in.scale.data(), p.n, 1.0f);
      const auto expected = reference::gemm_s8(p.n, k, in.rows, in.w.data(), in.scale.data(),
                                               nullptr, p.act, nullptr, 0);
      for (int i = 0; i < kernels::count(); ++i) {
        const std::string isa = kernels::at(i).isa;
        CAPTURE(isa);
        CAPTURE(k);
        const std::vector<float> values = run(kernels::at(i), p, in);
        int wrong = 0;
        for (std::size_t at = 0; at < values.size(); ++at) {
          const float scale = in.rows[at / static_cast<std::size_t>(p.n)].scale;
          wrong += !(values[at] == static_cast<float>(expected.integers[at]) * scale);
        }
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("gemm_s8 is within the rounding bound for every height of tile") {
  for (int m : kEdges) {
    for (int n : {1, 17, 100}) {
      for (int k : {1, 12}) check({m, n, k});
    }
  }
}

TEST_CASE("gemm_s8 is within the rounding bound for every number of panels") {
  for (int n : kEdges) {
    for (int m : {1, 2, 3, 5, 13}) {
      for (int k : {4, 8, 33}) check({m, n, k});
    }
  }
}

TEST_CASE("gemm_s8 is within the rounding bound for long rows and for the largest integers") {
  check({3, 80, 768});
  check({13, 49, 3072});
  Problem longest{2, 17, 65536};
  longest.extreme = true;
  check(longest);
}

TEST_CASE("gemm_s8 adds bias, activation and residual in this order") {
  for (Activation act : {Activation::none, Activation::relu, Activation::gelu_erf,
                         Activation::gelu_tanh, Activation::tanh, Activation::sigmoid}) {
    for (int n : {5, 16, 70}) {
      for (int m : {1, 4, 7}) {
        Problem p{m, n, 19};
        p.act = act;
        check(p);
        p.bias = true;
        check(p);
        p.residual = true;
        check(p);
        p.residual = false;
        p.in_place = true;
        check(p);
      }
    }
  }
}

TEST_CASE("gemm_s8 gives a row and a panel the same bits however rows and panels are split") {
  const Problem p{17, 150, 65, Activation::gelu_erf, true, true};
  const Inputs in(p);
  for (int i = 0; i < kernels::count(); ++i) {
    const Table& table = kernels::at(i);
    const std::string isa = table.isa;
    CAPTURE(isa);
    const std::vector<float> whole = run(table, p, in);
    for (int rows : {1, 2, 3, 4, 5, 11}) {
      for (int panels : {1, 2, 3, 5, 10}) {
        Guarded c(p.m, p.n, p.n);
        for (int r = 0; r < p.m; r += rows) {
          const int height = std::min(rows, p.m - r);
          Quantized a(table, height, p.k);
          table.quantize_rows(height, p.k, in.x.row(r), in.x.ld(), a.rows());
          for (int first = 0; first < kernels::panels_of(p.n); first += panels) {
            const int col = first * kernels::kPanel;
            const kernels::WeightsS8 part{
                in.panels.data() + static_cast<std::ptrdiff_t>(col) * kernels::padded_depth(p.k),
                in.scale.data() + col, in.sums.data() + col, in.negatives.data() + col};
            const Epilogue epilogue{in.bias.data() + col, p.act, in.residual.row(r) + col,
                                    in.residual.ld()};
            table.gemm_s8(height, std::min(panels * kernels::kPanel, p.n - col), p.k, a.rows(),
                          part, epilogue, c.row(r) + col, c.ld());
          }
        }
        CHECK(same_bits(c.values(), whole));
      }
    }
  }
}

TEST_CASE("gemm_s8 of no rows or no columns writes nothing") {
  const Inputs in({1, 1, 4});
  for (int i = 0; i < kernels::count(); ++i) {
    Quantized a(kernels::at(i), 1, 4);
    kernels::at(i).quantize_rows(1, 4, in.x.data(), 4, a.rows());
    kernels::at(i).gemm_s8(0, 1, 4, a.rows(), in.weights(), {}, nullptr, 1);
    kernels::at(i).gemm_s8(1, 0, 4, a.rows(), in.weights(), {}, nullptr, 1);
  }
}
