#include <algorithm>

#include "kernels/attended.hpp"
#include "reference/attention.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

struct Problem {
  int m, n, d;
  bool probs = true, in_place = false;
  float spread = 1.0f;  ///< size of q: large ones give sharp probabilities
  Mask mask = {};
};

constexpr float kScale = 0.3f;

/// y and, if asked for, the probabilities after it.
std::vector<float> run(const Table& table, const Problem& p, const Guarded& q, const Guarded& k,
                       const Guarded& v) {
  Guarded y(p.m, p.d, p.d + 1);
  if (p.in_place) y.copy_from(q);
  Guarded probs(p.m, p.n, p.n + 2);
  const int size = static_cast<int>(kernels::attention_scratch_f32(p.n, p.d));
  Guarded scratch(1, size, size);
  const Guarded& queries = p.in_place ? y : q;
  table.attention_f32(p.m, p.n, p.d, queries.data(), queries.ld(), k.data(), k.ld(), v.data(),
                      v.ld(), in_use(p.mask), kScale, y.data(), y.ld(),
                      p.probs ? probs.data() : nullptr, p.probs ? probs.ld() : 0, scratch.data());
  CHECK(y.guards_intact());
  CHECK(probs.guards_intact());
  CHECK(scratch.guards_intact());
  std::vector<float> out = y.values();
  if (p.probs) {
    const std::vector<float> rows = probs.values();
    out.insert(out.end(), rows.begin(), rows.end());
  }
  return out;
}

std::vector<float> run(const Table& table, const Problem& p, const Attended& in) {
  return run(table, p, in.q, in.k, in.v);
}

/// A score is off by γ_d·scale·Σ|q||k| from its chain and 2u·|score| from scale·log2 e; the maximum
/// by as much; e^score by that, relatively, and by 2 ulp of exp2; numerator and denominator each by as much; the sum of n terms in 32 lanes by
/// γ(n/32 + 5); the products with v by γ_n·Σ p|v|; the last divisions by 3u.
void check(const Problem& p) {
  CAPTURE(p.m);
  CAPTURE(p.n);
  CAPTURE(p.d);
  const Attended in(p.m, p.n, p.d, p.spread, p.mask);
  const std::uint8_t* mask = in_use(p.mask);
  on_every_isa([&](const Table& table) { return run(table, p, in); },
               [&](const Table&, const std::vector<float>& values) {
                 int wrong = 0;
                 const float* y = values.data();
                 const float* probs = y + static_cast<std::ptrdiff_t>(p.m) * p.d;
                 for (int r = 0; r < p.m; ++r) {
                   const auto row = reference::attention_row(p.n, p.d, in.q.row(r), in.k.data(),
                                                             in.k.ld(), in.v.data(), in.v.ld(),
                                                             mask, static_cast<double>(kScale));
                   double off = 0;
                   for (std::size_t j = 0; j < row.scores.size(); ++j) {
                     if (mask && mask[j] == 0) continue;
                     off = std::max(off, roundings(p.d) * row.score_magnitudes[j] +
                                             2 * kU * std::fabs(row.scores[j]));
                   }
                   const double relative = std::expm1(4 * off) + roundings(p.n / 32.0 + 5 + 8 + 3);
                   for (int i = 0; i < p.d; ++i) {
                     const auto at = static_cast<std::size_t>(i);
                     wrong += !within(static_cast<double>(*y++), row.y[at],
                                      (relative + roundings(p.n)) * row.y_magnitudes[at]);
                   }
                   for (int j = 0; p.probs && j < p.n; ++j) {
                     const double prob = row.probs[static_cast<std::size_t>(j)];
                     wrong += !within(static_cast<double>(*probs++), prob, relative * prob);
                   }
                 }
                 CHECK(wrong == 0);
               });
}

}  // namespace

TEST_CASE("attention_f32 is within the rounding bound for every number of queries") {
  for (int m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 23, 24, 25, 31, 32, 33, 49, 64, 65})
    check({m, 20, 8});
}

TEST_CASE("attention_f32 is within the rounding bound for every number of keys") {
  for (int n : kEdges) {
    check({1, n, 8});
    check({5, n, 11});
  }
}

