#include <limits>

#include "kernels/check.hpp"
#include "reference/softmax.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

std::vector<float> run(const Table& table, int rows, int n, const Guarded& x, bool in_place) {
  Guarded y(rows, n, n + 1);
  if (in_place) y.copy_from(x);
  const Guarded& from = in_place ? y : x;
  table.softmax_f32(rows, n, from.data(), from.ld(), y.data(), y.ld());
  CHECK(y.guards_intact());
  return y.values();
}

}  // namespace

TEST_CASE("softmax_f32 is within its stated bound") {
  for (int n : kEdges) {
    CAPTURE(n);
    const int rows = 3;
    const Guarded x(rows, n, n + 3, Random(5), 10.0f);
    for (bool in_place : {false, true}) {
      on_every_isa(
          [&](const Table& table) { return run(table, rows, n, x, in_place); },
          [&](const Table&, const std::vector<float>& values) {
            int wrong = 0;
            for (int r = 0; r < rows; ++r) {
              const std::vector<double> in(x.row(r), x.row(r) + n);
              const std::vector<double> expected = reference::softmax(in);
              const double max = *std::max_element(in.begin(), in.end());
              for (int i = 0; i < n; ++i) {
                const auto at = static_cast<std::size_t>(i);
                const double bound = (n / 32.0 + 16 + 2 * (max - in[at])) * kU * expected[at];
                wrong += !within(static_cast<double>(values[static_cast<std::size_t>(r * n + i)]),
                                 expected[at], bound);
              }
            }
            CHECK(wrong == 0);
          });
    }
  }
}

TEST_CASE("softmax_f32 gives 0 for -inf and NaN for a row with NaN") {
  const float inf = std::numeric_limits<float>::infinity();
  for (int i = 0; i < kernels::count(); ++i) {
    const Table& table = kernels::at(i);
    const std::string isa = table.isa;
    CAPTURE(isa);
    const float x[] = {1.0f, -inf, 1.0f, -1e30f};
    float y[4];
    table.softmax_f32(1, 4, x, 4, y, 4);
    CHECK(y[0] == 0.5f);
    CHECK(y[1] == 0.0f);
    CHECK(y[2] == 0.5f);
    CHECK(y[3] == 0.0f);
    for (int at : {0, 1, 18, 39}) {
      std::vector<float> row(40, 0.25f);
      row[static_cast<std::size_t>(at)] = std::numeric_limits<float>::quiet_NaN();
      table.softmax_f32(1, 40, row.data(), 40, row.data(), 40);
      int numbers = 0;
      for (float v : row) numbers += !std::isnan(v);
      CHECK(numbers == 0);
    }
  }
}
