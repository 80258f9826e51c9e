// The functions are one source for all ISAs; here they run on one lane. That the others give the
// same bits is tested through the kernels that use them.

#include <kinglet/kernels/math.hpp>
#include <limits>

#include "kernels/check.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

using Lane = kernels::Floats<isa::scalar>;

/// |y − expected| in units of the last place of `expected`, which is a normal float; infinite for
/// NaN.
double ulps(float y, double expected) {
  const double unit = std::ldexp(1.0, std::max(std::ilogb(expected), -126) - 23);
  const double off = std::fabs(static_cast<double>(y) - expected) / unit;
  return off <= 1e9 ? off : std::numeric_limits<double>::infinity();
}

/// The worst over every 4001st of all float bit patterns between low and high, about a million
/// points in all, and at `worst_of_all`, which a finer sweep found.
template <class F, class Exact>
double worst(F f, Exact exact, float low, float high, float worst_of_all) {
  double worst = ulps(f(Lane(worst_of_all)).v, exact(static_cast<double>(worst_of_all)));
  int points = 0;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 4001) {
    const auto pattern = static_cast<std::uint32_t>(bits);
    float x;
    std::memcpy(&x, &pattern, sizeof x);
    if (!(x >= low && x <= high)) continue;
    const double expected = exact(static_cast<double>(x));
    if (std::fabs(expected) < static_cast<double>(std::numeric_limits<float>::min())) continue;
    worst = std::max(worst, ulps(f(Lane(x)).v, expected));
    ++points;
  }
  CHECK(points > 100000);
  return worst;
}

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("exp is within 1.01 ulp") {
  const double w = worst([](Lane x) { return exp(x); }, [](double x) { return std::exp(x); },
                         -87.33f, 88.7228f, -0x1.df6002p+5f);
  CHECK(w <= 1.01);
}

TEST_CASE("exp underflows to zero, overflows to infinity and keeps NaN") {
  CHECK(exp(Lane(0.0f)).v == 1.0f);
  CHECK(exp(Lane(-kInf)).v == 0.0f);
  CHECK(exp(Lane(-88.0f)).v == 0.0f);
  CHECK(exp(Lane(-1e30f)).v == 0.0f);
  CHECK(exp(Lane(88.73f)).v == kInf);
  CHECK(exp(Lane(1e30f)).v == kInf);
  CHECK(exp(Lane(kInf)).v == kInf);
  CHECK(std::isnan(exp(Lane(kNan)).v));
}

TEST_CASE("exp2 is within 1 ulp") {
  const double w = worst([](Lane x) { return exp2(x); }, [](double x) { return std::exp2(x); },
                         -126.0f, 127.49f, -0x1.ff2c82p-2f);
  CHECK(w <= 1.0);
}

TEST_CASE("exp2 gives powers of 2 exactly, underflows to zero and keeps NaN") {
  for (int n = -126; n < 128; ++n)
    CHECK(exp2(Lane(static_cast<float>(n))).v == std::ldexp(1.0f, n));
  CHECK(exp2(Lane(-kInf)).v == 0.0f);
  CHECK(exp2(Lane(-126.25f)).v == 0.0f);
  CHECK(exp2(Lane(-1e30f)).v == 0.0f);
  // Whatever a NaN carries in its low bits.
  for (std::uint32_t bits = 0x7fc00000u; bits < 0x7fc00000u + 1024; ++bits) {
    float nan;
    std::memcpy(&nan, &bits, sizeof nan);
    CHECK(std::isnan(exp2(Lane(nan)).v));
  }
}

TEST_CASE("erf is within 6 ulp, odd and never above 1") {
  const double w = worst([](Lane x) { return erf(x); }, [](double x) { return std::erf(x); }, -kInf,
                         kInf, 0x1.de9b0ap+1f);
  CHECK(w <= 6.0);
  CHECK(erf(Lane(kInf)).v == 1.0f);
  CHECK(erf(Lane(-kInf)).v == -1.0f);
  CHECK(std::isnan(erf(Lane(kNan)).v));
  CHECK(std::signbit(erf(Lane(-0.0f)).v));
  for (float x = 0.0f; x < 5.0f; x += 1.0f / 4096) {
    CHECK_UNARY(erf(Lane(x)).v <= 1.0f && erf(Lane(-x)).v == -erf(Lane(x)).v);
  }
}

TEST_CASE("tanh is within 6 ulp, odd and never above 1") {
  const double w = worst([](Lane x) { return tanh(x); }, [](double x) { return std::tanh(x); },
                         -kInf, kInf, 0x1.8c1b4cp+2f);
  CHECK(w <= 6.0);
  CHECK(tanh(Lane(kInf)).v == 1.0f);
  CHECK(tanh(Lane(-kInf)).v == -1.0f);
  CHECK(std::isnan(tanh(Lane(kNan)).v));
  CHECK(std::signbit(tanh(Lane(-0.0f)).v));
  for (float x = 0.0f; x < 12.0f; x += 1.0f / 1024) {
    CHECK_UNARY(tanh(Lane(x)).v <= 1.0f && tanh(Lane(-x)).v == -tanh(Lane(x)).v);
  }
}

TEST_CASE("sigmoid is within 2.5 ulp") {
  const double w =
      worst([](Lane x) { return kernels::sigmoid(x); },
            [](double x) { return 1 / (1 + std::exp(-x)); }, -87.33f, kInf, -0x1.0a2bd8p+4f);
  CHECK(w <= 2.5);
  CHECK(kernels::sigmoid(Lane(-kInf)).v == 0.0f);
  CHECK(kernels::sigmoid(Lane(-88.73f)).v == 0.0f);
  CHECK(within(static_cast<double>(kernels::sigmoid(Lane(-88.7f)).v), std::exp(-88.7), 3e-39));
  CHECK(std::isnan(kernels::sigmoid(Lane(kNan)).v));
}

TEST_CASE("a gate is within 1e-7, and within 5e-7 with what it lets through") {
  double gate = 0, product = 0;
  const auto try_at = [&](float x, float y) {
    const double exact = 1 / (1 + std::exp(-static_cast<double>(x)));
    const auto off = [](Lane got, double expected) {
      return std::fabs(static_cast<double>(got.v) - expected);
    };
    gate = std::max(gate, off(kernels::gate(Lane(x)), exact));
    product = std::max(product, off(kernels::gate_times_tanh(Lane(x), Lane(y)),
                                    exact * std::tanh(static_cast<double>(y))));
  };
  for (float x = -130.0f; x < 130.0f; x += 0.37f) {
    for (float y = -12.0f; y < 12.0f; y += 0.0101f) try_at(x, y);
  }
  try_at(0x1.69abb4p+3f, 0x1.86dc78p+2f);  // where a finer grid found the worst
  CHECK(gate <= 1e-7);
  CHECK(product <= 5e-7);
}
