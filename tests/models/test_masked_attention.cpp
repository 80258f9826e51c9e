// The op attention under a mask, as a model with padded batches uses it.

#include <doctest/doctest.h>

#include <kinglet/backend/count.hpp>
#include <kinglet/backend/cpu.hpp>
#include <limits>

#include "kernels/check.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

constexpr int kSequences = 3, kLongest = 21, kHeads = 2, kHidden = 24;
constexpr std::int32_t kStart[] = {0, 21, 42}, kLength[] = {21, 9, 1};
constexpr float kScale = 0.4f;

/// y, then the sums of probabilities; one after the other, or as three workers would.
std::vector<float> run(const test::Table& table, Guarded& x, const Ragged& queries,
                       const Ragged& keys, const std::uint8_t* mask, bool probs, int threads) {
  Parallel parallel;
  parallel.threads = threads;
  parallel.run = [](void*, int tasks, Parallel::Task task, void* argument) {
    for (int i = tasks; i-- > 0;) task(argument, i, i % 3);
  };
  Guarded y(kSequences * kLongest, kHidden, kHidden + 1);
  Guarded sums(kSequences * kLongest, kLongest, kLongest);
  Probs out{{sums.data(), kSequences * kLongest, kLongest, sums.ld()}};
  const auto columns = [&](int part) {
    return ConstMatrix(x.data() + part * kHidden, kSequences * kLongest, kHidden, x.ld());
  };
  const Matrix to(y.data(), kSequences * kLongest, kHidden, y.ld());

  Count count(threads);
  count.attention(columns(0), columns(1), columns(2), queries, keys, kHeads, kScale, to,
                  probs ? &out : nullptr, mask);
  std::vector<float> memory(count.scratch_bytes() / sizeof(float) + 16);
  const auto at = reinterpret_cast<std::uintptr_t>(memory.data());
  Arena arena(reinterpret_cast<void*>((at + 63) / 64 * 64), count.scratch_bytes());
  Cpu<isa::runtime> cpu(arena, parallel, table);
  cpu.attention(columns(0), columns(1), columns(2), queries, keys, kHeads, kScale, to,
                probs ? &out : nullptr, mask);
  CHECK(arena.peak() == count.scratch_bytes());
  CHECK(!arena.overflowed());

  std::vector<float> values;
  for (int s = 0; s < kSequences; ++s) {
    for (int r = kStart[s]; r < kStart[s] + kLength[s]; ++r) {
      values.insert(values.end(), y.row(r), y.row(r) + kHidden);
      if (probs) values.insert(values.end(), sums.row(r), sums.row(r) + kLength[s]);
    }
  }
  return values;
}

}  // namespace

TEST_CASE("attention over a padded batch with a mask gives the bits of the sequences alone") {
  Guarded x(kSequences * kLongest, 3 * kHidden, 3 * kHidden, Random(4));
  std::vector<std::uint8_t> mask;
  for (int s = 0; s < kSequences; ++s) {
    for (int j = 0; j < kLongest; ++j) {
      mask.push_back(j < kLength[s] ? 1 : 0);
      if (j < kLength[s]) continue;
      for (int c = 0; c < 3 * kHidden; ++c)
        x.row(kStart[s] + j)[c] = std::numeric_limits<float>::quiet_NaN();
    }
  }
  Ragged padded;
  padded.count = kSequences;
  padded.longest = kLongest;
  const Ragged alone{kSequences, kLongest, kStart, kLength};
  for (int i = 0; i < kernels::count(); ++i) {
    const test::Table& table = kernels::at(i);
    const std::string isa = table.isa;
    CAPTURE(isa);
    for (bool probs : {false, true}) {
      const std::vector<float> expected = run(table, x, alone, alone, nullptr, probs, 1);
      for (int threads : {1, 3})
        CHECK(same_bits(run(table, x, padded, padded, mask.data(), probs, threads), expected));
    }
  }
}
