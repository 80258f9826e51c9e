#pragma once
// c = act(a·Wᵀ + bias) + residual with W stored once, in panels of 16 rows, the same bytes for
// every CPU. One k-step of a panel is 64 bytes: 1 zmm, 2 ymm or 4 NEON registers.
//
//     W (n, k)                            panel p: element (kk, j) = W[16p + j][kk], or 0
//
//     row 16p    ┌ w00 w01 w02 …          kk = 0 │ w00 w10 w20 … wF0 │
//     row 16p+1  │ w10 w11 w12 …    ──►   kk = 1 │ w01 w11 w21 … wF1 │
//     …          │ …                      …      │ …                 │
//     row 16p+15 └ wF0 wF1 wF2 …          k − 1  │ …                 │
//
// The loop nest is that of tiles.hpp; its step is
//
//     for each row r and column j
//       acc[r][j] = fma(a[r][kk], panel[kk][j], acc[r][j])
//
// An element of c is one chain in the order of kk, from 0, in every tile: its bits depend neither
// on m, n, nor on how rows and panels are shared among threads.

#include <cstddef>
#include <kinglet/kernels/activation.hpp>
#include <kinglet/kernels/tiles.hpp>

namespace kinglet::kernels {

static_assert(kPanel * sizeof(float) == 64, "one k-step of a panel is one cache line");

/// Floats in the panels of W (n, k).
KINGLET_INLINE constexpr std::size_t panels_size_f32(int n, int k) noexcept {
  return static_cast<std::size_t>(panels_of(n)) * kPanel * static_cast<std::size_t>(k);
}

namespace detail {

template <class Isa>
KINGLET_INLINE void pack_panels(int n, int k, const float* w, int ldw, float* panels) noexcept {
  for (int first = 0; first < n;
       first += kPanel, panels += static_cast<std::ptrdiff_t>(k) * kPanel) {
    for (int j = 0; j < kPanel; ++j) {
      if (first + j < n) {
        const float* row = w + static_cast<std::ptrdiff_t>(first + j) * ldw;
        for (int kk = 0; kk < k; ++kk)
          panels[static_cast<std::ptrdiff_t>(kk) * kPanel + j] = row[kk];
      } else {
        for (int kk = 0; kk < k; ++kk) panels[static_cast<std::ptrdiff_t>(kk) * kPanel + j] = 0.0f;
      }
    }
  }
}

}  // namespace detail

/// panels = W, as drawn above. For converters and tests: model files hold panels already.
/// shapes    w (n, k)   panels [ceil(n/16)][k][16]
/// layout    rows of w contiguous, ldw in elements
/// requires  n, k ≥ 0; panels holds panels_size_f32(n, k) floats and does not overlap w
/// numerics  exact
/// memory    none
/// oracle    tests/reference/gemm.hpp
inline void pack_panels_f32(int n, int k, const float* w, int ldw, float* panels) noexcept {
  detail::pack_panels<isa::scalar>(n, k, w, ldw, panels);
}

struct Epilogue {
  const float* bias = nullptr;  ///< [ceil(n/16)·16], zero padded
  Activation act = Activation::none;
  const float* residual = nullptr;  ///< (m, n)
  int ld_residual = 0;
};

namespace detail {

/// Registers across a panel.
template <class Isa>
inline constexpr int kVectors = kPanel / Floats<Isa>::size;

template <class Isa>
using ShapeF32 = TileShape<Isa::accumulators, kVectors<Isa>>;

/// How far ahead weights are fetched, in floats: four lines. Eight of several panels would share too
/// few sets of L1 where k is a multiple of 64.
inline constexpr int kAhead = 64;

/// y[r][16p + j] = Σ a[r][kk] · panels[p][kk][j] + bias[16p + j] for `Across` registers of columns
/// from register `First` of the first panel on; bias may be null. The panel `next` is fetched
/// meanwhile. Up to four rows take as long as the memory does: they fetch all their own panels.
template <class Isa, int Rows, int Across, int First>
KINGLET_NOINLINE void tile_f32(int k, const float* a, int lda, const float* panels,
                               const float* next, const float* bias, float* y,
                               std::ptrdiff_t ldy) noexcept {
  using V = Floats<Isa>;
  constexpr int kPanels = (First + Across + kVectors<Isa> - 1) / kVectors<Isa>;
  const std::ptrdiff_t pitch = static_cast<std::ptrdiff_t>(k) * kPanel;
  V acc[Rows][Across];
  KINGLET_UNROLL
  for (int r = 0; r < Rows; ++r) {
    KINGLET_UNROLL
    for (int j = 0; j < Across; ++j) acc[r][j] = 0.0f;
  }
  // What is written comes from memory while the sums are made.
  KINGLET_UNROLL
  for (int r = 0; r < Rows; ++r) {
    KINGLET_UNROLL
    for (int j = 0; j < Across * V::size; j += 16) __builtin_prefetch(y + r * ldy + j, 1);
  }
  for (int kk = 0; kk < k; ++kk, panels += kPanel) {
    if constexpr (Rows > 4 || kVectors<Isa> == 1) {
      __builtin_prefetch(next + static_cast<std::ptrdiff_t>(kk) * kPanel + kAhead);
    } else {
      KINGLET_UNROLL
      for (int j = 0; j < kPanels; ++j) __builtin_prefetch(panels + j * pitch + kAhead);
    }
    const auto panel = [=](int j) {
      return V::load(panels + (First + j) / kVectors<Isa> * pitch +
                     (First + j) % kVectors<Isa> * V::size);
    };
    const auto row = [=](int r) { return V(a[static_cast<std::ptrdiff_t>(r) * lda + kk]); };
    if constexpr (Rows < Across) {  // the shorter side stays in registers beside the accumulators
      V x[Rows];
      KINGLET_UNROLL
      for (int r = 0; r < Rows; ++r) x[r] = row(r);
      KINGLET_UNROLL
      for (int j = 0; j < Across; ++j) {
        const V b = panel(j);
        KINGLET_UNROLL
        for (int r = 0; r < Rows; ++r) acc[r][j] = fma(x[r], b, acc[r][j]);
      }
    } else {
      V b[Across];
      KINGLET_UNROLL
      for (int j = 0; j < Across; ++j) b[j] = panel(j);
      KINGLET_UNROLL
      for (int r = 0; r < Rows; ++r) {
        const V x = row(r);
        KINGLET_UNROLL
        for (int j = 0; j < Across; ++j) acc[r][j] = fma(x, b[j], acc[r][j]);
      }
    }
  }
  // Without this g++ writes every sum to memory in every step.
  KINGLET_UNROLL
  for (int r = 0; r < Rows; ++r) {
    KINGLET_UNROLL
    for (int j = 0; j < Across; ++j) acc[r][j].keep();
  }
  KINGLET_UNROLL
  for (int j = 0; j < Across; ++j) {
    const V b = bias ? V::load(bias + j * V::size) : V(0.0f);
    KINGLET_UNROLL
    for (int r = 0; r < Rows; ++r)
      (bias ? acc[r][j] + b : acc[r][j]).store(y + r * ldy + j * V::size);
  }
}

/// The tile of `Across` registers from register v of the panels on.
template <class Isa, int Rows, int Across>
KINGLET_INLINE void multiply(int k, const float* a, int lda, const float* panels, int v,
                             int fetched, const float* bias, float* y,
                             std::ptrdiff_t ldy) noexcept {
  constexpr int kV = kVectors<Isa>;
  const std::ptrdiff_t pitch = static_cast<std::ptrdiff_t>(k) * kPanel;
  const float* const from = panels + v / kV * pitch;
  const float* const next = panels + fetched * pitch;
  if constexpr (Across % kV != 0) {  // a panel and a half, or what is left of two
    static_assert(kV == 2);
    if (v % kV == 1) return tile_f32<Isa, Rows, Across, 1>(k, a, lda, from, next, bias, y, ldy);
  }
  tile_f32<Isa, Rows, Across, 0>(k, a, lda, from, next, bias, y, ldy);
}

/// One product with f32 panels, for for_tiles; finish(row, rows, column, columns, t) gets the sums of
/// rows × columns outputs, contiguous in t, which it may overwrite. Columns up to the end of the last
/// panel are among them.
template <class Isa, class Finish>
struct TilesF32 {
  int k;
  const float* a;
  int lda;
  const float* panels;
  const Finish& finish;

