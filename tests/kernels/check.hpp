#pragma once
// What the kernel tests share: inputs, guarded buffers, the instruction sets of this machine.

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "dispatch/dispatch.hpp"

namespace kinglet::test {

using Table = kernels::Kernels<isa::runtime>;

/// Unit roundoff of float.
inline constexpr double kU = 1.0 / (1 << 24);

/// γ_k = k·u / (1 − k·u): the relative error of k roundings (Higham 2002, lemma 3.1).
inline double roundings(double k) { return k * kU / (1 - k * kU); }

/// False for NaN.
inline bool within(double value, double expected, double bound) {
  return std::fabs(value - expected) <= bound;
}

/// Of every value; shown is how many are not.
inline void check_within(const std::vector<float>& values, const std::vector<double>& expected,
                         double bound) {
  REQUIRE(values.size() == expected.size());
  int wrong = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    wrong += !within(static_cast<double>(values[i]), expected[i], bound);
  CHECK(wrong == 0);
}

/// A linear congruential generator: the same exactly representable inputs everywhere, without a
/// library.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  /// −1 … 1 in steps of 2^-15
  float next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<float>(static_cast<int>(state_ >> 48) - 32768) / 32768.0f;
  }
  void fill(float* x, int n, float scale = 1.0f) {
    for (int i = 0; i < n; ++i) x[i] = next() * scale;
  }

 private:
  std::uint64_t state_;
};

/// rows × cols floats, rows ld apart, at an odd address between guard zones; what lies between and
/// around the rows is NaN and must stay the same NaN.
class Guarded {
 public:
  Guarded(int rows, int cols, int ld) : rows_(rows), cols_(cols), ld_(ld) {
    all_.resize(2 * kGuard + 1 + static_cast<std::size_t>(rows) * static_cast<std::size_t>(ld));
    for (float& x : all_) std::memcpy(&x, &kPattern, sizeof x);
  }
  Guarded(int rows, int cols, int ld, Random random, float scale = 1.0f) : Guarded(rows, cols, ld) {
    for (int r = 0; r < rows; ++r) random.fill(row(r), cols, scale);
  }

  float* data() { return all_.data() + kGuard + 1; }
  const float* data() const { return all_.data() + kGuard + 1; }
  int ld() const { return ld_; }
  float* row(int r) { return data() + static_cast<std::ptrdiff_t>(r) * ld_; }
  const float* row(int r) const { return data() + static_cast<std::ptrdiff_t>(r) * ld_; }
  void copy_from(const Guarded& other) {
    for (int r = 0; r < rows_; ++r)
      std::memcpy(row(r), other.row(r), static_cast<std::size_t>(cols_) * sizeof(float));
  }

  bool guards_intact() const {
    for (std::size_t i = 0; i < all_.size(); ++i) {
      const std::ptrdiff_t at = &all_[i] - data();
      if (at >= 0 && at < static_cast<std::ptrdiff_t>(rows_) * ld_ && at % ld_ < cols_) continue;
      if (std::memcmp(&all_[i], &kPattern, sizeof kPattern) != 0) return false;
    }
    return true;
  }
  /// The rows one after the other.
  std::vector<float> values() const {
    std::vector<float> out;
    for (int r = 0; r < rows_; ++r) out.insert(out.end(), row(r), row(r) + cols_);
    return out;
  }

 private:
  static constexpr std::size_t kGuard = 64;
  static constexpr std::uint32_t kPattern = 0x7fc0beefu;  // a quiet NaN
  std::vector<float> all_;
  int rows_, cols_, ld_;
};

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// All but sse4_2 have fused multiply-add and must give the same bits.
inline bool has_fma(const Table& table) { return std::strcmp(table.isa, "sse4_2") != 0; }

/// Runs `outputs(table)` on every instruction set of this machine: those with FMA must give the
/// same bits. The outputs then go to `check(table, values)`.
template <class Outputs, class Check>
void on_every_isa(Outputs outputs, Check check) {
  const Table* scalar = kernels::find("scalar");
  REQUIRE(scalar != nullptr);
  const std::vector<float> expected = outputs(*scalar);
  for (int i = 0; i < kernels::count(); ++i) {
    const Table& table = kernels::at(i);
    const std::string isa = table.isa;
    CAPTURE(isa);
    const std::vector<float> values = outputs(table);
    if (has_fma(table)) CHECK(same_bits(values, expected));
    check(table, values);
  }
}

/// Sizes where tiles and vectors begin and end.
inline const std::vector<int> kEdges = {1,  2,  3,  4,  5,  6,  7,  8,  9,  12,  13,  15,  16, 17,
                                        31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129, 160};

}  // namespace kinglet::test
