#include <algorithm>
#include <numeric>

#include "kernels/attended.hpp"
#include "reference/attention.hpp"
#include "reference/attention_s8.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

constexpr float kScale = 0.3f;

std::vector<float> run(const Table& table, const Attended& in, float scale = kScale,
                       bool in_place = false) {
  Guarded y(in.m, in.d, in.d + 1);
  if (in_place) y.copy_from(in.q);
  const int size = static_cast<int>(kernels::attention_scratch_s8(in.n, in.d) / sizeof(float));
  Guarded scratch(1, size, size);
  const Guarded& q = in_place ? y : in.q;
  table.attention_s8(in.m, in.n, in.d, q.data(), q.ld(), in.k.data(), in.k.ld(), in.v.data(),
                     in.v.ld(), in_use(in.mask), scale, y.data(), y.ld(), scratch.data());
  CHECK(y.guards_intact());
  CHECK(scratch.guards_intact());
  return y.values();
}

/// With W = 255·e^(score − max) of the exact integers: a score is off by 8 roundings, as is the
/// maximum; coarse_exp2 by 8e-5, relatively; then a byte is off by half a step:
/// |p − W| ≤ δ = 1/2 + ρ·W. So |Σ p·v / Σ p − y| ≤ Σ δ·|v − y| / Σ p, and four roundings come last.
double bound(const reference::AttentionRowS8& row, std::size_t column) {
  double score = 0, total = 0, off = 0, sum = 0, most = 0;
  for (double s : row.scores) score = std::max(score, std::fabs(s));
  const double rho = std::expm1(2 * roundings(8) * (score + 8)) + 8e-5;
  const auto& v = row.columns[column];
  for (std::size_t j = 0; j < v.size(); ++j) {
    const double delta = 0.5 + rho * row.weights[j];
    total += row.weights[j];
    off += delta;
    sum += delta * std::fabs(v[j] - row.y[column]);
    most = std::max(most, std::fabs(v[j]));
  }
  return sum / std::max(254.0, total - off) + roundings(4) * most;
}

void check(const Attended& in, bool in_place = false) {
  CAPTURE(in.m);
  CAPTURE(in.n);
  CAPTURE(in.d);
  const reference::AttentionS8 exact(in.n, in.d, in.k.data(), in.k.ld(), in.v.data(), in.v.ld(),
                                     in_use(in.mask));
  on_every_isa([&](const Table& table) { return run(table, in, kScale, in_place); },
               [&](const Table&, const std::vector<float>& values) {
                 int wrong = 0;
                 const float* y = values.data();
                 for (int r = 0; r < in.m; ++r) {
                   const auto row =
                       reference::attention_row_s8(exact, in.q.row(r), static_cast<double>(kScale));
                   for (std::size_t i = 0; i < row.y.size(); ++i)
                     wrong += !within(static_cast<double>(*y++), row.y[i], bound(row, i));
                 }
                 CHECK(wrong == 0);
               });
}

}  // namespace

TEST_CASE("attention_s8 is within the bound of its integers for every number of queries") {
  for (int m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 31, 32, 33, 65})
    check(Attended(m, 20, 8));
}

TEST_CASE("attention_s8 is within the bound of its integers for every number of keys") {
  for (int n : kEdges) {
    check(Attended(1, n, 8));
    check(Attended(5, n, 11));
  }
  check(Attended(3, 513, 16));
}

TEST_CASE("attention_s8 is within the bound of its integers for odd and even heads") {
  for (int d : {1, 2, 7, 8, 10, 11, 15, 16, 17, 20, 32, 33, 64, 80}) check(Attended(7, 35, d));
}

TEST_CASE("attention_s8 is within the bound of its integers for sharp probabilities, in place") {
  check(Attended(6, 50, 32, 8.0f));
  check(Attended(37, 18, 10), true);
}

TEST_CASE("attention_s8 is within the bound of its integers under a mask, whatever it hides") {
  for (int n : {2, 15, 17, 33, 64}) {
    for (const Mask& mask : masks(n)) check(Attended(7, n, 11, 1.0f, mask));
  }
}

/// Rounding q, k to s·[−127, 127] moves a score by at most Σ (|q|·s_k + |k|·s_q)/2 + s_q·s_k/4, the
/// probabilities, and with them y, by twice that, relatively; rounding v moves y by s_v/2.
TEST_CASE("attention_s8 is within the bound of quantisation of the exact result") {
  const Attended in(9, 70, 32, 2.0f);
  const reference::AttentionS8 exact(in.n, in.d, in.k.data(), in.k.ld(), in.v.data(), in.v.ld(),
                                     nullptr);
  for (int i = 0; i < kernels::count(); ++i) {
    const std::string isa = kernels::at(i).isa;
    CAPTURE(isa);
    const std::vector<float> values = run(kernels::at(i), in);
    int wrong = 0;
    double worst = 0;
    const float* y = values.data();
    for (int r = 0; r < in.m; ++r) {
      const float* q = in.q.row(r);
      const auto row = reference::attention_row(in.n, in.d, q, in.k.data(), in.k.ld(), in.v.data(),
                                                in.v.ld(), nullptr, static_cast<double>(kScale));
      const auto integers = reference::attention_row_s8(exact, q, static_cast<double>(kScale));
      const double query = static_cast<double>(reference::quantize_symmetric({q, q + in.d}).scale);
      double off = 0;
      for (int j = 0; j < in.n; ++j) {
        const double key = static_cast<double>(exact.keys[static_cast<std::size_t>(j)].scale);
        double sum = 0;
        for (int c = 0; c < in.d; ++c) {
          sum += std::fabs(static_cast<double>(q[c])) * key / 2 +
                 std::fabs(static_cast<double>(in.k.row(j)[c])) * query / 2 + query * key / 4;
        }
        off = std::max(off, static_cast<double>(kScale) * sum);
      }
      for (std::size_t c = 0; c < row.y.size(); ++c) {
        double spread = 0;
        for (int j = 0; j < in.n; ++j) {
          const double value = static_cast<double>(in.v.row(j)[c]);
          spread += row.probs[static_cast<std::size_t>(j)] * std::fabs(value - row.y[c]);
        }
        const double step = static_cast<double>(exact.columns[c].scale);
        const double error = static_cast<double>(*y++) - row.y[c];
        wrong +=
            !(std::fabs(error) <= std::expm1(2 * off) * spread + step / 2 + bound(integers, c));
        worst = std::max(worst, std::fabs(error));
      }
    }
    CHECK(wrong == 0);
    CHECK(worst < 0.005);  // 0.0037; v lies in [-1, 1]
  }
}