  template <int Rows, int Across>
  KINGLET_INLINE void run(int row, int v, int fetched) const noexcept {
    constexpr int kColumns = Across * Floats<Isa>::size;
    float t[Rows * kColumns];
    multiply<Isa, Rows, Across>(k, a + static_cast<std::ptrdiff_t>(row) * lda, lda, panels, v,
                                fetched, nullptr, t, kColumns);
    finish(row, Rows, v * Floats<Isa>::size, kColumns, t);
  }
};

template <class Isa, class Finish>
KINGLET_INLINE void for_tiles_f32(int m, int n, int k, const float* a, int lda, const float* panels,
                                  const Finish& finish) noexcept {
  const TilesF32<Isa, Finish> tiles{k, a, lda, panels, finish};
  for_tiles<ShapeF32<Isa>>(m, panels_of(n), k * kPanel * 4, tiles);
}

/// y = act(t) + residual for a tile of `cols` columns, of which `inside` exist; t is overwritten.
template <class Isa>
KINGLET_INLINE void finish_tile(int row, int rows, int first, int cols, int inside, float* t,
                                const Epilogue& epilogue, float* y, int ldc) noexcept {
  if (epilogue.act != Activation::none) activate_f32<Isa>(epilogue.act, rows * cols, t, t);
  const auto add = [](auto u, auto v) { return u + v; };
  for (int r = 0; r < rows; ++r, t += cols, y += ldc) {
    if (epilogue.residual) {
      map<Isa>(
          inside, y, add, t,
          epilogue.residual + static_cast<std::ptrdiff_t>(row + r) * epilogue.ld_residual + first);
    } else {
      copy<Isa>(inside, y, t);
    }
  }
}

/// One call of gemm_f32, for for_tiles.
template <class Isa>
struct GemmF32 {
  int n, k;
  const float* a;
  int lda;
  const float* panels;
  const Epilogue& epilogue;
  float* c;
  int ldc;

