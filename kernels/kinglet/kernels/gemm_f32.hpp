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

/// t[r][16p + j] = Σ a[r][kk] · panels[p][kk][j]; meanwhile the panel `next` is fetched into L2.
/// One to three rows leave that to the CPU: they take as long as the memory does.
template <class Isa, int Rows, int Panels>
KINGLET_NOINLINE void tile_f32(int k, const float* a, int lda, const float* panels,
                               const float* next, float* t) noexcept {
  using V = Floats<Isa>;
  constexpr int kAcross = Panels * kVectors<Isa>;
  const std::ptrdiff_t pitch = static_cast<std::ptrdiff_t>(k) * kPanel;
  V acc[Rows][kAcross];
  KINGLET_UNROLL
  for (int r = 0; r < Rows; ++r) {
    KINGLET_UNROLL
    for (int j = 0; j < kAcross; ++j) acc[r][j] = 0.0f;
  }
  for (int kk = 0; kk < k; ++kk, panels += kPanel) {
    if constexpr (Rows > 3)
      __builtin_prefetch(next + static_cast<std::ptrdiff_t>(kk) * kPanel, 0, 2);
    const auto panel = [=](int j) {
      return V::load(panels + j / kVectors<Isa> * pitch + j % kVectors<Isa> * V::size);
    };
    const auto row = [=](int r) { return V(a[static_cast<std::ptrdiff_t>(r) * lda + kk]); };
    if constexpr (Rows < kAcross) {  // the shorter side stays in registers beside the accumulators
      V x[Rows];
      KINGLET_UNROLL
      for (int r = 0; r < Rows; ++r) x[r] = row(r);
      KINGLET_UNROLL
      for (int j = 0; j < kAcross; ++j) {
        const V b = panel(j);
        KINGLET_UNROLL
        for (int r = 0; r < Rows; ++r) acc[r][j] = fma(x[r], b, acc[r][j]);
      }
    } else {
      V b[kAcross];
      KINGLET_UNROLL
      for (int j = 0; j < kAcross; ++j) b[j] = panel(j);
      KINGLET_UNROLL
      for (int r = 0; r < Rows; ++r) {
        const V x = row(r);
        KINGLET_UNROLL
        for (int j = 0; j < kAcross; ++j) acc[r][j] = fma(x, b[j], acc[r][j]);
      }
    }
  }
  KINGLET_UNROLL
  for (int r = 0; r < Rows; ++r) {
    KINGLET_UNROLL
    for (int j = 0; j < kAcross; ++j) acc[r][j].store(t + (r * kAcross + j) * V::size);
  }
}

/// One product with f32 panels; finish(row, rows, p, panels, t) gets the sums of rows × panels·16
/// outputs, contiguous in t, which it may overwrite.
template <class Isa, class Finish>
struct TilesF32 {
  int k;
  const float* a;
  int lda;
  const float* panels;
  const Finish& finish;

  template <int Rows, int Panels>
  KINGLET_INLINE void run(int row, int p, int fetched) const noexcept {
    float t[Rows * Panels * kPanel];
    const std::ptrdiff_t pitch = static_cast<std::ptrdiff_t>(k) * kPanel;
    tile_f32<Isa, Rows, Panels>(k, a + static_cast<std::ptrdiff_t>(row) * lda, lda,
                                panels + p * pitch, panels + fetched * pitch, t);
    finish(row, Rows, p, Panels, t);
  }
};

template <class Isa, class Finish>
KINGLET_INLINE void for_tiles_f32(int m, int n, int k, const float* a, int lda, const float* panels,
                                  const Finish& finish) noexcept {
  const TilesF32<Isa, Finish> tiles{k, a, lda, panels, finish};
  for_tiles<ShapeF32<Isa>>(m, panels_of(n), tiles);
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
  const auto add = [](auto u, auto v) { return u + v; };
  detail::for_tiles_f32<Isa>(
      m, n, k, a, lda, panels, [&](int row, int rows, int p, int wide, float* t) {
        const int first = p * kPanel;
        const int cols = wide * kPanel;
        if (epilogue.bias) {
          for (int r = 0; r < rows; ++r)
            map<Isa>(cols, t + r * cols, add, t + r * cols, epilogue.bias + first);
        }
        const int inside = n - first < cols ? n - first : cols;
        detail::finish_tile<Isa>(row, rows, first, cols, inside, t, epilogue,
                                 c + static_cast<std::ptrdiff_t>(row) * ldc + first, ldc);
      });
}

}  // namespace kinglet::kernels
