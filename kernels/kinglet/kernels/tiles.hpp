#pragma once
// Panels of W and the loop nest over register tiles that every product with them shares.
//
// W (n, k) is stored once, in panels of 16 rows, the same bytes for every CPU. A step of a panel
// (one k of f32, four of s8) is 64 bytes: 1 zmm, 2 ymm or 4 NEON registers.
//
//     for each group of panels                  read once from memory, then in L2
//       for each strip of rows of a             read once a group, from L2
//         for each tile of the group            Rows × Across registers of sums
//           for every step of k                 sum_products
//             acc[r][j] += a[r] · panel[j]
//           results go from the registers to memory, or through L1 to what is left of an epilogue
//
// The arithmetic of a step is a type D: Dot<Isa> for s8, Multiply<Isa> for f32. Of strips a call has
// few heights, those that keep enough accumulators busy to hide the latency of the arithmetic; low
// ones take more panels at once.

#include <cstddef>
#include <kinglet/kernels/macros.hpp>

namespace kinglet::kernels {

/// Rows of W in a panel.
inline constexpr int kPanel = 16;

KINGLET_INLINE constexpr int panels_of(int n) noexcept { return (n + kPanel - 1) / kPanel; }

namespace detail {

/// How many registers a tile has to sum in, how many of them lie across a panel, how many panels one
/// row takes at once (each is a stream of its own to the prefetcher), and how many rows share a
/// register.
template <int Accumulators, int Vectors, int Streams, int Sharing = 1>
struct TileShape {
  static constexpr int tallest =
      Accumulators * Sharing / Vectors < 6 ? Accumulators * Sharing / Vectors : 6;
  static constexpr int vectors = Vectors;

  /// Rows of the next strip when `left` are left. Six at a time, but neither five, which leave two
  /// registers of twelve unused, nor one or two at the end, which cannot hide any latency; where
  /// tiles are lower, as equal as can be.
  static KINGLET_INLINE constexpr int height(int left) noexcept {
    if (tallest < 6) return left / ((left + tallest - 1) / tallest);
    return left == 7 || left == 8 || left == 11 ? 4 : left < 6 ? left : 6;
  }

  static KINGLET_INLINE constexpr int last_height(int m) noexcept {
    if (tallest < 6 || m < 6) return height(m);
    constexpr int kLast[] = {6, 3, 4, 3, 4, 3};
    return kLast[m % 6];
  }

  /// Registers across a tile of `rows` rows: as many as there are accumulators for, of whole panels
  /// or one and a half.
  static KINGLET_INLINE constexpr int across(int rows) noexcept {
    const int high = (rows + Sharing - 1) / Sharing;
    if (Vectors == 2 && 4 * high > Accumulators && 3 * high <= Accumulators) return 3;
    int panels = 1;
    const int most = rows > 1 ? 8 : Streams;
    while (2 * panels * high * Vectors <= Accumulators && panels < most) panels *= 2;
    return panels * Vectors;
  }
  /// Panels in a row of such tiles that begins and ends with a panel.
  static KINGLET_INLINE constexpr int panels_at_once(int rows) noexcept {
    return across(rows) % Vectors ? across(rows) : across(rows) / Vectors;
  }
};

/// What a tile fetches into L2 beside its work: a slice of a panel, `step` bytes a step of k.
struct Fetch {
  int panel, slice, slices;

  static KINGLET_INLINE constexpr Fetch nothing(int panel) noexcept { return {panel, 0, 64}; }
  /// Where it begins, in panels of `bytes` each.
  KINGLET_INLINE const char* in(const void* panels, std::ptrdiff_t bytes) const noexcept {
    return static_cast<const char*>(panels) + panel * bytes + bytes * slice / slices;
  }
  KINGLET_INLINE constexpr int step() const noexcept { return 64 / slices; }
};

/// The rows of a that a tile reads, `lda` apart: all steps are one run of contiguous numbers. What
/// reads rows in several runs (conv.hpp) has the same members.
template <class Element>
struct StridedRows {
  const Element* a;
  std::ptrdiff_t lda;

