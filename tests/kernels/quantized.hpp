#pragma once
// Rows of int8 between guard zones, seen without the offset that an instruction set stores.

#include "kernels/check.hpp"
#include "reference/quantize.hpp"

namespace kinglet::test {

class Quantized {
 public:
  Quantized(const Table& table, int rows, int n)
      : table_(table),
        n_(n),
        ld_(kernels::padded_depth(n) + 8),
        bytes_(static_cast<std::size_t>(rows * ld_ + 2 * kGuard), kPattern),
        scale_(1, rows, rows),
        zero_(static_cast<std::size_t>(rows)) {
    // The zero point of a row of zeros is −127: what the table stores beyond that is its offset.
    const float nothing = 0;
    std::int8_t q[kernels::kDepth];
    float scale;
    std::int32_t zero;
    table_.quantize_rows(1, 1, &nothing, 1, {q, kernels::kDepth, &scale, &zero});
    offset_ = zero + 127;
  }

  kernels::QuantizedRows rows() {
    return {bytes_.data() + kGuard, ld_, scale_.data(), zero_.data()};
  }
  int at(int r, int j) const {
    return static_cast<std::int8_t>(bytes_[static_cast<std::size_t>(kGuard + r * ld_ + j)] -
                                    offset_);
  }
  float scale(int r) const { return scale_.data()[r]; }
  int zero(int r) const { return zero_[static_cast<std::size_t>(r)] - offset_; }

  bool guards_intact() const {
    const int rows = static_cast<int>(zero_.size());
    for (int i = 0; i < static_cast<int>(bytes_.size()); ++i) {
      const int at = i - kGuard;
      const int padded = kernels::padded_depth(n_);
      const std::int8_t byte = bytes_[static_cast<std::size_t>(i)];
      if (at < 0 || at >= rows * ld_ || at % ld_ >= padded) {
        if (byte != kPattern) return false;
      } else if (at % ld_ >= n_ && byte != 0) {
        return false;
      }
    }
    return scale_.guards_intact();
  }
  friend bool operator==(const Quantized& a, const Quantized& b) {
    return a.bytes_ == b.bytes_ && a.zero_ == b.zero_ &&
           same_bits(a.scale_.values(), b.scale_.values());
  }

 private:
  static constexpr int kGuard = 67;
  static constexpr std::int8_t kPattern = 0x5b;
  const Table& table_;
  int n_, ld_, offset_;
  std::vector<std::int8_t> bytes_;
  Guarded scale_;
  std::vector<std::int32_t> zero_;
};

}  // namespace kinglet::test