TEST_CASE("attention_s8 rounds values to the nearest of 127 steps of their column") {
  // Without a query all keys weigh the same: y is the exact sum of integers, rounded three times.
  for (int n : {1, 2, 3, 17, 40}) {
    Attended in(1, n, 37);
    std::fill_n(in.q.row(0), in.d, 0.0f);
    const reference::AttentionS8 exact(n, in.d, in.k.data(), in.k.ld(), in.v.data(), in.v.ld(),
                                       nullptr);
    std::vector<float> expected;
    for (const auto& column : exact.columns) {
      const int sum = std::accumulate(column.q.begin(), column.q.end(), 0);
      const float inverse = 1.0f / static_cast<float>(255 * n);
      expected.push_back(static_cast<float>(255 * sum) * (inverse * column.scale));
    }
    for (int i = 0; i < kernels::count(); ++i) {
      const std::string isa = kernels::at(i).isa;
      CAPTURE(isa);
      CAPTURE(n);
      CHECK(same_bits(run(kernels::at(i), in), expected));
    }
  }
}

TEST_CASE("attention_s8 rounds queries and keys to the nearest of 127 steps of their row") {
  // Of two keys the first gives the score −scale·(x/127)·127·127 where x is the integer made of one
  // number, the second 0: y shows the byte of the first, which moves by more than 1 with x.
  for (bool of_query : {true, false}) {
    for (int step = 0; step < 508; ++step) {
      const float x = static_cast<float>(step) / 508.0f;
      Attended in(1, 2, 2);
      float* q = in.q.row(0);
      q[0] = of_query ? 1.0f : 0.0f;
      q[1] = of_query ? x : 1.0f;
      in.k.row(0)[0] = of_query ? 0.0f : -1.0f;
      in.k.row(0)[1] = of_query ? -1.0f : -x;
      std::fill_n(in.k.row(1), 2, 0.0f);
      std::fill_n(in.v.row(0), 2, 1.0f);
      std::fill_n(in.v.row(1), 2, 0.0f);
      const double integer = std::nearbyint(static_cast<double>(x * 127.0f));
      const double byte = 255.0 * std::exp(-integer / 127.0);
      for (int i = 0; i < kernels::count(); ++i) {
        const double y = static_cast<double>(run(kernels::at(i), in, 1.0f)[0]);
        const double seen = 255.0 * y / (1.0 - y);  // y = p / (p + 255)
        if (!within(seen, byte, 0.53)) {
          const std::string isa = kernels::at(i).isa;
          CAPTURE(isa);
          CAPTURE(step);
          CHECK(seen == byte);
        }
      }
    }
  }
}

TEST_CASE("attention_s8 gives a query the same bits alone and in a batch") {
  const Attended in(29, 50, 24);
  for (int i = 0; i < kernels::count(); ++i) {
    const std::string isa = kernels::at(i).isa;
    CAPTURE(isa);
    const std::vector<float> whole = run(kernels::at(i), in);
    for (int r = 0; r < in.m; ++r) {
      Attended one(1, in.n, in.d);
      std::copy_n(in.q.row(r), in.d, one.q.row(0));
      const auto first = whole.begin() + static_cast<std::ptrdiff_t>(r) * in.d;
      CHECK(same_bits(run(kernels::at(i), one), std::vector<float>(first, first + in.d)));
    }
  }
}

TEST_CASE("attention_s8 gives the bits that it gives without the masked keys") {
  for (int n : {2, 16, 17, 40, 65}) {
    for (const Mask& mask : masks(n)) {
      for (int d : {10, 64}) {
        CAPTURE(n);
        CAPTURE(d);
        const Attended in(9, n, d, 1.0f, mask), shown = in.without_masked();
        for (int i = 0; i < kernels::count(); ++i) {
          const std::string isa = kernels::at(i).isa;
          CAPTURE(isa);
          CHECK(same_bits(run(kernels::at(i), in), run(kernels::at(i), shown)));
        }
      }
    }
  }
}

TEST_CASE("attention_s8 of large scores and of zeros stays finite") {
  for (float size : {1e6f, 0.0f}) {
    Attended in(4, 33, 16, size);
    if (size == 0.0f) std::fill_n(in.v.row(0), in.d, 0.0f);
    on_every_isa([&](const Table& table) { return run(table, in); },
                 [&](const Table&, const std::vector<float>& values) {
                   CHECK(std::all_of(values.begin(), values.end(),
                                     [](float x) { return std::fabs(x) <= 1.0f; }));
                 });
  }
}
