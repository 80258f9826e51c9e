#pragma once
// A step of an LSTM (Hochreiter and Schmidhuber 1997, with forget gates):
//
//     [i f g o] = x·W_ihᵀ + h·W_hhᵀ + b
//     c' = σ(f)·c + σ(i)·tanh(g)        h' = σ(o)·tanh(c')
//
// The rows of W are permuted in blocks of 16 units, each gate a panel of its own (gemm_f32.hpp):
//
//     gates of a row      │ i of units 0…15 │ f │ g │ o │ i of units 16…31 │ f │ g │ o │ …
//
// so that the gates of a unit lie in the same lane of four panels, and a block is done with where
// its panels end:
//
//     for each block of 16 units            4 panels of W_ih and of W_hh, each read once
//       gates = b + x·panels, + h·panels    in registers, then 64 floats in L1
//       c', h' of the block
//
// That is the step of one row. Several rows at once are two matrix products and lstm_cell; the bits
// are the same.

#include <kinglet/kernels/gemm_s8.hpp>

namespace kinglet::kernels {

/// Gates of so many units in the order above, with those that fill the last block.
KINGLET_INLINE constexpr int lstm_gates(int units) noexcept {
  return 4 * panels_of(units) * kPanel;
}

namespace detail {

/// c and h of at most 16 units; gates of a block.
template <class Isa>
KINGLET_INLINE void lstm_block(int units, const float* gates, float* c, float* h) noexcept {
  using V = Floats<Isa>;
  for (int j = 0; j < units; j += V::size) {
    const auto sum = [=](int which) { return V::load(gates + which * kPanel + j); };
    const V keep = gate(sum(1)), take = gate_times_tanh(sum(0), sum(2));
    const int left = units - j;
    if (left >= V::size) {
      const V cell = fma(keep, V::load(c + j), take);
      cell.store(c + j);
      gate_times_tanh(sum(3), cell).store(h + j);
    } else {
      const V cell = fma(keep, V::load(c + j, left), take);
      cell.store(c + j, left);
      gate_times_tanh(sum(3), cell).store(h + j, left);
    }
  }
}

/// A row that is multiplied by panels, k = 0: nothing. begin: gates = x·panels + start, and add:
/// gates += x·panels, for the registers from v on, rounded as the epilogues of gemm_f32 do.
template <class Isa>
struct GateRowF32 {
  using V = Floats<Isa>;
  static constexpr int across = ShapeF32<Isa>::across(1);

  int k;
  const float* x;
  const float* panels;

  template <int Across>
  KINGLET_INLINE void multiply(int v, V (&sums)[1][Across]) const noexcept {
    constexpr int kV = kVectors<Isa>;
    const auto nothing = [](const float*) __attribute__((always_inline)){};
    sum_products<Multiply<Isa>, 1, Across, 0>(
        k, StridedRows<float>{x, k}, panels + static_cast<std::ptrdiff_t>(v / kV) * k * kPanel,
        sums, nothing);
  }
  template <int Across>
  KINGLET_INLINE void begin(int v, V (&gates)[Across]) const noexcept {
    add(v, gates);
  }
  template <int Across>
  KINGLET_INLINE void add(int v, V (&gates)[Across]) const noexcept {
    V sums[1][Across];
    multiply(v, sums);
    KINGLET_UNROLL
    for (int j = 0; j < Across; ++j) gates[j] = sums[0][j] + gates[j];
  }
};

template <class Isa>
struct GateRowS8 {
  using D = Dot<Isa>;
  using V = Floats<Isa>;
  using I = Integers<Isa>;
  static constexpr int across = ShapeS8<Isa>::across(1);

  int k;
  const QuantizedRows& x;
  const WeightsS8& w;