  static constexpr int runs = 1;
  static KINGLET_INLINE constexpr int steps_of(int steps) noexcept { return steps; }
  KINGLET_INLINE void begin(int) noexcept {}
  KINGLET_INLINE void advance(int numbers) noexcept { a += numbers; }
  KINGLET_INLINE const Element* row(int r) const noexcept { return a + r * lda; }
  KINGLET_INLINE std::ptrdiff_t to_next(int) const noexcept { return lda; }
};

/// acc[r][j] = Σ a[r] · panels[j] over all steps for `Across` registers of columns from register
/// `First` of the first panel on; fetch(panels) at every step. acc has a row for D::rows rows of a.
template <class D, int Rows, int Across, int First, int Height, class A, class F>
KINGLET_INLINE void sum_products(int steps, A a, const typename D::Element* panels,
                                 typename D::Sums (&acc)[Height][Across], const F& fetch) noexcept {
  static_assert(Height == (Rows + D::rows - 1) / D::rows);
  constexpr int kVectors = kPanel / D::lanes;
  constexpr int kStep = kPanel * D::group;
  // What is only loaded, g++ may load again for every row: with -march=native it does.
  constexpr bool kHold = Height > 1 && D::plain_weights;
  const std::ptrdiff_t pitch = static_cast<std::ptrdiff_t>(steps) * kStep;
  KINGLET_UNROLL
  for (int r = 0; r < Height; ++r) {
    KINGLET_UNROLL
    for (int j = 0; j < Across; ++j) acc[r][j] = D::zero();
  }
  for (int run = 0; run < a.runs; ++run) {
    a.begin(run);
    const int count = a.steps_of(steps);
    for (int s = 0; s < count;
         s += D::depth, panels += D::depth * kStep, a.advance(D::depth * D::group)) {
      fetch(panels);
      const auto weights = [=](int j) {
        return D::weights(panels + (First + j) / kVectors * pitch +
                          (First + j) % kVectors * D::lanes * D::group);
      };
      const auto row = [=](int r) {  // of a last row without a partner two copies
        return D::load(a.row(r * D::rows), r * D::rows + 1 < Rows ? a.to_next(r * D::rows) : 0);
      };
      if constexpr (Height < Across) {  // the shorter side stays in registers beside the sums
        typename D::Row x[Height];
        KINGLET_UNROLL
        for (int r = 0; r < Height; ++r) x[r] = row(r);
        KINGLET_UNROLL
        for (int j = 0; j < Across; ++j) {
          auto w = weights(j);
          if constexpr (kHold) D::keep(w);
          KINGLET_UNROLL
          for (int r = 0; r < Height; ++r) acc[r][j] = D::dot(acc[r][j], w, x[r]);
        }
      } else {
        typename D::Weights w[Across];
        KINGLET_UNROLL
        for (int j = 0; j < Across; ++j) {
          w[j] = weights(j);
          if constexpr (kHold) D::keep(w[j]);
        }
        KINGLET_UNROLL
        for (int r = 0; r < Height; ++r) {
          const auto x = row(r);
          KINGLET_UNROLL
          for (int j = 0; j < Across; ++j) acc[r][j] = D::dot(acc[r][j], w[j], x);
        }
      }
    }
    // Without this g++ writes every sum to memory in every step.
    KINGLET_UNROLL
    for (int r = 0; r < Height; ++r) {
      KINGLET_UNROLL
      for (int j = 0; j < Across; ++j) D::keep(acc[r][j]);
    }
  }
}

/// Tiles of `Rows` rows over `count` registers from register v on, the widest tiles first; each
/// fetches its slice of the panel that lies `fetch.panel` further on, if there is one.
template <class Shape, int Rows, int Across, class Tile>
KINGLET_INLINE void for_columns(int row, int v, int count, int panels, Fetch fetch,
                                const Tile& tile) noexcept {
  for (; count >= Across; v += Across, count -= Across) {
    const int p = v / Shape::vectors;
    const int next = p + fetch.panel;
    tile.template run<Rows, Across>(
        row, v, next < panels ? Fetch{next, fetch.slice, fetch.slices} : Fetch::nothing(p));
  }
  constexpr int kNext = Across == 3 ? 2 : Across / 2;
  if constexpr (kNext >= Shape::vectors || (kNext == 1 && Shape::across(Rows) == 3))
    for_columns<Shape, Rows, kNext>(row, v, count, panels, fetch, tile);
}

template <class Shape, int Rows, class Tile>
KINGLET_INLINE void for_strip(int rows, int row, int v, int count, int panels, Fetch fetch,
                              const Tile& tile) noexcept {
  if constexpr (Rows > 1) {
    if (rows < Rows) return for_strip<Shape, Rows - 1>(rows, row, v, count, panels, fetch, tile);
  }
  for_columns<Shape, Rows, Shape::across(Rows)>(row, v, count, panels, fetch, tile);
}

/// The loop nest drawn above over m rows and `panels` panels. tile.run<Rows, Across>(row, v, fetch)
/// computes Rows × Across registers of outputs from row `row` on and from register v on,
/// Shape::vectors to a panel. The strips fetch the next group together, in slices, so that it comes
/// from memory at an even rate.
template <class Shape, class Tile>
KINGLET_INLINE void for_tiles(int m, int panels, const Tile& tile) noexcept {
  if (m <= 0) return;
  const int wide = Shape::panels_at_once(Shape::height(m));
  const int last = Shape::panels_at_once(Shape::last_height(m));
  const int group = wide > last ? wide : last;
  const int strips = (m + Shape::tallest - 1) / Shape::tallest;
  int slices = 1;
  while (4 * slices * wide <= strips && slices < 16) slices *= 2;
  for (int p = 0; p < panels; p += group) {
    const int here = panels - p < group ? panels - p : group;
    for (int s = 0, row = 0; row < m; ++s) {
      const int rows = Shape::height(m - row);
      const bool fetches = rows < m && s / wide < slices;
      const Fetch fetch = fetches ? Fetch{group + s % wide, s / wide, slices} : Fetch::nothing(0);
      for_strip<Shape, Shape::tallest>(rows, row, p * Shape::vectors, here * Shape::vectors, panels,
                                       fetch, tile);
      row += rows;
    }
  }
}

}  // namespace detail
}  // namespace kinglet::kernels
