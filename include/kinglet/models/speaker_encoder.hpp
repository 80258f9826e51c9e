#pragma once
// The forward pass of the speaker encoder of Resemblyzer, whole utterances or frame by frame.

#include <cstdint>
#include <kinglet/blocks/lstm.hpp>
#include <kinglet/models/check.hpp>
#include <kinglet/models/speaker_encoder_weights.hpp>

namespace kinglet::speaker {

/// A batch of utterances of mel bands, each padded to `longest` frames.
struct Input {
  int batch = 1;
  int longest = 0;
  const float* frames = nullptr;          ///< [batch][longest][input]
  const std::int32_t* lengths = nullptr;  ///< [batch], each 1 … longest; null: all longest
};

/// Optional look inside.
struct Trace {
  /// After layer `layer`: y, rows by time, and what its state ended with, a row a place.
  void (*seen)(void* context, int layer, const TimeSteps& steps, ConstMatrix y,
               const LstmState& state) = nullptr;
  void* context = nullptr;
};

/// What goes from one call to the next of the same utterances: h and c of every layer, a row a
/// sequence. Zeros: the beginning.
struct State {
  LstmState layers[kMostLayers];
};

/// Memory for it, from the arena; not yet zeros.
inline State take_state(Arena& arena, const Config& c, int batch) noexcept {
  State state;
  for (int l = 0; l < c.layers; ++l) {
    state.layers[l] = {arena.matrix(batch, c.hidden), arena.matrix(batch, c.hidden)};
  }
  return state;
}

template <class B>
void reset(B& be, const Config& c, const State& state) noexcept {
  for (int l = 0; l < c.layers; ++l) {
    be.zero(state.layers[l].h);
    be.zero(state.layers[l].c);
  }
}

inline Status check(const Config&, const Input& in) noexcept {
  constexpr int kMostFrames = 1 << 20;
  if (in.longest < 1 || in.longest > kMostFrames) return invalid("must be 1 to 2^20", "longest");
  if (in.batch < 1 || in.batch > kMostFrames / in.longest) {
    return invalid("must be at least 1, with at most 2^20 frames in all", "batch");
  }
  if (in.frames == nullptr) return invalid("are not given", "frames");
  if (!all_within(in.lengths, in.batch, 1, in.longest + 1)) {
    return invalid("each must be 1 to the longest", "lengths");
  }
  return {};
}

/// embedding [batch][embedding], of unit length; with a state (all of the same length) the utterances
/// go on where it is, and it goes on with them. Scratch: what Count says. Precondition: check is ok.
template <class B>
void forward(B& be, const Config& c, const Weights& w, const Input& in, float* embedding,
             const State* state = nullptr, const Trace* trace = nullptr) noexcept {
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const TimeSteps steps = time_steps(arena, in.batch, in.longest, in.lengths);
  const int wide = c.hidden > c.input ? c.hidden : c.input;
  Matrix from = arena.matrix(steps.rows, wide), to = arena.matrix(steps.rows, wide);
  const Matrix last = arena.matrix(in.batch, c.hidden), own = arena.matrix(in.batch, c.hidden);
  const ConstMatrix frames{in.frames, in.batch * in.longest, c.input};
  ConstMatrix x = from.cols_at(0, c.input);
  for (int t = 0; t < in.longest; ++t) {
    for (int i = 0; i < steps.running_at(t); ++i) {
      be.copy(frames.rows_at(steps.sequence_at(i) * in.longest + t, 1),
              from.cols_at(0, c.input).rows_at(steps.start_of(t) + i, 1));
    }
  }
  for (int l = 0; l < c.layers; ++l) {
    const Matrix y = to.cols_at(0, c.hidden);
    const LstmState mine = state ? state->layers[l] : LstmState{last, own};
    if (state == nullptr) {
      be.zero(mine.h);
      be.zero(mine.c);
    }
    lstm_layer(be, w.layers[l], steps, x, false, mine, y);
    if (trace && trace->seen && y.data) trace->seen(trace->context, l, steps, y, mine);
    x = y;
    const Matrix swap = from;
    from = to;
    to = swap;
  }
  const ConstMatrix h = state ? state->layers[c.layers - 1].h : last;
  const Matrix placed = arena.matrix(in.batch, c.embedding);
  be.linear(w.embedding, h, placed, Activation::relu);
  be.unit_length(placed, placed);
  const Matrix out{embedding, in.batch, c.embedding};
  for (int i = 0; i < in.batch; ++i)
    be.copy(placed.rows_at(i, 1), out.rows_at(steps.sequence_at(i), 1));
}

}  // namespace kinglet::speaker
