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

/// Where the sums of a tile go, with bias and residual, each of which may be null.
struct TileOut {
  float* y;
  std::ptrdiff_t ldy;
  const float* bias;
  const float* residual;
  std::ptrdiff_t ld_residual;

  /// What is written comes from memory while the sums are made.
  template <int Rows, int Columns>
  KINGLET_INLINE void fetch() const noexcept {
    KINGLET_UNROLL
    for (int r = 0; r < Rows; ++r) {
      KINGLET_UNROLL
      for (int j = 0; j < Columns; j += kPanel) __builtin_prefetch(y + r * ldy + j, 1);
    }
  }
};

/// The rest of an epilogue: sums go straight to c if nothing but bias and residual is added to them
/// and all columns exist; otherwise through t, in L1.
struct TileTarget {
  bool done;
  TileOut out;   ///< what the tile itself does
  TileOut rest;  ///< what finish does

  KINGLET_INLINE TileTarget(const Epilogue& e, int row, int first, bool whole, int columns,
                            float* t, float* c, int ldc) noexcept
      : done(whole && e.act == Activation::none) {
    const float* const bias = e.bias ? e.bias + first : nullptr;
    const float* const residual =
        e.residual ? e.residual + static_cast<std::ptrdiff_t>(row) * e.ld_residual + first
                   : nullptr;
    rest = {c + static_cast<std::ptrdiff_t>(row) * ldc + first, ldc, nullptr, residual,
            e.ld_residual};
    out = done ? TileOut{rest.y, ldc, bias, residual, e.ld_residual}
               : TileOut{t, columns, bias, nullptr, 0};
  }

  /// y = act(t) + residual for the first `inside` columns.
  template <class Isa>
  KINGLET_INLINE void finish(Activation act, int rows, int inside, int columns,
                             float* t) const noexcept {
    const auto add = [](auto u, auto v) { return u + v; };
    if (act != Activation::none && rest.residual) activate_f32<Isa>(act, rows * columns, t, t);
    for (int r = 0; r < rows && inside > 0; ++r) {
      float* const y = rest.y + r * rest.ldy;
      const float* const x = t + r * columns;
      if (rest.residual) {
        map<Isa>(inside, y, add, x, rest.residual + r * rest.ld_residual);
      } else {
        activate_f32<Isa>(act, inside, x, y);
      }
    }
  }
};

/// Registers across a panel.
template <class Isa>
inline constexpr int kVectors = kPanel / Floats<Isa>::size;

template <class Isa>
using ShapeF32 = TileShape<Isa::accumulators, kVectors<Isa>, 4>;

/// How far ahead the panels in use are fetched, in floats: four lines. Eight of several panels would share too
/// few sets of L1 where k is a multiple of 64.
inline constexpr int kAhead = 64;

/// The f32 step of a register tile: see dot.hpp for what its parts are.
template <class Isa>
struct Multiply {
  using V = Floats<Isa>;
  using Element = float;
  using Sums = V;
  using Weights = V;
  using Row = V;
  static constexpr int lanes = V::size, rows = 1, depth = 1, group = 1;
  static constexpr bool plain_weights = V::size > 1;

  static KINGLET_INLINE Sums zero() noexcept { return 0.0f; }
  static KINGLET_INLINE Weights weights(const float* panel) noexcept { return V::load(panel); }
  static KINGLET_INLINE Row load(const float* a, std::ptrdiff_t) noexcept { return *a; }
  static KINGLET_INLINE Sums dot(Sums sums, Weights w, Row a) noexcept { return fma(a, w, sums); }
  static KINGLET_INLINE void keep(Sums& sums) noexcept { sums.keep(); }
};

/// y = a·Wᵀ + bias + residual, as sum_products. Where a line of a panel takes several loads, the
/// panels are fetched into L1 some steps ahead; and from `next` on, more of W is fetched into L2,
/// unless the rows are so few that a tile takes as long as its own panels do.
template <class Isa, int Rows, int Across, int First, class A>
KINGLET_NOINLINE void tile_f32(int k, A a, const float* panels, const char* next, int next_step,
                               const TileOut& out) noexcept {
  using V = Floats<Isa>;
  constexpr int kPanels = (First + Across + kVectors<Isa> - 1) / kVectors<Isa>;
  constexpr int kAheadPanels = kVectors<Isa> == 1 ? 0 : kPanels;
  const std::ptrdiff_t pitch = static_cast<std::ptrdiff_t>(k) * kPanel;
  out.fetch<Rows, Across * V::size>();
  V acc[Rows][Across];
  // Inlined at once: g++ leaves out calls of a function that does nothing but fetch.
  const auto fetch = [&](const float* step) __attribute__((always_inline)) {
    if constexpr (Rows > 4 || kVectors<Isa> == 1) {
      __builtin_prefetch(next, 0, 2);
      next += next_step;
    }
    KINGLET_UNROLL
    for (int j = 0; j < kAheadPanels; ++j) __builtin_prefetch(step + j * pitch + kAhead);
  };
  sum_products<Multiply<Isa>, Rows, Across, First>(k, a, panels, acc, fetch);
  const TileOut o = out;
  KINGLET_UNROLL
  for (int j = 0; j < Across; ++j) {
    const int column = j * V::size;
    const V b = o.bias ? V::load(o.bias + column) : V(0.0f);
    KINGLET_UNROLL
    for (int r = 0; r < Rows; ++r) {
      V sum = o.bias ? acc[r][j] + b : acc[r][j];
      if (o.residual) sum = sum + V::load(o.residual + r * o.ld_residual + column);
      sum.store(o.y + r * o.ldy + column);
    }
  }
}

/// The tile of `Across` registers from register v of the panels on.
template <class Isa, int Rows, int Across, class A>
KINGLET_INLINE void multiply(int k, const A& a, const float* panels, int v, Fetch fetch,
                             const TileOut& out) noexcept {
  constexpr int kV = kVectors<Isa>;
  const std::ptrdiff_t pitch = static_cast<std::ptrdiff_t>(k) * kPanel;
  const float* const from = panels + v / kV * pitch;
  const char* const next = fetch.in(panels, pitch * static_cast<std::ptrdiff_t>(sizeof(float)));
  const int step = fetch.step();
  if constexpr (Across % kV != 0) {  // a panel and a half, or what is left of two
    static_assert(kV == 2);
    if (v % kV == 1) return tile_f32<Isa, Rows, Across, 1>(k, a, from, next, step, out);
  }
  tile_f32<Isa, Rows, Across, 0>(k, a, from, next, step, out);
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
  KINGLET_INLINE void run(int row, int v, Fetch fetch) const noexcept {
    constexpr int kColumns = Across * Floats<Isa>::size;
    const int first = v * Floats<Isa>::size;
    const int inside = n - first < kColumns ? n - first : kColumns;
    float t[Rows * kColumns];
    const TileTarget to(epilogue, row, first, inside == kColumns, kColumns, t, c, ldc);
    const StridedRows<float> rows{a + static_cast<std::ptrdiff_t>(row) * lda, lda};
    multiply<Isa, Rows, Across>(k, rows, panels, v, fetch, to.out);
    if (!to.done) to.template finish<Isa>(epilogue.act, Rows, inside, kColumns, t);
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
  detail::for_tiles<detail::ShapeF32<Isa>>(m, panels_of(n), tiles);
}

}  // namespace kinglet::kernels
