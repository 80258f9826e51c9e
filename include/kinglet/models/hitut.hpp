#pragma once
// HiTUT's forward pass.
//
//   position   0      1 … V            V+1 … V+L      V+L+1 … S−1
//   token      [CLS]  vision slots     words          history: (type, argument) pairs
//
//   tokens → (+ position) → LN → [e → h, ALBERT] → layers → heads at the [CLS], type and argument positions

#include <cmath>
#include <cstdint>
#include <kinglet/backend/ops.hpp>
#include <kinglet/blocks/encoder_layer.hpp>
#include <kinglet/blocks/packing.hpp>
#include <kinglet/core/span.hpp>
#include <kinglet/core/status.hpp>
#include <kinglet/models/check.hpp>
#include <kinglet/models/hitut_weights.hpp>

namespace kinglet::hitut {

/// Prepared tensors, as the published batches hold them; row-major, one row a sequence.
struct Input {
  Task task = Task::high;
  int batch = 1;
  const std::int32_t* words = nullptr;    ///< [batch][L]
  const std::int32_t* vision = nullptr;   ///< [batch][V] ids of actions; null: not given, tokens 0
  const float* features = nullptr;        ///< [batch][V][7]
  const std::int32_t* history = nullptr;  ///< [batch][A] ids of actions
  /// [batch][S], 0 = masked; null: the first `live` positions are live, 0 for all.
  const std::uint8_t* mask = nullptr;
  int live = 0;
  /// [batch] positions that the heads read; type −1 means S − 1, as in the published code.
  const std::int32_t* type_position = nullptr;
  const std::int32_t* arg_position = nullptr;
  /// [batch] posture: 0..3 and 0..11; null: not given.
  const std::int32_t* rotation = nullptr;
  const std::int32_t* horizon = nullptr;
  /// [batch][A/2 − 1][10] what was seen at past steps, ids of actions, and [..][10][7]; null: not given.
  const std::int32_t* past = nullptr;
  const float* past_features = nullptr;
};

/// Where the logits go. Null pointers are allowed only while counting.
struct Output {
  float* type_logits = nullptr;  ///< [batch][type_count(task)]
  float* arg_logits = nullptr;   ///< [batch][object_count]
  /// [batch][V], low tasks: attention of the last layer to each slot, summed over heads.
  float* mask_logits = nullptr;
  /// [batch][3], low_navi with monitors: visible and reached (yes above 0.5, unsquashed), progress
  /// (through a sigmoid).
  float* monitor_logits = nullptr;
};

/// Optional look inside: every row is then computed, masked ones too.
struct Trace {
  enum class Stage : std::uint8_t { input_embeds, hidden, attention };
  /// input_embeds: what the published code hands to its encoder. hidden i: after the input norm (0), ALBERT's mapping, each layer.
  /// attention: last layer, (rows, keys), summed over heads; column j is the j-th live row of the sequence.
  void (*seen)(void* context, Stage stage, int index, ConstMatrix rows,
               const Packing& packing) = nullptr;
  void* context = nullptr;
};

/// For inputs that come from outside: every id, position and number in its range; [CLS] live, so that each sequence has
/// a key.
inline Status check(const Config& c, const Input& in) noexcept {
  constexpr int kMostPositions = 1 << 22;
  if (in.batch < 1 || in.batch > kMostPositions / c.seq) {
    return invalid("must be at least 1, with at most 2^22 positions in all", "batch");
  }
  const auto within = [&](const std::int32_t* numbers, int each, int least, int end) {
    return all_within(numbers, static_cast<std::ptrdiff_t>(in.batch) * each, least, end);
  };
  if (in.words == nullptr || in.history == nullptr || in.type_position == nullptr ||
      in.arg_position == nullptr || (in.vision == nullptr) != (in.features == nullptr) ||
      (in.past == nullptr) != (in.past_features == nullptr) ||
      (in.rotation == nullptr) != (in.horizon == nullptr)) {
    return invalid("a tensor that the model needs is not given", "input");
  }
  if (in.live < 0 || in.live > c.seq) return invalid("more than there are positions", "live");
  if (!within(in.words, c.language, 0, c.vocab))
    return invalid("id outside the vocabulary", "words");
  if (!within(in.vision, c.vision, 0, c.actions))
    return invalid("id outside the actions", "vision");
  if (!within(in.history, c.history, 0, c.actions))
    return invalid("id outside the actions", "history");
  if (!within(in.past, past_steps(c) * kPastSlots, 0, c.actions))
    return invalid("id outside the actions", "past");
  if (!within(in.rotation, 1, 0, kRotations)) return invalid("not in 0..3", "rotation");
  if (!within(in.horizon, 1, 0, kHorizons)) return invalid("not in 0..11", "horizon");
  if (!within(in.type_position, 1, -1, c.seq))
    return invalid("outside the sequence", "type_position");
  if (!within(in.arg_position, 1, 0, c.seq)) return invalid("outside the sequence", "arg_position");
  for (int b = 0; in.mask != nullptr && b < in.batch; ++b) {
    if (in.mask[static_cast<std::ptrdiff_t>(b) * c.seq] == 0)
      return invalid("[CLS] is masked", "mask");
  }
  return {};
}

namespace detail {

enum class Kind : std::uint8_t { cls, vision, word, history };

constexpr Kind kind_of(const Config& c, int position) noexcept {
  if (position == 0) return Kind::cls;
  if (position <= c.vision) return Kind::vision;
  return position <= c.vision + c.language ? Kind::word : Kind::history;
}
constexpr int first_of(const Config& c, Kind kind) noexcept {
  switch (kind) {
    case Kind::cls: return 0;
    case Kind::vision: return 1;
    case Kind::word: return 1 + c.vision;
    case Kind::history: return 1 + c.vision + c.language;
  }
  return 0;
}

/// LN(x·W + b): what every kind of token passes in the scratch encoder.
template <class B>
void project(B& be, const Linear& linear, const Norm& norm, ConstMatrix x, Matrix y) noexcept {
  be.linear(linear, x, y);
  be.layer_norm(norm, y, y);
}

/// Tokens of consecutive rows of one kind. ids: what each row gathers; slots: its row in in.features.
template <class B>
void embed_kind(B& be, const Config& c, const Weights& w, const Input& in, Kind kind,
                const std::int32_t* ids, const std::int32_t* slots, Matrix tokens) noexcept {
  ArenaScope scope(be.arena());
  const int e = c.embedding;
  const Table features = table_of_rows({in.features, in.batch * c.vision, kFeatures});
  const auto gather = [&](Matrix y) {
    kind == Kind::word ? embed_words(be, w.words, ids, y) : be.embed(w.actions, ids, y);
  };
  if (kind == Kind::cls || (kind == Kind::vision && in.vision == nullptr && ids != nullptr)) {
    be.zero(tokens);
  } else if (kind == Kind::vision && c.projected_inputs) {
    const Matrix joined = be.arena().matrix(tokens.rows, e + kFeatures);
    gather(joined.cols_at(0, e));
    be.embed(features, slots, joined.cols_at(e, kFeatures));
    project(be, w.vision_in, w.vision_norm, joined, tokens);
  } else if (kind == Kind::vision) {
    const Matrix seen = be.arena().matrix(tokens.rows, kFeatures);
    be.embed(features, slots, seen);
    gather(tokens);
    be.linear(w.vision_in, seen, tokens, Activation::none, tokens);
  } else if (c.projected_inputs) {
    const Matrix gathered = be.arena().matrix(tokens.rows, e);
    gather(gathered);
    const bool word = kind == Kind::word;
    project(be, word ? w.word_in : w.action_in, word ? w.word_norm : w.action_norm, gathered,
            tokens);
  } else {
    gather(tokens);
  }
}

/// History vision (scratch encoder): what was seen at past step t replaces history token 2(t + 1).
template <class B>
void embed_past(B& be, const Config& c, const Weights& w, const Input& in, int sequence,
                const Packing& rows, Matrix tokens) noexcept {
  ArenaScope scope(be.arena());
  const int steps = past_steps(c), e = c.embedding;
  if (steps < 1) return;
  const Matrix seen = be.arena().matrix(steps, e + kFeatures);
  const Matrix projected = be.arena().matrix(steps, tokens.cols);
  std::int32_t* ids = be.arena().template take<std::int32_t>(static_cast<std::size_t>(steps));
  const std::ptrdiff_t base = static_cast<std::ptrdiff_t>(sequence) * steps * kPastSlots;
  for (int slot = 0; slot < kPastSlots; ++slot) {
    const ConstMatrix x{in.past_features ? in.past_features + (base + slot) * kFeatures : nullptr,
                        steps, kFeatures, kPastSlots * kFeatures};
    for (int t = 0; ids != nullptr && t < steps; ++t)
      ids[t] = in.past[base + t * kPastSlots + slot];
    be.embed(w.actions, ids, seen.cols_at(0, e), slot > 0);
    if (slot == 0) {
      be.copy(x, seen.cols_at(e, kFeatures));
    } else {
      be.add(x, seen.cols_at(e, kFeatures));
    }
  }
  project(be, w.past_in, w.past_norm, seen, projected);
  for (int t = 0; t < steps; ++t) {
    const int row = rows.row_of(sequence, first_of(c, Kind::history) + 2 * (t + 1));
    if (row >= 0) be.copy(projected.rows_at(t, 1), tokens.rows_at(row, 1));
  }
}

/// tokens (rows, token width): what the encoder gets before positions are added.
template <class B>
void embed_inputs(B& be, const Config& c, const Weights& w, const Input& in, const Packing& rows,
                  Matrix tokens) noexcept {
  ArenaScope scope(be.arena());
  std::int32_t* ids = be.arena().template take<std::int32_t>(static_cast<std::size_t>(rows.rows));
  std::int32_t* slots = be.arena().template take<std::int32_t>(static_cast<std::size_t>(rows.rows));
  const Ragged runs = rows.queries();
  for (int b = 0; b < rows.batch; ++b) {
    const int start = runs.start_of(b), length = runs.length_of(b);
    for (int first = 0; first < length;) {
      const Kind kind = kind_of(c, rows.position_of(b, first));
      int last = first;
      for (; last < length && kind_of(c, rows.position_of(b, last)) == kind; ++last) {
        if (ids == nullptr) continue;
        const int slot = rows.position_of(b, last) - first_of(c, kind);
        std::int32_t& id = ids[start + last];
        slots[start + last] = b * c.vision + slot;
        switch (kind) {
          case Kind::cls: id = 0; break;
          case Kind::vision: id = in.vision ? in.vision[b * c.vision + slot] : 0; break;
          case Kind::word: id = in.words[b * c.language + slot]; break;
          case Kind::history: id = in.history[b * c.history + slot]; break;
        }
      }
      const int at = start + first;
      embed_kind(be, c, w, in, kind, ids ? ids + at : nullptr, slots ? slots + at : nullptr,
                 tokens.rows_at(at, last - first));
      first = last;
    }
    const bool counting = ids == nullptr;
    if (c.posture && in.task == Task::low_navi && (in.rotation != nullptr || counting)) {
      const Matrix cls = tokens.rows_at(start, 1);
      be.embed(w.rotation, counting ? nullptr : in.rotation + b, cls);
      be.embed(w.horizon, counting ? nullptr : in.horizon + b, cls, true);
      be.layer_norm(w.posture_norm, cls, cls);
    }
    if (c.past_vision && in.task == Task::low_navi && (in.past != nullptr || counting)) {
      embed_past(be, c, w, in, b, rows, tokens);
    }
  }
}

/// Rows of x that the heads read, in order: navigation reads [CLS] for its monitors, then type and argument.
struct Reads {
  int each;       ///< rows read a sequence
  int type, arg;  ///< which of them
};

constexpr Reads reads_of(const Config& c, Task task) noexcept {
  if (task != Task::low_navi) return {2, 0, 1};
  return c.navigation_reads_cls ? Reads{1, 0, 0} : Reads{3, 1, 2};
}

/// logits = (x·P + p)·Eᵀ, without P where the widths agree.
template <class B>
void candidates(B& be, const Linear& projection, const Linear& embeddings, ConstMatrix x,
                Matrix logits) noexcept {
  if (!projection) return be.linear(embeddings, x, logits);
  ArenaScope scope(be.arena());
  const Matrix projected = be.arena().matrix(x.rows, projection.n);
  be.linear(projection, x, projected);
  be.linear(embeddings, projected, logits);
}

}  // namespace detail

/// Scratch: what Count says. Precondition: check(c, in) is ok.
/// numerics  the same bits for any thread count, for a row alone or in a batch, with or without trace
template <class B>
void forward(B& be, const Config& c, const Weights& w, const Input& in, const Output& out,
             const Trace* trace = nullptr) noexcept {
  using namespace detail;
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const auto seen = [&](Trace::Stage stage, int index, ConstMatrix rows, const Packing& packing) {
    if (trace && trace->seen && rows.data) trace->seen(trace->context, stage, index, rows, packing);
  };
  const bool every_row = trace != nullptr;
  const int batch = in.batch, h = c.hidden;
  const Reads reads = reads_of(c, in.task);
  const std::size_t read_count =
      static_cast<std::size_t>(batch) * static_cast<std::size_t>(reads.each);

  std::int32_t* read = arena.take<std::int32_t>(read_count);  // positions first, then rows
  for (int b = 0; read != nullptr && b < batch; ++b) {
    std::int32_t* mine = read + static_cast<std::ptrdiff_t>(b) * reads.each;
    mine[0] = 0;
    if (reads.each > 1) {
      mine[reads.type] = in.type_position[b] < 0 ? c.seq - 1 : in.type_position[b];
      mine[reads.arg] = in.arg_position[b];
    }
  }
  const Packing rows = pack(arena, batch, c.seq, in.mask, in.live > 0 ? in.live : c.seq,
                            {read, read ? read_count : 0}, every_row);
  for (std::size_t i = 0; read != nullptr && i < read_count; ++i) {
    read[i] = rows.row_of(static_cast<int>(i) / reads.each, read[i]);
  }

  const Activations x = take_activations(arena, rows.rows, h, reads_int8(w.layers, c.layers));
  {
    ArenaScope inputs(arena);
    const int token = c.projected_inputs ? h : c.embedding;
    const Matrix tokens = c.mapped_embeddings ? arena.matrix(rows.rows, token) : x.x;
    embed_inputs(be, c, w, in, rows, tokens);
    // The published scratch encoder is handed tokens with positions, the others add them inside.
    if (!c.projected_inputs) seen(Trace::Stage::input_embeds, 0, tokens, rows);
    be.embed(w.positions, rows.position, tokens, true);
    if (c.projected_inputs) seen(Trace::Stage::input_embeds, 0, tokens, rows);
    if (c.mapped_embeddings) {
      be.layer_norm(w.input_norm, tokens, tokens);
      be.linear(w.embedding_to_hidden, tokens, x.x);
      be.quantize(x.read_by(w.layers[0].qkv));
    } else {
      be.layer_norm(w.input_norm, tokens, x.read_by(w.layers[0].qkv));
    }
    seen(Trace::Stage::hidden, 0, tokens, rows);
  }
  int stage = 0;
  if (c.mapped_embeddings) seen(Trace::Stage::hidden, ++stage, x.x, rows);

  const float scale = 1.0f / std::sqrt(static_cast<float>(h / c.heads));
  for (int l = 0; l + 1 < c.layers; ++l) {
    encoder_layer(be, w.layers[l], c.heads, scale, c.activation, rows, x, w.layers[l + 1].qkv);
    seen(Trace::Stage::hidden, ++stage, x.x, rows);
  }

  // The last layer: only the rows that are read, unless somebody looks.
  const EncoderLayer& last = w.layers[c.layers - 1];
  const Matrix top = arena.matrix(batch * reads.each, h);
  Probs probs;
  Probs* wanted = has_mask(in.task) || every_row ? &probs : nullptr;
  if (every_row) {
    probs.sum = arena.matrix(rows.rows, rows.longest_live);
    encoder_layer(be, last, c.heads, scale, c.activation, rows, x, {}, wanted);
    seen(Trace::Stage::hidden, ++stage, x.x, rows);
    seen(Trace::Stage::attention, 0, probs.sum, rows);
    be.embed(table_of_rows(x.x), read, top);
  } else {
    if (wanted) probs.sum = arena.matrix(top.rows, rows.longest_live);
    encoder_layer_reading(be, last, c.heads, scale, c.activation, rows, x, {batch, reads.each},
                          read, top, wanted);
  }

  const auto rows_read = [&](int which) {
    return ConstMatrix{top.data ? top.row(which) : nullptr, batch, h, reads.each * h};
  };
  const bool high = in.task == Task::high;
  candidates(be, high ? w.high_proj : w.low_proj, high ? w.high_candidates : w.low_candidates,
             rows_read(reads.type), {out.type_logits, batch, type_count(c, in.task)});
  candidates(be, w.arg_proj, w.object_candidates, rows_read(reads.arg),
             {out.arg_logits, batch, c.object_count});
  if (has_monitors(c, in.task)) be.linear(w.monitors, rows_read(0), {out.monitor_logits, batch, 3});

  if (!has_mask(in.task) || probs.sum.data == nullptr) return;
  for (int b = 0; b < batch; ++b) {
    const int i = b * reads.each + reads.arg;
    const float* p = probs.sum.row(every_row ? read[i] : i);
    float* logits = out.mask_logits + static_cast<std::ptrdiff_t>(b) * c.vision;
    for (int v = 0; v < c.vision; ++v) logits[v] = 0;
    for (int j = 0; j < rows.live[b]; ++j) {
      const int slot = rows.position_of(b, j) - 1;
      if (slot >= 0 && slot < c.vision) logits[slot] = p[j];
    }
  }
}

}  // namespace kinglet::hitut
