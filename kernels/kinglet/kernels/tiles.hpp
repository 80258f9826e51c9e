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
  static constexpr int vectors = Vectors;

  /// Rows of the next strip when `left` are left. Six at a time, but neither five, which leave two
  /// registers of twelve unused, nor one or two at the end, which cannot hide any latency; where
  /// tiles are lower, as equal as can be.
  static KINGLET_INLINE constexpr int height(int left) noexcept {
    if (rows < 6) return left / ((left + rows - 1) / rows);
    return left == 7 || left == 8 || left == 11 ? 4 : left < 6 ? left : 6;
  }

  static KINGLET_INLINE constexpr int last_height(int m) noexcept {
    if (rows < 6 || m < 6) return height(m);
    constexpr int kLast[] = {6, 3, 4, 3, 4, 3};
    return kLast[m % 6];
  }

  /// Registers across a tile of `rows` rows: as many as there are accumulators for, of whole panels
  /// or one and a half.
  static KINGLET_INLINE constexpr int across(int rows) noexcept {
    if (Vectors == 2 && 4 * rows > Accumulators && 3 * rows <= Accumulators) return 3;
    int panels = 1;
    while (2 * panels * rows * Vectors <= Accumulators && panels < 8) panels *= 2;
    return panels * Vectors;
  }
  /// Panels in a row of such tiles that begins and ends with a panel.
  static KINGLET_INLINE constexpr int panels_at_once(int rows) noexcept {
    return across(rows) % Vectors ? across(rows) : across(rows) / Vectors;
  }
};

/// Tiles of `Rows` rows over `count` registers from register v of the first panel on, the widest
/// tiles first; each fetches a panel `ahead` of its first one.
template <class Shape, int Rows, int Across, class Tile>
KINGLET_INLINE void for_columns(int row, int v, int count, int ahead, const Tile& tile) noexcept {
  for (; count >= Across; v += Across, count -= Across)
    tile.template run<Rows, Across>(row, v, v / Shape::vectors + ahead);
  constexpr int kNext = Across == 3 ? 2 : Across / 2;
  if constexpr (kNext >= Shape::vectors || (kNext == 1 && Shape::across(Rows) == 3))
    for_columns<Shape, Rows, kNext>(row, v, count, ahead, tile);
}

template <class Shape, int Rows, class Tile>
KINGLET_INLINE void for_strip(int rows, int row, int v, int count, int ahead,
                              const Tile& tile) noexcept {
  if constexpr (Rows > 1) {
    if (rows < Rows) return for_strip<Shape, Rows - 1>(rows, row, v, count, ahead, tile);
  }
  for_columns<Shape, Rows, Shape::across(Rows)>(row, v, count, ahead, tile);
}

/// Bytes of panels that all strips read before the next ones: with the rows of a they stay in L2.
inline constexpr int kGroupBytes = 256 << 10;

/// The loop nest drawn above over m rows and `panels` panels of `bytes` each. tile.run<Rows,
/// Across>(row, v, fetched) computes Rows × Across registers of outputs from row `row` on and from
/// register v on, Shape::vectors to a panel; meanwhile it may fetch panel `fetched`: one of the
/// next group or, where there is none to fetch, its own.
template <class Shape, class Tile>
KINGLET_INLINE void for_tiles(int m, int panels, int bytes, const Tile& tile) noexcept {
  if (m <= 0) return;
  const int first = Shape::panels_at_once(Shape::height(m));
  const int last = Shape::panels_at_once(Shape::last_height(m));
  const int wide = first > last ? first : last;
  const int fit = kGroupBytes / bytes;
  const int group = fit > wide ? fit / wide * wide : wide;
  for (int p = 0; p < panels; p += group) {
    const int here = panels - p < group ? panels - p : group;
    for (int s = 0, row = 0; row < m; ++s) {
      const int rows = Shape::height(m - row);
      const bool fetch = s < Shape::panels_at_once(rows) && rows < m && p + 2 * group <= panels;
      for_strip<Shape, Shape::rows>(rows, row, p * Shape::vectors, here * Shape::vectors,
                                    fetch ? group + s : 0, tile);
      row += rows;
    }
  }
}

}  // namespace detail
}  // namespace kinglet::kernels
