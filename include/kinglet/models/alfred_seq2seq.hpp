#pragma once
// The Seq2Seq agent of ALFRED (Shridhar et al. 2020), step by step.
//
//   begin(words)                 reads the instruction once
//   step(frame) → action         as often as the episode lasts; the state carries it on
//   mask() → where to act        only when the action needs an object
//   restart()                    the same instruction from the beginning
//
// Every step of a batch reads each weight once. An episode of known frames is unroll().

#include <cstdint>
#include <kinglet/blocks/largest.hpp>
#include <kinglet/blocks/lstm.hpp>
#include <kinglet/models/alfred_seq2seq_weights.hpp>
#include <kinglet/models/check.hpp>

namespace kinglet::seq2seq {

/// Word ids of a goal and its instructions, a row an episode.
struct Instruction {
  int batch = 1;
  int longest = 0;
  const std::int32_t* words = nullptr;    ///< [batch][longest]
  const std::int32_t* lengths = nullptr;  ///< [batch], each 1 … longest; null: all longest
};

/// What an episode carries on, a row each. As in the published agent, the attention of a shorter
/// instruction sees the zeros that pad it.
struct State {
  int batch = 0;
  int longest = 0;
  Matrix encoded;    ///< (batch·longest, width)
  PackedKeys words;  ///< the same for the attention of every step
  Matrix context;    ///< (batch, width): the instruction as a whole
  Matrix h, c;       ///< (batch, width)
  Matrix action;     ///< (batch, embedding): of the last action
  Matrix cont;       ///< (batch, cont): what the heads of the last step read
  int steps = 0;     ///< since the beginning
};

/// Memory for a state, from the arena.
inline State take_state(Arena& arena, const Config& c, int batch, int longest) noexcept {
  State s;
  s.batch = batch;
  s.longest = longest;
  s.encoded = arena.matrix(batch * longest, c.width());
  s.words = take_packed_keys(arena, batch, longest, c.width());
  s.context = arena.matrix(batch, c.width());
  s.h = arena.matrix(batch, c.width());
  s.c = arena.matrix(batch, c.width());
  s.action = arena.matrix(batch, c.embedding);
  s.cont = arena.matrix(batch, c.cont());
  return s;
}

/// The map of ResNet-18 for each episode, or what the visual encoder makes of it.
struct Frames {
  /// channels: [512][7][7], as PyTorch keeps it; pixels: [7][7][512], as resnet.hpp gives it;
  /// encoded: [frame].
  enum class Form : std::uint8_t { channels, pixels, encoded };
  Form form = Form::channels;
  const float* data = nullptr;  ///< one after the other
  std::ptrdiff_t ld = 0;        ///< numbers from one episode to the next; 0: no gap

