#pragma once
// Packing: which positions of a padded batch are computed, and in which row.
//
//               padded batch                     packed rows
//
//   sequence 0  │ c v v · · w w · a a · │        │ c v v w w a a    · · │ c v w a a a    · │
//   sequence 1  │ c v · · · w · · a a a │  ──►     live: the keys   └ masked, but read
//
// A masked position has attention weight exactly 0 (its score lies thousands below the others), so
// leaving it out as a key changes nothing. It is computed, as a query, only where somebody reads
// its row.

#include <cstdint>
#include <kinglet/backend/ops.hpp>
#include <kinglet/core/arena.hpp>
#include <kinglet/core/span.hpp>

namespace kinglet {

struct Packing {
  int batch = 0;
  int seq = 0;   ///< positions of a padded sequence
  int rows = 0;  ///< rows of the packed matrix
  int longest = 0;
  int longest_live = 0;
  std::int32_t* start = nullptr;     ///< [batch] first row; null when only counting
  std::int32_t* length = nullptr;    ///< [batch] rows
  std::int32_t* live = nullptr;      ///< [batch] rows that are keys: the first ones
  std::int32_t* position = nullptr;  ///< [rows] position of a row in its padded sequence

  constexpr Ragged queries() const noexcept { return {batch, longest, start, length}; }
  constexpr Ragged keys() const noexcept { return {batch, longest_live, start, live}; }

  constexpr int position_of(int sequence, int r) const noexcept {
    return position ? position[start[sequence] + r] : r;
  }

  /// Row of a position, or −1 when it was left out.
  int row_of(int sequence, int p) const noexcept {
    const int first = queries().start_of(sequence);
    for (int r = 0; r < queries().length_of(sequence); ++r) {
      if (position_of(sequence, r) == p) return first + r;
    }
    return -1;
  }
};

/// mask: [batch][seq], 0 = masked; null: the first `live` positions of each sequence are live.
/// reads: positions needed beside the live ones, `reads_each` a sequence; every_row: all of them.
inline Packing pack(Arena& arena, int batch, int seq, const std::uint8_t* mask, int live,
                    Span<const std::int32_t> reads, bool every_row) noexcept {
  Packing p;
  p.batch = batch;
  p.seq = seq;
  const std::size_t n = static_cast<std::size_t>(batch);
  p.start = arena.take<std::int32_t>(n);
  p.length = arena.take<std::int32_t>(n);
  p.live = arena.take<std::int32_t>(n);
  p.position = arena.take<std::int32_t>(n * static_cast<std::size_t>(seq));
  if (p.position == nullptr) {  // counting: every sequence alike
    p.longest_live = live;
    p.longest = every_row ? seq : live;
    p.rows = batch * p.longest;
    return p;
  }
  const int reads_each = batch > 0 ? static_cast<int>(reads.size()) / batch : 0;
  for (int b = 0; b < batch; ++b) {
    const auto is_live = [&](int i) {
      return mask != nullptr ? mask[static_cast<std::ptrdiff_t>(b) * seq + i] != 0 : i < live;
    };
    const std::int32_t* mine = reads.data() + static_cast<std::ptrdiff_t>(b) * reads_each;
    const auto is_read = [&](int i) {
      for (int r = 0; r < reads_each; ++r) {
        if (mine[r] == i) return true;
      }
      return every_row;
    };
    p.start[b] = p.rows;
    for (int i = 0; i < seq; ++i) {
      if (is_live(i)) p.position[p.rows++] = i;
    }
    p.live[b] = p.rows - p.start[b];
    for (int i = 0; i < seq; ++i) {
      if (!is_live(i) && is_read(i)) p.position[p.rows++] = i;
    }
    p.length[b] = p.rows - p.start[b];
    if (p.longest < p.length[b]) p.longest = p.length[b];
    if (p.longest_live < p.live[b]) p.longest_live = p.live[b];
  }
  return p;
}

/// Only sequences with keep[b] ≠ 0 stay. move(to, from): row `from` is to lie at `to` < `from`; called in ascending order.
template <class F>
void keep_sequences(Packing& p, const std::uint8_t* keep, F move) noexcept {
  Packing kept = p;
  kept.batch = kept.rows = kept.longest = kept.longest_live = 0;
  for (int b = 0; b < p.batch; ++b) {
    if (keep[b] == 0) continue;
    const int from = p.start[b], length = p.length[b], live = p.live[b];
    for (int r = 0; r < length && from != kept.rows; ++r) {
      p.position[kept.rows + r] = p.position[from + r];
      move(kept.rows + r, from + r);
    }
    p.start[kept.batch] = kept.rows;
    p.length[kept.batch] = length;
    p.live[kept.batch] = live;
    ++kept.batch;
    kept.rows += length;
    if (kept.longest < length) kept.longest = length;
    if (kept.longest_live < live) kept.longest_live = live;
  }
  p = kept;
}

}  // namespace kinglet
