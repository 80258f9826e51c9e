#include <utility>

#include "kernels/picture.hpp"

using namespace kinglet;
using namespace kinglet::test;

TEST_CASE("max_pool_f32 takes the largest of the pixels that exist, also in ceil mode") {
  for (const Gaps gaps : {Gaps::none, Gaps::rows, Gaps::pixels}) {
    for (const int channels : {1, 5, 16, 33}) {
      struct Pool {
        int kernel, stride, padding;
      };
      for (const Pool p : {Pool{3, 2, 1}, Pool{2, 2, 0}, Pool{3, 2, 0}, Pool{3, 1, 1}}) {
        const int kernel = p.kernel, stride = p.stride, padding = p.padding;
        for (const bool ceil : {false, true}) {
          const int h = 8, w = 9;
          const auto out = [&](int size) {
            return (size + 2 * padding - kernel + (ceil ? stride - 1 : 0)) / stride + 1;
          };
          const Picture x(h, w, channels, gaps, 1);
          const auto expected =
              reference::max_pool(x.reference(), kernel, stride, padding, out(h), out(w)).values;
          on_every_isa(
              [&](const Table& table) {
                Picture y(out(h), out(w), channels, gaps);
                for (const auto& [first, count] : {std::pair(1, out(h) - 1), {0, 1}}) {
                  table.max_pool_f32({kernel, kernel, stride, 1}, padding, x.view(), first, count,
                                     y.view());
                }
                CHECK(y.guards_intact());
                return y.values();
              },
              [&](const Table&, const std::vector<float>& values) {
                check_within(values, expected, 0);
              });
        }
      }
    }
  }
}

TEST_CASE("average_pool_f32 is the mean over all pixels") {
  for (const Gaps gaps : {Gaps::none, Gaps::rows, Gaps::pixels}) {
    for (const int channels : {1, 5, 16, 33}) {
      for (const int width : {1, 7}) {
        const Picture x(5, width, channels, gaps, 2);
        const auto expected = reference::average_pool(x.reference());
        on_every_isa(
            [&](const Table& table) {
              Guarded y(1, channels, channels + 1);
              table.average_pool_f32(x.view(), y.data());
              CHECK(y.guards_intact());
              return y.values();
            },
            [&](const Table&, const std::vector<float>& values) {
              check_within(values, expected, roundings(36));
            });
      }
    }
  }
}