  constexpr int size(const Config& c) const noexcept {
    return form == Form::encoded ? c.frame : kChannels * kCells;
  }
};

/// What is not given is not written.
struct Output {
  float* logits = nullptr;         ///< [batch][actions]
  std::int32_t* action = nullptr;  ///< [batch] the most probable one
  float* monitors = nullptr;       ///< [batch][2]: subgoals done and progress, each 0 … 1
  float* visual = nullptr;         ///< [batch][frame]
};

/// For inputs that come from outside.
inline Status check(const Config& c, const Instruction& in) noexcept {
  constexpr int kMostWords = 1 << 20;
  if (in.longest < 1 || in.longest > 65536) return invalid("must be 1 to 65536", "longest");
  if (in.batch < 1 || in.batch > kMostWords / in.longest) {
    return invalid("must be at least 1, with at most 2^20 words in all", "batch");
  }
  if (in.words == nullptr) return invalid("are not given", "words");
  for (int b = 0; b < in.batch; ++b) {
    const int length = in.lengths ? in.lengths[b] : in.longest;
    if (length < 1 || length > in.longest)
      return invalid("each must be 1 to the longest", "lengths");
    const std::int32_t* const words = in.words + static_cast<std::ptrdiff_t>(b) * in.longest;
    if (!all_within(words, length, 0, c.words))
      return invalid("id outside the vocabulary", "words");
  }
  return {};
}

/// last_actions [count], or null.
inline Status check(const Config& c, const Frames& in, const std::int32_t* last_actions,
                    std::ptrdiff_t count, const Output& out) noexcept {
  if (in.data == nullptr) return invalid("are not given", "frames");
  if (in.form != Frames::Form::encoded && !c.vision) {
    return invalid("the model was stored without its visual encoder", "frames");
  }
  if (!all_within(last_actions, count, 0, c.actions)) {
    return invalid("id outside the actions", "actions");
  }
  if (out.monitors && !c.monitors) {
    return invalid("the model was trained without progress monitors", "monitors");
  }
  return {};
}

/// Whether mask() may be called.
inline Status check_masks(const Config& c) noexcept {
  if (c.masks) return {};
  return invalid("the model was stored without its mask decoder", "masks");
}

namespace detail {

/// encoded and context of the state, and the words to attend to.
template <class B>
void encode_words(B& be, const Config& c, const Weights& w, const Instruction& in,
                  const State& s) noexcept {
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const TimeSteps steps = time_steps(arena, in.batch, in.longest, in.lengths);
  std::int32_t* const ids = arena.take<std::int32_t>(static_cast<std::size_t>(steps.rows));
  if (ids != nullptr) gather_steps(steps, in.words, ids);
  const Matrix x = arena.matrix(steps.rows, c.embedding);
  const Matrix y = arena.matrix(steps.rows, c.width());
  embed_words(be, w.words, ids, x);
  lstm_layer(be, w.forward, steps, x, false, {}, y.cols_at(0, c.hidden));
  lstm_layer(be, w.backward, steps, x, true, {}, y.cols_at(c.hidden, c.hidden));
  for (int i = 0; i < in.batch; ++i) {  // a sequence at a time, while it is near
    const int b = steps.sequence_at(i);
    const Matrix encoded = s.encoded.rows_at(b * in.longest, in.longest);
    const PackedKeys packed = s.words.sequences_at(b, 1);
    spread_steps(be, steps, i, y, encoded);
    be.pack_keys(encoded, encoded, packed);
    // A softmax of scores over the words, and their mean so weighted: attention with one fixed query.
    be.attend({w.pool, 1, c.width()}, packed, 1.0f, s.context.rows_at(b, 1));
  }
}

/// y (batch, frame) = the visual encoder's view of the frames.
template <class B>
void encode_frames(B& be, const Config& c, const Weights& w, const Frames& in, int batch,
                   Matrix y) noexcept {
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const int size = in.size(c);
  const std::ptrdiff_t ld = in.ld != 0 ? in.ld : size;
  const auto frame = [&](int b) { return in.data ? in.data + b * ld : nullptr; };
  if (in.form == Frames::Form::encoded) {
    for (int b = 0; b < batch; ++b) be.copy({frame(b), 1, size}, y.rows_at(b, 1));
    return;
  }
  const Matrix pixels = arena.matrix(batch * kCells, kChannels);
  const Matrix narrow = arena.matrix(batch * kCells, kNarrow);
  const Matrix narrowest = arena.matrix(batch * kCells, kNarrowest);
  for (int b = 0; b < batch; ++b) {
    const Matrix to = pixels.rows_at(b * kCells, kCells);
    if (in.form == Frames::Form::pixels) {
      be.copy({frame(b), kCells, kChannels}, to);
    } else {
      be.transpose({frame(b), kChannels, kCells}, to);
    }
  }
  be.linear(w.conv1, pixels, narrow, Activation::relu);
  be.linear(w.conv2, narrow, narrowest, Activation::relu);
  be.linear(w.fc, {narrowest.data, batch, kFlat}, y);
}

}  // namespace detail

/// The beginning of the episode, with the instruction that the state holds.
template <class B>
void restart(B& be, const Weights& w, State& s) noexcept {
  s.steps = 0;
  be.copy(s.context, s.h);
  be.zero(s.c);
  for (int b = 0; b < s.batch; ++b) {
    be.copy({w.go, 1, s.action.cols}, s.action.rows_at(b, 1));
  }
}

/// Reads the instruction: encoded and context of the state, and restart. The state has its batch and
/// longest. Precondition: check is ok.
template <class B>
void begin(B& be, const Config& c, const Weights& w, const Instruction& in, State& s) noexcept {
  KINGLET_ASSERT(s.batch == in.batch && s.longest == in.longest);
  detail::encode_words(be, c, w, in, s);
  restart(be, w, s);
}

/// One step of every episode. last_actions [batch]: what was really done in the step before, in place
/// of what the model chose; null: as it chose. Precondition: check is ok.
template <class B>
void step(B& be, const Config& c, const Weights& w, State& s, const Frames& frames,
          const std::int32_t* last_actions, const Output& out) noexcept {
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const int batch = s.batch, d = c.width();
  const Table embeddings = table_of_panels(w.actions);
  if (last_actions) be.embed(embeddings, last_actions, s.action);

  // cont = [h, vis, lang, e], of which the cell reads all but h.
  const Matrix vis = s.cont.cols_at(d, c.frame), lang = s.cont.cols_at(d + c.frame, d);
  detail::encode_frames(be, c, w, frames, batch, vis);
  const Matrix query = arena.matrix(batch, d);
  be.linear(w.query, s.h, query);
  be.attend(query, s.words, 1.0f, lang);
  be.copy(s.action, s.cont.cols_at(d + c.frame + d, c.embedding));
  const Matrix h = s.cont.cols_at(0, d);
  be.lstm_step(w.cell, s.cont.cols_at(d, c.cell_in()), s.h, s.c, h, s.steps++ % 2 != 0);
  be.copy(h, s.h);

  const Matrix to_actions = arena.matrix(batch, c.embedding);
  const Matrix logits =
      out.logits ? Matrix{out.logits, batch, c.actions} : arena.matrix(batch, c.actions);
  std::int32_t* const chosen = arena.take<std::int32_t>(static_cast<std::size_t>(batch));
  be.linear(w.actor, s.cont, to_actions);
  be.linear(w.actions, to_actions, logits);
  for (int b = 0; chosen != nullptr && b < batch; ++b) {
    chosen[b] = largest(logits.row(b), c.actions);
    if (out.action) out.action[b] = chosen[b];
  }
  be.embed(embeddings, chosen, s.action);
  if (out.monitors) {
    const Matrix monitors{out.monitors, batch, 2};
    be.linear(w.monitors, s.cont, monitors, Activation::sigmoid);
  }
  if (out.visual) be.copy(vis, Matrix{out.visual, batch, c.frame});
}

/// Where the last step would act: logits [rows][mask_size][mask_size]; sigmoid(logit) > 0.5, that is
/// logit > 0, is the mask. cont: rows of State::cont. Precondition: check_masks is ok.
template <class B>
void mask(B& be, const Config& c, const Weights& w, ConstMatrix cont, float* logits) noexcept {
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const int size = c.mask_size, last = kMaskGrid * kMaskGrid;
  const Matrix flat = arena.matrix(cont.rows, kFlat);
  const Matrix by4 = arena.matrix(16 * kCells, w.up3.channels);
  const Matrix by16 = arena.matrix(256 * kCells, w.up2.channels);
  const Matrix by32 = arena.matrix(last, w.up1.channels);
  be.linear(w.mask_fc, cont, flat, Activation::relu);
  for (int r = 0; r < cont.rows; ++r) {
    const ConstMatrix pixels{flat.data ? flat.row(r) : nullptr, kCells, kNarrowest};
    be.conv_transpose(w.up3, pixels, kGrid, kGrid, by4, Activation::relu);
    be.conv_transpose(w.up2, by4, 4 * kGrid, 4 * kGrid, by16, Activation::relu);
    be.conv_transpose(w.up1, by16, 16 * kGrid, 16 * kGrid, by32);
    const Matrix to{logits ? logits + static_cast<std::ptrdiff_t>(r) * size * size : nullptr,
                    size * size, 1};
    be.resize_bilinear(by32, kMaskGrid, kMaskGrid, to, size, size);
  }
}

/// A whole episode of frames that are known, [batch][steps] of them.
struct Episode {
  Instruction instruction;
  int steps = 0;
  Frames frames;  ///< ld is ignored
  /// [batch][steps] what was done: step t + 1 gets the action of step t. Null: what the model chose.
  const std::int32_t* actions = nullptr;
};

/// All [batch][steps][…]; what is not given is not computed.
struct EpisodeOutput {
  float* logits = nullptr;
  std::int32_t* action = nullptr;
  float* monitors = nullptr;
  float* visual = nullptr;
  float* masks = nullptr;  ///< [mask_size][mask_size] each
};

/// For inputs that come from outside. Every action must be one, the last of an episode too.
inline Status check(const Config& c, const Episode& in, const EpisodeOutput& out) noexcept {
  const Status readable = check(c, in.instruction);
  if (!readable.ok()) return readable;
  constexpr int kMostSteps = 1 << 20;
  const int batch = in.instruction.batch;
  if (in.steps < 1 || in.steps > kMostSteps / batch) {
    return invalid("must be at least 1, with at most 2^20 steps in all", "steps");
  }
  Output step;
  step.monitors = out.monitors;
  const Status seen = check(c, in.frames, in.actions, std::ptrdiff_t{batch} * in.steps, step);
  return seen.ok() && out.masks != nullptr ? check_masks(c) : seen;
}

/// begin and `steps` steps. Precondition: check is ok.
template <class B>
void unroll(B& be, const Config& c, const Weights& w, const Episode& in, State& s,
            const EpisodeOutput& out) noexcept {
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const int batch = in.instruction.batch, steps = in.steps;
  begin(be, c, w, in.instruction, s);
  const auto rows = static_cast<std::size_t>(batch);
  std::int32_t* const last = arena.take<std::int32_t>(rows);
  std::int32_t* const action = arena.take<std::int32_t>(rows);
  const Matrix logits = arena.matrix(batch, c.actions), monitors = arena.matrix(batch, 2);
  const Matrix visual = arena.matrix(batch, c.frame);
  const std::ptrdiff_t frame = in.frames.size(c);
  // Row b of a step is row b·steps + t of the episode.
  const auto put = [&](Matrix from, float* to, int t) {
    for (int b = 0; to != nullptr && b < batch; ++b) {
      const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(b) * steps + t) * from.cols;
      be.copy(from.rows_at(b, 1), {to + at, 1, from.cols});
    }
  };
  for (int t = 0; t < steps; ++t) {
    Frames frames = in.frames;
    frames.data = frames.data ? frames.data + t * frame : nullptr;
    frames.ld = steps * frame;
    const bool forced = in.actions != nullptr && t > 0;
    for (int b = 0; forced && last != nullptr && b < batch; ++b) {
      last[b] = in.actions[static_cast<std::ptrdiff_t>(b) * steps + t - 1];
    }
    step(be, c, w, s, frames, forced ? last : nullptr,
         {logits.data, action, out.monitors ? monitors.data : nullptr,
          out.visual ? visual.data : nullptr});
    put(logits, out.logits, t);
    put(monitors, out.monitors, t);
    put(visual, out.visual, t);
    for (int b = 0; out.action != nullptr && action != nullptr && b < batch; ++b) {
      out.action[static_cast<std::ptrdiff_t>(b) * steps + t] = action[b];
    }
    for (int b = 0; out.masks != nullptr && b < batch; ++b) {
      const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(c.mask_size) * c.mask_size;
      mask(be, c, w, s.cont.rows_at(b, 1),
           out.masks + (static_cast<std::ptrdiff_t>(b) * steps + t) * size);
    }
  }
}

}  // namespace kinglet::seq2seq
