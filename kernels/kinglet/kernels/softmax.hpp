#pragma once
// Rows are taken in groups as high as a register is wide, so that the lanes of their maxima and
// sums are joined together and no row waits for its own:
//
//     for each group of rows
//       lanes of max x, row by row; joined
//       y = 2^(c·x − c·max x), lanes of Σ y, row by row; joined

#include <kinglet/kernels/math.hpp>
#include <kinglet/kernels/shuffle.hpp>
#include <limits>

namespace kinglet::kernels {

namespace detail {

inline constexpr float kLog2e = 1.44269504f;

/// Floats of a buffer for the results of n rows: whole groups on every ISA.
KINGLET_INLINE constexpr int row_results(int n) noexcept { return (n + 15) / 16 * 16; }

/// y = factor·x
template <class Isa>
KINGLET_INLINE void scale(int n, float factor, const float* x, float* y) noexcept {
  map<Isa>(
      n, y, [=](auto v) { return v * factor; }, x);
}

// Whole: rows consist of whole registers.

/// The lanes of max x for each row.
template <class Isa, bool Whole>
KINGLET_NOINLINE void max_lanes(int rows, int n, const float* x, std::ptrdiff_t ldx,
                                float* lanes) noexcept {
  using V = Floats<Isa>;
  for (int r = 0; r < rows; ++r, x += ldx, lanes += V::size) {
    const auto most = [](V a, V b) { return larger(a, b); };
    const auto take = [=](V acc, int i, auto... count) {
      return larger(acc, V::load(x + i, count...));
    };
    fold_lanes<Isa, Whole>(n, -std::numeric_limits<float>::infinity(), take, most).store(lanes);
  }
}

/// y = 2^(factor·x + shift), and the lanes of Σ y for each row.
template <class Isa, bool Whole>
KINGLET_NOINLINE void exp_lanes(int rows, int n, const float* x, std::ptrdiff_t ldx, float factor,
                                const float* shifts, float* y, std::ptrdiff_t ldy,
                                float* lanes) noexcept {
  using V = Floats<Isa>;
  for (int r = 0; r < rows; ++r, x += ldx, y += ldy, lanes += V::size) {
    const V shift = shifts[r];
    const auto add = [](V a, V b) { return a + b; };
    const auto take = [=](V acc, int i, auto... count) {
      const V u = V::load(x + i, count...);
      const V e = exp2(fma(u, V(factor), shift));
      e.store(y + i, count...);
      return acc + e;
    };
    fold_lanes<Isa, Whole>(n, 0.0f, take, add).store(lanes);
  }
}

/// y = 2^(factor·(x − max x)), factor > 0, and 1 / Σ y for each row. A product factor·x is rounded
/// once, the maximum's too: their common error cancels in y / Σ y. `inverse` holds row_results(rows)
/// floats.
template <class Isa, bool Whole>
KINGLET_INLINE void exp_rows(int rows, int n, const float* x, std::ptrdiff_t ldx, float factor,
                             float* y, std::ptrdiff_t ldy, float* inverse) noexcept {
  using V = Floats<Isa>;
  const auto most = [](V a, V b) { return larger(a, b); };
  const auto add = [](V a, V b) { return a + b; };
  float lanes[V::size * V::size];
  for (int first = 0; first < rows; first += V::size) {
    const int count = rows - first < V::size ? rows - first : V::size;
    const float* from = x + first * ldx;
    max_lanes<Isa, Whole>(count, n, from, ldx, lanes);
    const V shifts = join_rows<Isa>(count, lanes, most) * V(-factor);
    shifts.store(inverse + first);
    exp_lanes<Isa, Whole>(count, n, from, ldx, factor, inverse + first, y + first * ldy, ldy,
                          lanes);
    (V(1.0f) / join_rows<Isa>(count, lanes, add)).store(inverse + first);
  }
}

}  // namespace detail

/// y = exp(x − max x) / Σ exp(x − max x), for each row
/// shapes    x, y (rows, n)
/// layout    rows contiguous; ldx, ldy in elements; y may be x
/// requires  n > 0, every row holds a finite value
/// numerics  |error| ≤ (n/32 + 16 + 2·(max x − x))·2^-24·y; terms below e^-87 are 0; same bits on
///           every ISA with FMA
/// memory    1 kB of stack
/// oracle    tests/reference/softmax.hpp
template <class Isa>
void softmax_f32(int rows, int n, const float* x, int ldx, float* y, int ldy) noexcept {
  KINGLET_ASSERT(n > 0);
  constexpr int kGroup = 16;
  float inverse[detail::row_results(kGroup)];
  for (int first = 0; first < rows; first += kGroup) {
    const int count = rows - first < kGroup ? rows - first : kGroup;
    const float* from = x + static_cast<std::ptrdiff_t>(first) * ldx;
    float* to = y + static_cast<std::ptrdiff_t>(first) * ldy;
    detail::exp_rows<Isa, false>(count, n, from, ldx, detail::kLog2e, to, ldy, inverse);
    for (int r = 0; r < count; ++r, to += ldy) detail::scale<Isa>(n, inverse[r], to, to);
  }
}

}  // namespace kinglet::kernels
