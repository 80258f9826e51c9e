#include <algorithm>
#include <utility>

#include "kernels/picture.hpp"

using namespace kinglet;
using namespace kinglet::test;
using kernels::Activation;

namespace {

struct Problem {
  int height, width, channels, kernel, stride, padding;
  Activation act = Activation::none;
  Gaps gaps = Gaps::none;

  int out(int size) const { return (size - 1) * stride - 2 * padding + kernel; }
};

/// Bound: every output has one rounding for each contribution, whose sizes are at most 1 each.
void check(const Problem& p) {
  CAPTURE(p.channels);
  CAPTURE(p.kernel);
  CAPTURE(p.stride);
  CAPTURE(p.padding);
  const int n = p.kernel * p.kernel * p.channels;
  const int height = p.out(p.height), width = p.out(p.width);
  const Picture taps(p.height, p.width, n, Gaps::pixels, 3);
  const Guarded bias(1, p.channels, p.channels, Random(4));
  reference::Image expected(height, width, p.channels);
  reference::overlap_add(taps.reference(), p.kernel, p.stride, p.padding, expected);
  const kernels::Taps t{taps.view().data, taps.view().pixel, p.height, p.width,
                        p.kernel,         p.stride,          p.padding};
  on_every_isa(
      [&](const Table& table) {
        Picture y(height, width, p.channels, p.gaps);
        for (const auto& [first, count] :
             {std::pair(height / 2, height - height / 2), {0, height / 2}})
          table.overlap_add_f32(t, bias.data(), p.act, first, count, y.view());
        CHECK(y.guards_intact());
        return y.values();
      },
      [&](const Table&, const std::vector<float>& values) {
        REQUIRE(values.size() == expected.values.size());
        const double most = 2 + p.kernel * p.kernel;
        int wrong = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
          double sum = expected.values[i];
          sum += static_cast<double>(bias.data()[i % static_cast<std::size_t>(p.channels)]);
          if (p.act == Activation::relu) sum = std::max(sum, 0.0);
          wrong += !within(static_cast<double>(values[i]), sum, roundings(most) * most);
        }
        CHECK(wrong == 0);
      });
}

}  // namespace

TEST_CASE("overlap_add_f32 equals the reference for kernels, strides, paddings and channels") {
  for (const int channels : {1, 2, 15, 16, 33}) {
    for (const int kernel : {1, 2, 3, 4, 6}) {
      for (const int stride : {1, 2, 3, 4}) {
        for (const int padding : {0, 1, 2}) {
          const Problem p{3, 4, channels, kernel, stride, padding};
          if (p.out(p.height) > 0) check(p);
        }
      }
    }
  }
}

TEST_CASE("overlap_add_f32 adds its bias first and its activation last, into images with gaps") {
  for (const Gaps gaps : {Gaps::none, Gaps::rows, Gaps::pixels}) {
    for (const Activation act : {Activation::none, Activation::relu}) {
      check({7, 7, 1, 4, 2, 1, act, gaps});
      check({5, 6, 32, 6, 4, 1, act, gaps});
    }
  }
}
