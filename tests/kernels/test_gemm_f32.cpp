#include <algorithm>

#include "kernels/check.hpp"
#include "reference/gemm.hpp"

using namespace kinglet;
using namespace kinglet::test;
using kernels::Activation;
using kernels::Epilogue;

namespace {

struct Problem {
  int m, n, k;
  Activation act = Activation::none;
  bool bias = false, residual = false, in_place = false;
};

/// Inputs of one problem, guarded, with strides wider than the rows.
struct Inputs {
  explicit Inputs(const Problem& p)
      : a(p.m, p.k, p.k + 3, Random(1)),
        w(p.n, p.k, p.k + 2, Random(2)),
        residual(p.m, p.n, p.n + 5, Random(3)),
        bias(1, kernels::panels_of(p.n) * 16, kernels::panels_of(p.n) * 16),
        panels(1, static_cast<int>(kernels::panels_size_f32(p.n, p.k)),
               static_cast<int>(kernels::panels_size_f32(p.n, p.k))) {
    std::fill_n(bias.data(), kernels::panels_of(p.n) * 16, 0.0f);
    Random(4).fill(bias.data(), p.n);
    kernels::pack_panels_f32(p.n, p.k, w.data(), w.ld(), panels.data());
  }
  Guarded a, w, residual, bias, panels;
};

std::vector<float> run(const Table& table, const Problem& p, const Inputs& in) {
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
  table.gemm_f32(p.m, p.n, p.k, in.a.data(), in.a.ld(), in.panels.data(), epilogue, c.data(),
                 c.ld());
  CHECK(c.guards_intact());
  return c.values();
}

/// Bound: γ_k·Σ|a||w| for the chain and one rounding each for bias, activation and residual; GELU
/// and its tanh form have slopes below 1.13 and are good to 4e-7·|x|, tanh to 4e-7.
void check(const Problem& p) {
  CAPTURE(p.m);
  CAPTURE(p.n);
  CAPTURE(p.k);
  CAPTURE(static_cast<int>(p.act));
  const Inputs in(p);
  const bool residual = p.residual || p.in_place;
  const auto expected = reference::gemm(p.m, p.n, p.k, in.a.data(), in.a.ld(), in.w.data(),
                                        in.w.ld(), p.bias ? in.bias.data() : nullptr, p.act,
                                        residual ? in.residual.data() : nullptr, in.residual.ld());
  on_every_isa([&](const Table& table) { return run(table, p, in); },
               [&](const Table&, const std::vector<float>& values) {
                 REQUIRE(values.size() == expected.c.size());
                 int wrong = 0;
                 for (std::size_t i = 0; i < values.size(); ++i) {
                   const double sum = std::fabs(expected.sum[i]);
                   double bound = roundings(p.k) * expected.magnitudes[i] + 2 * kU * (sum + 1);
                   if (p.act != Activation::none) bound = 1.13 * bound + 4e-7 * std::max(sum, 1.0);
                   bound += kU * std::fabs(expected.c[i]);
                   wrong += !within(static_cast<double>(values[i]), expected.c[i], bound);
                 }
                 CHECK(wrong == 0);
               });
}

}  // namespace

TEST_CASE("pack_panels_f32 gives the panels of the reference") {
  for (int n : {1, 15, 16, 17, 40}) {
    for (int k : {1, 7, 16}) {
      const Guarded w(n, k, k + 3, Random(9));
      const int size = static_cast<int>(kernels::panels_size_f32(n, k));
      Guarded panels(1, size, size);
      kernels::pack_panels_f32(n, k, w.data(), w.ld(), panels.data());
      CHECK(same_bits(panels.values(), reference::pack_panels(n, k, w.data(), w.ld())));
      CHECK(panels.guards_intact());
    }
  }
}

TEST_CASE("gemm_f32 is within the rounding bound for every height of tile") {
  for (int m : kEdges) {
    for (int n : {1, 17, 100}) {
      for (int k : {1, 7}) check({m, n, k});
    }
  }
}

TEST_CASE("gemm_f32 is within the rounding bound for every number of panels") {
  for (int n : kEdges) {
    for (int m : {1, 2, 3, 5, 13}) {
      for (int k : {1, 8, 33}) check({m, n, k});
    }
  }
}

TEST_CASE("gemm_f32 is within the rounding bound for long rows") {
  check({1, 768, 768});
  check({3, 80, 768});
  check({7, 130, 768});
  check({13, 49, 3072});
}

TEST_CASE("gemm_f32 adds bias, activation and residual in this order") {
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

TEST_CASE("gemm_f32 gives a row and a panel the same bits however rows and panels are split") {
  const Problem p{17, 150, 65, Activation::gelu_erf, true, true, false};
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
          for (int first = 0; first < kernels::panels_of(p.n); first += panels) {
            const int col = first * 16;
            const Epilogue epilogue{in.bias.data() + col, p.act, in.residual.row(r) + col,
                                    in.residual.ld()};
            table.gemm_f32(std::min(rows, p.m - r), std::min(panels * 16, p.n - col), p.k,
                           in.a.row(r), in.a.ld(), in.panels.data() + col * p.k, epilogue,
                           c.row(r) + col, c.ld());
          }
        }
        CHECK(same_bits(c.values(), whole));
      }
    }
  }
}

TEST_CASE("gemm_f32 of no rows or no columns writes nothing") {
  const Inputs in({1, 1, 4});
  for (int i = 0; i < kernels::count(); ++i) {
    kernels::at(i).gemm_f32(0, 1, 4, in.a.data(), 4, in.panels.data(), {}, nullptr, 1);
    kernels::at(i).gemm_f32(1, 0, 4, in.a.data(), 4, in.panels.data(), {}, nullptr, 1);
  }
}