TEST_CASE("attention_f32 is within the rounding bound for odd and even heads") {
  for (int d : {1, 2, 7, 8, 10, 11, 15, 16, 17, 32, 33, 64, 80}) check({7, 35, d});
}

TEST_CASE("attention_f32 is within the rounding bound for sharp probabilities") {
  check({6, 50, 32, true, false, 8.0f});
}

TEST_CASE("attention_f32 may write over its queries, and probabilities are optional") {
  check({33, 18, 10, true, true});
  check({33, 18, 10, false, true});
  check({3, 18, 10, false, false});
}

TEST_CASE(
    "attention_f32 gives a query the same bits alone, in a batch, with and without probabilities") {
  const Problem p{65, 50, 24};
  const Attended in(p.m, p.n, p.d, p.spread, p.mask);
  for (int i = 0; i < kernels::count(); ++i) {
    const Table& table = kernels::at(i);
    const std::string isa = table.isa;
    CAPTURE(isa);
    const std::vector<float> whole = run(table, p, in);
    for (int r = 0; r < p.m; ++r) {
      Guarded one(1, p.d, p.d);
      std::copy(in.q.row(r), in.q.row(r) + p.d, one.data());
      const auto first = whole.begin() + static_cast<std::ptrdiff_t>(r) * p.d;
      CHECK(same_bits(run(table, {1, p.n, p.d, false, false}, one, in.k, in.v),
                      std::vector<float>(first, first + p.d)));
    }
  }
}

TEST_CASE("attention_f32 of large scores stays finite") {
  const Problem p{4, 33, 16, true, false, 1e6f};
  const Attended in(p.m, p.n, p.d, p.spread, p.mask);
  on_every_isa([&](const Table& table) { return run(table, p, in); },
               [&](const Table&, const std::vector<float>& values) {
                 CHECK(std::all_of(values.begin(), values.end(),
                                   [](float x) { return std::fabs(x) <= 1.0f; }));
               });
}

TEST_CASE("attention_f32 is within the rounding bound under a mask, whatever it hides") {
  for (int n : {2, 15, 17, 33, 64}) {
    for (const auto& mask : masks(n)) {
      check({7, n, 11, true, false, 1.0f, mask});
      check({33, n, 32, true, true, 1.0f, mask});
    }
  }
}

TEST_CASE("attention_f32 gives the bits that it gives without the masked keys, and 0 for those") {
  for (int n : {2, 16, 17, 40, 65}) {
    for (const auto& mask : masks(n)) {
      for (int d : {10, 64}) {
        CAPTURE(n);
        CAPTURE(d);
        const Problem p{9, n, d, true, false, 1.0f, mask};
        const Attended in(p.m, p.n, p.d, p.spread, p.mask);
        const Attended shown = in.without_masked();
        const Problem rest{p.m, shown.n, d};
        for (int i = 0; i < kernels::count(); ++i) {
          const Table& table = kernels::at(i);
          const std::string isa = table.isa;
          CAPTURE(isa);
          std::vector<float> expected = run(table, rest, shown);
          std::vector<float> probs(expected.begin() + p.m * d, expected.end());
          expected.resize(static_cast<std::size_t>(p.m * d));
          for (auto from = probs.begin(); from != probs.end();) {
            for (const std::uint8_t live : mask) expected.push_back(live ? *from++ : 0.0f);
          }
          CHECK(same_bits(run(table, p, in), expected));
        }
      }
    }
  }
}

TEST_CASE("attention_f32 under a mask that hides nothing gives the bits of no mask") {
  Problem p{13, 37, 24};
  const Attended in(p.m, p.n, p.d, p.spread, p.mask);
  for (int i = 0; i < kernels::count(); ++i) {
    const std::string isa = kernels::at(i).isa;
    CAPTURE(isa);
    p.mask.clear();
    const std::vector<float> expected = run(kernels::at(i), p, in);
    p.mask.assign(37, 1);
    CHECK(same_bits(run(kernels::at(i), p, in), expected));
  }
}
