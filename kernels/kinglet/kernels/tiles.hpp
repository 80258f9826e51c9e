#pragma once
// Panels of W and the loop nest over register tiles that every product with them shares.
//
// W (n, k) is stored once, in panels of 16 rows, the same bytes for every CPU. A step of a panel
// (one k of f32, four of s8) is 64 bytes: 1 zmm, 2 ymm or 4 NEON registers.
//
//     for each group of panels                  read once from memory, then in L2
//       for each strip of rows of a             read once a group, from L2
//         for each tile of the group            Rows × Panels·16 accumulators in registers
//           for every step of k                 a function of its own: the loop spills
//             …                                   when the epilogue shares its registers
//           epilogue on the tile, in L1
//
// The strips of one call have nearly equal heights, and low ones take more panels at once, so that
// there are always enough accumulators to hide the latency of the arithmetic.

#include <cstddef>
#include <kinglet/kernels/macros.hpp>

namespace kinglet::kernels {

/// Rows of W in a panel.
inline constexpr int kPanel = 16;

KINGLET_INLINE constexpr int panels_of(int n) noexcept { return (n + kPanel - 1) / kPanel; }

namespace detail {

/// How many registers a tile has to sum in, and how many of them lie across a panel.
template <int Accumulators, int Vectors>
struct TileShape {
  static constexpr int rows = Accumulators / Vectors < 6 ? Accumulators / Vectors : 6;

  /// Panels taken at once by a tile of `rows` rows: as many as there are accumulators for, a power
  /// of two.
  static KINGLET_INLINE constexpr int panels_at_once(int rows) noexcept {
    int panels = 1;
    while (2 * panels * rows * Vectors <= Accumulators && panels < 8) panels *= 2;
    return panels;
  }
};

/// Tiles of `Rows` rows over `count` panels, the widest first.
template <class Shape, int Rows, int Panels, class Tile>
KINGLET_INLINE void for_panels(int row, int p, int count, int fetched, const Tile& tile) noexcept {
  for (; count >= Panels; p += Panels, count -= Panels)
    tile.template run<Rows, Panels>(row, p, fetched);
  if constexpr (Panels > 1) for_panels<Shape, Rows, Panels / 2>(row, p, count, fetched, tile);
}

template <class Shape, int Rows, class Tile>
KINGLET_INLINE void for_strip(int rows, int row, int p, int count, int fetched,
                              const Tile& tile) noexcept {
  if constexpr (Rows > 1) {
    if (rows < Rows) return for_strip<Shape, Rows - 1>(rows, row, p, count, fetched, tile);
  }
  for_panels<Shape, Rows, Shape::panels_at_once(Rows)>(row, p, count, fetched, tile);
}

/// The loop nest drawn above over m rows and `count` panels. tile.run<Rows, Panels>(row, p, fetched)
/// computes Rows × Panels·16 outputs from row `row` and panel p on; meanwhile it may fetch panel
/// `fetched` into L2: if there are enough strips, each of the first ones gets one of the next group.
template <class Shape, class Tile>
KINGLET_INLINE void for_tiles(int m, int count, const Tile& tile) noexcept {
  const int strips = (m + Shape::rows - 1) / Shape::rows;
  const int group = strips > 0 ? Shape::panels_at_once(m / strips) : 1;
  for (int p = 0; p < count; p += group) {
    const int here = count - p < group ? count - p : group;
    for (int s = 0, row = 0; s < strips; ++s) {
      const int rows = (m - row) / (strips - s);
      const int fetched = strips >= group && s < group && p + group + s < count ? p + group + s : p;
      for_strip<Shape, Shape::rows>(rows, row, p, here, fetched, tile);
      row += rows;
    }
  }
}

}  // namespace detail
}  // namespace kinglet::kernels
