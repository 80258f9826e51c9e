#pragma once
// A step of a GRU (Cho et al. 2014, as PyTorch writes it):
//
//     [r z n] = x·W_ihᵀ + b_ih        [r' z' n'] = h·W_hhᵀ + b_hh
//     h' = (1 − z)·n + z·h   with   r = σ(r + r')   z = σ(z + z')   n = tanh(n + r·n')
//
// Both products are matrix products whose rows of W are permuted in blocks of 16 units:
//
//     gates of a row      │ r of units 0…15 │ z │ n │ r of units 16…31 │ z │ n │ …

#include <kinglet/kernels/math.hpp>
#include <kinglet/kernels/tiles.hpp>

namespace kinglet::kernels {

/// Gates of so many units in the order above, with those that fill the last block.
KINGLET_INLINE constexpr int gru_gates(int units) noexcept { return 3 * panels_of(units) * kPanel; }

/// y = n + z·(h − n), for each row
/// shapes    gates_x, gates_h (rows, gru_gates(units))   h, y (rows, units)
/// layout    gates in the order above; rows contiguous, ld* in elements
/// requires  rows, units ≥ 0; y overlaps no gates and may be h
/// numerics  σ within 1e-7, tanh within 3.5e-7; same bits on every ISA with FMA
/// memory    none
/// oracle    tests/reference/lstm.hpp
template <class Isa>
void gru_cell_f32(int rows, int units, const float* gates_x, const float* gates_h, int ld_gates,
                  const float* h, int ldh, float* y, int ldy) noexcept {
  KINGLET_ASSERT(rows >= 0 && units >= 0 && ldh >= units && ldy >= units);
  using V = Floats<Isa>;
  for (int r = 0; r < rows; ++r) {
    for (int u = 0; u < units; u += V::size) {
      const std::ptrdiff_t at =
          static_cast<std::ptrdiff_t>(r) * ld_gates + 3 * (u - u % kPanel) + u % kPanel;
      const auto x = [=](int which) { return V::load(gates_x + at + which * kPanel); };
      const auto k = [=](int which) { return V::load(gates_h + at + which * kPanel); };
      const V reset = gate(x(0) + k(0));
      const V z = gate(x(1) + k(1));
      const V n = tanh(fma(reset, k(2), x(2)));
      const float* const from = h + static_cast<std::ptrdiff_t>(r) * ldh + u;
      float* const to = y + static_cast<std::ptrdiff_t>(r) * ldy + u;
      if (u + V::size <= units) {
        fma(z, V::load(from) - n, n).store(to);
      } else {
        fma(z, V::load(from, units - u) - n, n).store(to, units - u);
      }
    }
  }
}

}  // namespace kinglet::kernels