  template <int Rows, int Across>
  KINGLET_INLINE void run(int row, int v, int fetched) const noexcept {
    constexpr int kColumns = Across * Floats<Isa>::size;
    const int first = v * Floats<Isa>::size;
    const int inside = n - first < kColumns ? n - first : kColumns;
    float* const y = c + static_cast<std::ptrdiff_t>(row) * ldc + first;
    const bool done =
        inside == kColumns && epilogue.act == Activation::none && epilogue.residual == nullptr;
    float t[Rows * kColumns];
    multiply<Isa, Rows, Across>(k, a + static_cast<std::ptrdiff_t>(row) * lda, lda, panels, v,
                                fetched, epilogue.bias ? epilogue.bias + first : nullptr,
                                done ? y : t, done ? ldc : kColumns);
    if (!done) finish_tile<Isa>(row, Rows, first, kColumns, inside, t, epilogue, y, ldc);
  }
};

}  // namespace detail

/// c = act(a·Wᵀ + bias) + residual
/// shapes    a (m, k)   W (n, k)   bias (n)   residual, c (m, n)
/// layout    rows contiguous, ld* in elements; W and bias as panels, zero padded; residual may be c
/// requires  m, n ≥ 0, k > 0; c overlaps neither a nor W; c's columns from n on are left alone
/// numerics  |error| ≤ γ_k·Σ|a||w| before bias; one fma chain in the order of k, so neither m, n
///           nor a split changes bits; same bits on every ISA with FMA
/// memory    at most 3 kB of stack
/// oracle    tests/reference/gemm.hpp
template <class Isa>
void gemm_f32(int m, int n, int k, const float* a, int lda, const float* panels,
              const Epilogue& epilogue, float* c, int ldc) noexcept {
  KINGLET_ASSERT(m >= 0 && n >= 0 && k > 0 && lda >= k && ldc >= n);
  const detail::GemmF32<Isa> tiles{n, k, a, lda, panels, epilogue, c, ldc};
  detail::for_tiles<detail::ShapeF32<Isa>>(m, panels_of(n), k * kPanel * 4, tiles);
}

}  // namespace kinglet::kernels
