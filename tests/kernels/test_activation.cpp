#include <limits>

#include "kernels/check.hpp"
#include "reference/activation.hpp"

using namespace kinglet;
using namespace kinglet::test;
using kernels::Activation;

namespace {

constexpr Activation kAll[] = {Activation::none,      Activation::relu, Activation::gelu_erf,
                               Activation::gelu_tanh, Activation::tanh, Activation::sigmoid};

double bound(Activation act, double x, double y) {
  switch (act) {
    case Activation::none:
    case Activation::relu: return 0;
    case Activation::gelu_erf:
    case Activation::gelu_tanh: return 4e-7 * std::fabs(x) + 2 * kU * std::fabs(y);
    case Activation::tanh: return 12 * kU * std::fabs(y);
    case Activation::sigmoid: return 6 * kU * y + 1e-37;  // no subnormal results
  }
  return 0;
}

std::vector<float> run(const Table& table, Activation act, int n, const Guarded& x, bool in_place) {
  Guarded y(1, n, n);
  if (in_place) y.copy_from(x);
  table.activate_f32(act, n, in_place ? y.data() : x.data(), y.data());
  CHECK(y.guards_intact());
  return y.values();
}

void check(Activation act, int n, const Guarded& x, bool in_place) {
  CAPTURE(n);
  CAPTURE(static_cast<int>(act));
  on_every_isa([&](const Table& table) { return run(table, act, n, x, in_place); },
               [&](const Table&, const std::vector<float>& values) {
                 int wrong = 0;
                 for (int i = 0; i < n; ++i) {
                   const double in = static_cast<double>(x.data()[i]);
                   const double expected = reference::activate(act, in);
                   wrong += !within(static_cast<double>(values[static_cast<std::size_t>(i)]),
                                    expected, bound(act, in, expected));
                 }
                 CHECK(wrong == 0);
               });
}

}  // namespace

TEST_CASE("activate_f32 is within its stated bound for every length") {
  for (Activation act : kAll) {
    for (int n : kEdges) {
      const Guarded x(1, n, n, Random(10), 5.0f);
      check(act, n, x, false);
      check(act, n, x, true);
    }
  }
}

TEST_CASE("activate_f32 is within its stated bound from 1e-30 to 1e4") {
  const int n = 20000;
  Guarded x(1, n, n);
  Random random(11);
  for (int i = 0; i < n; ++i)
    x.data()[i] = random.next() * std::pow(10.0f, static_cast<float>(i % 35 - 30));
  for (Activation act : kAll) check(act, n, x, false);
}

TEST_CASE("activate_f32 keeps NaN and saturates at infinity") {
  const float inf = std::numeric_limits<float>::infinity(),
              nan = std::numeric_limits<float>::quiet_NaN();
  for (int i = 0; i < kernels::count(); ++i) {
    const std::string isa = kernels::at(i).isa;
    CAPTURE(isa);
    for (Activation act : kAll) {
      const std::vector<float> x(19, nan);
      std::vector<float> y(19);
      kernels::at(i).activate_f32(act, 19, x.data(), y.data());
      for (float v : y) CHECK(std::isnan(v));
    }
    const float x[] = {inf, -inf};
    float y[2];
    kernels::at(i).activate_f32(Activation::tanh, 2, x, y);
    CHECK(y[0] == 1.0f);
    CHECK(y[1] == -1.0f);
    kernels::at(i).activate_f32(Activation::relu, 2, x, y);
    CHECK(y[0] == inf);
    CHECK(y[1] == 0.0f);
    kernels::at(i).activate_f32(Activation::gelu_erf, 1, x, y);
    CHECK(y[0] == inf);
  }
}

TEST_CASE("add_f32 is correctly rounded and may be in place") {
  for (int n : kEdges) {
    CAPTURE(n);
    const Guarded a(1, n, n, Random(12)), b(1, n, n, Random(13), 3.0f);
    for (bool in_place : {false, true}) {
      on_every_isa(
          [&](const Table& table) {
            Guarded y(1, n, n);
            if (in_place) y.copy_from(a);
            table.add_f32(n, in_place ? y.data() : a.data(), b.data(), y.data());
            CHECK(y.guards_intact());
            return y.values();
          },
          [&](const Table&, const std::vector<float>& values) {
            int wrong = 0;
            for (int i = 0; i < n; ++i)
              wrong += !(values[static_cast<std::size_t>(i)] == a.data()[i] + b.data()[i]);
            CHECK(wrong == 0);
          });
    }
  }
}
