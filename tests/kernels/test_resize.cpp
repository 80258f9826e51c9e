#include "kernels/picture.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

/// The rows of `y` in two calls, as two threads would make them.
template <class Rows>
std::vector<float> in_two_parts(Picture& y, int height, Rows rows) {
  rows(height / 3, height - height / 3);
  rows(0, height / 3);
  CHECK(y.guards_intact());
  return y.values();
}

void check_nearest(int height, int width, int channels, int factor, Gaps gaps) {
  const Picture x(height, width, channels, gaps, 1);
  const auto expected = reference::resize_nearest(x.reference(), factor).values;
  on_every_isa(
      [&](const Table& table) {
        Picture y(height * factor, width * factor, channels, gaps);
        return in_two_parts(y, height * factor, [&](int first, int count) {
          table.resize_nearest_f32(x.view(), factor, first, count, y.view());
        });
      },
      [&](const Table&, const std::vector<float>& values) { check_within(values, expected, 0); });
}

/// Bound: the position is good to three roundings of its size, and neighbours differ by up to 2;
/// then two steps of three roundings each.
void check_bilinear(int from_h, int from_w, int to_h, int to_w, int channels, Gaps gaps) {
  CAPTURE(from_w);
  CAPTURE(to_w);
  CAPTURE(channels);
  const Picture x(from_h, from_w, channels, gaps, 2);
  const auto expected = reference::resize_bilinear(x.reference(), to_h, to_w).values;
  on_every_isa(
      [&](const Table& table) {
        Picture y(to_h, to_w, channels, gaps);
        Guarded row_weight(1, to_h, to_h), column_weight(1, to_w, to_w);
        std::vector<std::int32_t> first_row(static_cast<std::size_t>(to_h)),
            first_column(static_cast<std::size_t>(to_w));
        const kernels::Between rows{first_row.data(), row_weight.data()},
            columns{first_column.data(), column_weight.data()};
        kernels::resize_positions(from_h, to_h, rows);
        kernels::resize_positions(from_w, to_w, columns);
        Guarded scratch(1, from_w * channels, from_w * channels);
        const auto values = in_two_parts(y, to_h, [&](int first, int count) {
          table.resize_bilinear_f32(x.view(), rows, columns, first, count, y.view(),
                                    scratch.data());
        });
        CHECK((scratch.guards_intact() && row_weight.guards_intact()));
        return values;
      },
      [&](const Table&, const std::vector<float>& values) {
        const double bound = roundings(3.0 * (from_h + from_w)) * 2 + roundings(8);
        check_within(values, expected, bound);
      });
}

}  // namespace

TEST_CASE("resize_nearest_f32 copies every pixel factor × factor times") {
  for (const Gaps gaps : {Gaps::none, Gaps::rows, Gaps::pixels}) {
    for (const int channels : {1, 3, 16, 33}) {
      for (const int factor : {1, 2, 3}) check_nearest(4, 5, channels, factor, gaps);
    }
  }
}

TEST_CASE("resize_bilinear_f32 equals the reference for larger, smaller and equal sizes") {
  for (const Gaps gaps : {Gaps::none, Gaps::rows, Gaps::pixels}) {
    for (const int channels : {1, 2, 16, 19}) {
      check_bilinear(1, 1, 3, 4, channels, gaps);
      check_bilinear(5, 7, 5, 7, channels, gaps);
      check_bilinear(5, 7, 11, 70, channels, gaps);
      check_bilinear(40, 33, 7, 5, channels, gaps);
      check_bilinear(2, 130, 3, 131, channels, gaps);
    }
  }
  check_bilinear(224, 224, 300, 300, 1, Gaps::none);
}