  template <int Across, class Take>
  KINGLET_INLINE void multiply(int v, const Take& take) const noexcept {
    constexpr int kV = kPanel / D::lanes;
    const int groups = padded_depth(k) / D::group;
    typename D::Sums acc[1][Across];
    const auto nothing = [](const std::int8_t*) __attribute__((always_inline)){};
    sum_products<D, 1, Across, 0>(
        groups, StridedRows<std::int8_t>{x.q, 0},
        w.panels + static_cast<std::ptrdiff_t>(v / kV) * kPanel * padded_depth(k), acc, nothing);
    KINGLET_UNROLL
    for (int j = 0; j < Across; ++j) {
      const int column = (v + j) * D::lanes;
      I products = I(D::row(acc[0][j], 0));
      if (D::needs_negative_sums) products = products + I::load(w.negatives + column);
      const I exact = products - I::all(*x.zero) * I::load(w.sums + column);
      take(j, exact.to_floats(), V(*x.scale) * V::load(w.scale + column));
    }
  }
  template <int Across>
  KINGLET_INLINE void begin(int v, V (&gates)[Across]) const noexcept {
    multiply<Across>(v, [&](int j, V sum, V scale) { gates[j] = fma(sum, scale, gates[j]); });
  }
  template <int Across>
  KINGLET_INLINE void add(int v, V (&gates)[Across]) const noexcept {
    multiply<Across>(
        v, [&](int j, V sum, V scale) { gates[j] = fma(sum, scale, V(0.0f)) + gates[j]; });
  }
};

template <class Isa, int Across, class Row>
KINGLET_NOINLINE void lstm_tile(const Row& x, const Row& h, int v, const float* start,
                                float* gates) noexcept {
  using V = Floats<Isa>;
  V sums[Across];
  KINGLET_UNROLL
  for (int j = 0; j < Across; ++j) sums[j] = V::load(start + j * V::size);
  if (x.k > 0) x.begin(v, sums);
  h.add(v, sums);
  KINGLET_UNROLL
  for (int j = 0; j < Across; ++j) sums[j].store(gates + j * V::size);
}

template <class Isa, class Row>
KINGLET_INLINE void lstm_step(int first, int last, const Row& x, const Row& h, const float* start,
                              float* c, float* y, bool backwards) noexcept {
  constexpr int kGates = 4 * kPanel / Floats<Isa>::size;  // registers
  constexpr int kAcross = Row::across < kGates ? Row::across : kGates;
  static_assert(kGates % kAcross == 0);
  const int blocks = panels_of(last - first);
  for (int i = 0; i < blocks; ++i) {
    const int unit = first + (backwards ? blocks - 1 - i : i) * kPanel;
    const int v = unit / kPanel * kGates;
    alignas(64) float gates[4 * kPanel];  // no register crosses a cache line
    for (int j = 0; j < kGates; j += kAcross) {
      const int at = j * Floats<Isa>::size;
      lstm_tile<Isa, kAcross>(x, h, v + j, start + 4 * unit + at, gates + at);
    }
    lstm_block<Isa>(last - unit < kPanel ? last - unit : kPanel, gates, c + unit, y + unit);
  }
}

}  // namespace detail

/// c = σ(f)·c + σ(i)·tanh(g); h = σ(o)·tanh(c), for each row
/// shapes    gates (rows, lstm_gates(units))   c, h (rows, units)
/// layout    gates in the order above; rows contiguous, ld* in elements
/// requires  rows, units ≥ 0; h overlaps nothing else
/// numerics  σ within 1e-7, σ·tanh within 5e-7; same bits on every ISA with FMA
/// memory    none
/// oracle    tests/reference/lstm.hpp
template <class Isa>
void lstm_cell_f32(int rows, int units, const float* gates, int ld_gates, float* c, int ldc,
                   float* h, int ldh) noexcept {
  KINGLET_ASSERT(rows >= 0 && units >= 0 && ldc >= units && ldh >= units);
  for (int r = 0; r < rows; ++r) {
    for (int u = 0; u < units; u += kPanel) {
      detail::lstm_block<Isa>(units - u < kPanel ? units - u : kPanel,
                              gates + static_cast<std::ptrdiff_t>(r) * ld_gates + 4 * u,
                              c + static_cast<std::ptrdiff_t>(r) * ldc + u,
                              h + static_cast<std::ptrdiff_t>(r) * ldh + u);
    }
  }
}

/// A step of one row: gates = start + x·W_xᵀ + h·W_hᵀ, then c and y as in lstm_cell_f32, for units
/// first … last − 1
/// shapes    x (kx)   h (kh)   W_x (lstm_gates(units), kx)   W_h (lstm_gates(units), kh)
///           start (lstm_gates(units))   c, y (units), of all units
/// layout    W as panels; the gates in the order above
/// requires  first a multiple of 16; kx ≥ 0; 0: no x. kh > 0; y overlaps neither x nor h
/// numerics  the bits of gemm_f32(x) with bias start, gemm_f32(h) with that as residual and
///           lstm_cell_f32. backwards: blocks in falling order; changes no bits, but of weights
///           that exceed a cache, those read last are there still when they are the first of the
///           next step
/// memory    256 bytes of stack
/// oracle    tests/reference/lstm.hpp
template <class Isa>
void lstm_step_f32(int first, int last, int kx, const float* x, const float* panels_x, int kh,
                   const float* h, const float* panels_h, const float* start, float* c, float* y,
                   bool backwards) noexcept {
  KINGLET_ASSERT(first >= 0 && first % kPanel == 0 && kx >= 0 && kh > 0);
  detail::lstm_step<Isa>(first, last, detail::GateRowF32<Isa>{kx, x, panels_x},
                         detail::GateRowF32<Isa>{kh, h, panels_h}, start, c, y, backwards);
}

/// The same with int8 rows and W
/// requires  as lstm_step_f32; x and h, one row each, written by quantize_rows<Isa>
/// numerics  the bits of gemm_s8 and lstm_cell_f32
template <class Isa>
void lstm_step_s8(int first, int last, int kx, const QuantizedRows& x, const WeightsS8& w_x, int kh,
                  const QuantizedRows& h, const WeightsS8& w_h, const float* start, float* c,
                  float* y, bool backwards) noexcept {
  KINGLET_ASSERT(first >= 0 && first % kPanel == 0 && kx >= 0 && kh > 0);
  detail::lstm_step<Isa>(first, last, detail::GateRowS8<Isa>{kx, x, w_x},
                         detail::GateRowS8<Isa>{kh, h, w_h}, start, c, y, backwards);
}

}  // namespace kinglet::kernels
