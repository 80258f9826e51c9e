#pragma once
// Sequences through an LSTM layer: one step at a time for all that are still running.
//
//   lengths 2 4 3      places: the longest first      rows of x and y, by time
//
//     a a                b b b b  place 0               t = 0 │ b c a │ t = 1 │ b c a │ 2 │ b c │ 3 │ b │
//     b b b b            c c c    place 1
//     c c c              a a      place 2
//
// (PyTorch's PackedSequence.) The rows of a step are one matrix, and the first of them go on in the
// next step. Backwards, a sequence begins at its last word, with the rows that step adds. What the
// layer makes of x is one product for several steps; a step then reads only W_hh.

#include <cstdint>
#include <kinglet/backend/ops.hpp>
#include <kinglet/core/arena.hpp>

namespace kinglet {

/// The order of rows drawn above.
struct TimeSteps {
  int batch = 0;
  int longest = 0;
  int rows = 0;                     ///< Σ lengths
  std::int32_t* place = nullptr;    ///< [batch] the sequence of each place; null when only counting
  std::int32_t* running = nullptr;  ///< [longest] rows of a step
  std::int32_t* start = nullptr;    ///< [longest] its first row

  constexpr int sequence_at(int i) const noexcept { return place ? place[i] : i; }
  constexpr int running_at(int t) const noexcept { return running ? running[t] : batch; }
  constexpr int start_of(int t) const noexcept { return start ? start[t] : t * batch; }

  constexpr int length_of_place(int i) const noexcept {
    int length = longest;
    while (length > 0 && running_at(length - 1) <= i) --length;
    return length;
  }
};

/// lengths: [batch], each 1 … longest; null: all of them longest.
inline TimeSteps time_steps(Arena& arena, int batch, int longest,
                            const std::int32_t* lengths) noexcept {
  TimeSteps s;
  s.batch = batch;
  s.longest = longest;
  s.place = arena.take<std::int32_t>(static_cast<std::size_t>(batch));
  s.running = arena.take<std::int32_t>(static_cast<std::size_t>(longest));
  s.start = arena.take<std::int32_t>(static_cast<std::size_t>(longest));
  if (s.start == nullptr) {
    s.place = s.running = nullptr;
    s.rows = batch * longest;
    return s;
  }
  const auto length = [&](int b) { return lengths ? lengths[b] : longest; };
  for (int b = 0; b < batch; ++b) {  // insertion: equal ones stay in order
    int at = b;
    for (; at > 0 && length(s.place[at - 1]) < length(b); --at) s.place[at] = s.place[at - 1];
    s.place[at] = b;
  }
  int running = batch;
  for (int t = 0; t < longest; ++t) {
    while (running > 0 && length(s.place[running - 1]) <= t) --running;
    s.running[t] = running;
    s.start[t] = s.rows;
    s.rows += running;
  }
  return s;
}

/// Step by step, what belongs to one place of a padded batch: to[row] = from[sequence·longest + t].
template <class T>
void gather_steps(const TimeSteps& s, const T* from, T* to) noexcept {
  for (int t = 0; t < s.longest; ++t) {
    for (int i = 0; i < s.running_at(t); ++i) {
      to[s.start_of(t) + i] = from[static_cast<std::ptrdiff_t>(s.sequence_at(i)) * s.longest + t];
    }
  }
}

/// y (longest, n) = the sequence of place i, from rows by time; zeros beyond its end.
template <class B>
void spread_steps(B& be, const TimeSteps& s, int i, ConstMatrix x, Matrix y) noexcept {
  const int length = s.length_of_place(i);
  for (int t = 0; t < length; ++t) be.copy(x.rows_at(s.start_of(t) + i, 1), y.rows_at(t, 1));
  be.zero(y.rows_at(length, s.longest - length));
}

/// h and c of each place (batch, units): before a layer where to begin, after it where it ended.
/// Without rows: begins with zeros, and nobody asks.
struct LstmState {
  Matrix h, c;
};

/// What a layer makes of so many rows of x at once stays in the second-level cache.
inline constexpr int kGateRows = 64;

/// y (rows, units) = the states h of one layer over x (rows, inputs), rows by time.
template <class B>
void lstm_layer(B& be, const Lstm& w, const TimeSteps& s, ConstMatrix x, bool backwards,
                const LstmState& state, Matrix y) noexcept {
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const int most = s.batch > kGateRows ? s.batch : kGateRows;
  // Rows that are a multiple of 4 KiB apart would share too few sets of the first-level cache.
  const Matrix gates =
      arena.matrix(s.rows < most ? s.rows : most, w.ih.n + kPanel).cols_at(0, w.ih.n);
  const bool zeros = state.h.rows == 0;
  const Matrix c = zeros ? arena.matrix(s.batch, w.units) : state.c;
  reserve_linear(arena, w.ih, gates.rows);
  if (zeros) be.zero(c);
  ConstMatrix h = state.h;
  int known = 0, first_known = 0;  // rows of x whose gates are there
  for (int i = 0; i < s.longest; ++i) {
    const int t = backwards ? s.longest - 1 - i : i;
    const int first = s.start_of(t), running = s.running_at(t);
    if (first < first_known || first >= first_known + known) {
      known = 0;
      for (int u = t; u >= 0 && u < s.longest && known + s.running_at(u) <= gates.rows;
           u += backwards ? -1 : 1) {
        known += s.running_at(u);
      }
      first_known = backwards ? first + running - known : first;
      be.linear(w.ih, x.rows_at(first_known, known), gates.rows_at(0, known));
    }
    const Matrix g = gates.rows_at(first - first_known, running), out = y.rows_at(first, running);
    // Rows that go on, and rows that begin here.
    const int going = h.rows < running ? h.rows : running, begin = running - going;
    if (going > 0) {
      be.lstm_gates(w, g.rows_at(0, going), h.rows_at(0, going), c.rows_at(0, going),
                    out.rows_at(0, going), i % 2 != 0);
    }
    const Matrix new_c = c.rows_at(going, begin), new_out = out.rows_at(going, begin);
    if (begin > 0 && zeros) be.lstm_cell(g.rows_at(going, begin), new_c, new_out);
    if (begin > 0 && !zeros) {
      be.lstm_gates(w, g.rows_at(going, begin), state.h.rows_at(going, begin), new_c, new_out,
                    i % 2 != 0);
    }
    h = out;
  }
  for (int i = 0; i < state.h.rows; ++i) {
    const int last = backwards ? 0 : s.length_of_place(i) - 1;
    be.copy(y.rows_at(s.start_of(last) + i, 1), state.h.rows_at(i, 1));
  }
}

}  // namespace kinglet
