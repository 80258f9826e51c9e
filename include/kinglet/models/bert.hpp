#pragma once
// The forward pass of BERT and its relatives.
//
//   ids → words + positions (+ types) → LN → [e → h, ALBERT] → layers → heads
//
// Padded batches are packed: a masked position is no key, so leaving it out changes nothing. The
// last layer computes only the rows that the wanted heads read.

#include <cmath>
#include <cstdint>
#include <kinglet/backend/ops.hpp>
#include <kinglet/blocks/encoder_layer.hpp>
#include <kinglet/blocks/packing.hpp>
#include <kinglet/core/span.hpp>
#include <kinglet/core/status.hpp>
#include <kinglet/models/bert_weights.hpp>
#include <kinglet/models/check.hpp>

namespace kinglet::bert {

/// Row-major, one row a sequence.
struct Input {
  unsigned wanted = 0;  ///< of Wanted
  int batch = 1;
  int seq = 0;
  const std::int32_t* ids = nullptr;  ///< [batch][seq]
  /// [batch][seq], 0 = masked; null: the first `live` positions are live, 0 for all.
  const std::uint8_t* mask = nullptr;
  int live = 0;
  const std::int32_t* types = nullptr;  ///< [batch][seq]; null: all 0
  const std::int32_t* positions =
      nullptr;  ///< [batch][seq] rows of the table; null: as the model numbers them
  /// [batch][lm_each] where kMaskedLm predicts words; null with lm_each 0: everywhere.
  const std::int32_t* lm_positions = nullptr;
  int lm_each = 0;
};

/// Where results go; only what is wanted need be given. At masked positions, [batch][seq] outputs are zero unless the
/// row was computed for somebody; with a trace all are.
struct Output {
  float* last_hidden = nullptr;     ///< [batch][seq][hidden]
  float* pooled = nullptr;          ///< [batch][hidden]
  float* classes = nullptr;         ///< [batch][labels]
  float* masked_lm = nullptr;       ///< [batch][seq or lm_each][lm_words]
  float* next_sentence = nullptr;   ///< [batch][2]: follows, does not
  float* sentence_order = nullptr;  ///< [batch][2]: in order, swapped
  float* answer_start = nullptr;    ///< [batch][seq]
  float* answer_end = nullptr;      ///< [batch][seq]
  float* embedding = nullptr;       ///< [batch][hidden]
};

/// Optional look inside: every row is then computed, masked ones too.
struct Trace {
  enum class Stage : std::uint8_t { embeddings, hidden, attention };
  /// embeddings: what the input norm gives, where ALBERT's mapping follows. hidden i: before layer i; i = layers: at the end.
  /// attention i: of layer i, one head, (rows, keys): column j is the j-th live row of the sequence.
  void (*seen)(void* context, Stage stage, int index, int head, ConstMatrix rows,
               const Packing& packing) = nullptr;
  void* context = nullptr;
  bool attention = false;  ///< costs each layer's q, k, v and attention once more
};

/// For inputs that come from outside: every id and position in its range; a live position in every sequence, without
/// which its results were NaN.
inline Status check(const Config& c, const Input& in) noexcept {
  constexpr int kMostPositions = 1 << 22;
  if (in.wanted == 0 || (in.wanted & ~heads_of(c)) != 0) {
    return invalid("nothing, or something that the model does not have", "wanted");
  }
  if (in.seq < 1 || in.seq > 65536) return invalid("must be 1 to 65536", "seq");
  if (in.batch < 1 || in.batch > kMostPositions / in.seq) {
    return invalid("must be at least 1, with at most 2^22 positions in all", "batch");
  }
  const auto within = [&](const std::int32_t* numbers, int each, int end) {
    return all_within(numbers, static_cast<std::ptrdiff_t>(in.batch) * each, 0, end);
  };
  if (in.ids == nullptr) return invalid("is not given", "ids");
  if (!within(in.ids, in.seq, c.vocab)) return invalid("id outside the vocabulary", "ids");
  if (!within(in.types, in.seq, c.types > 0 ? c.types : 1)) {
    return invalid("no such token type", "types");
  }
  if (!within(in.positions, in.seq, c.position_rows)) {
    return invalid("outside the position table", "positions");
  }
  if (in.lm_each < 0 || in.lm_each > in.seq || (in.lm_positions != nullptr) != (in.lm_each > 0)) {
    return invalid("must be 1 to the length of a sequence, 0 without positions", "lm_each");
  }
  if (!within(in.lm_positions, in.lm_each, in.seq)) {
    return invalid("outside the sequence", "lm_positions");
  }
  if (in.live < 0 || in.live > in.seq) return invalid("more than there are positions", "live");
  for (int b = 0; b < in.batch; ++b) {
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(b) * in.seq;
    int live = in.mask == nullptr ? 1 : 0, counted = 0;
    for (int p = 0; p < in.seq; ++p) {
      if (in.mask != nullptr && in.mask[first + p] != 0) ++live;
      if (!c.positions_from_ids || in.ids[first + p] != c.padding_id) ++counted;
    }
    if (live == 0) return invalid("every position of a sequence is masked", "mask");
    if (in.positions == nullptr && counted > longest_sequence(c)) {
      return invalid("the sequence is longer than the model's positions", "seq");
    }
  }
  return {};
}

namespace detail {

/// What forward hands on to who looks.
struct Look {
  const Trace* trace;

  void operator()(Trace::Stage stage, int index, ConstMatrix rows, const Packing& packing,
                  int head = 0) const noexcept {
    if (trace && trace->seen && rows.data)
      trace->seen(trace->context, stage, index, head, rows, packing);
  }
};

inline float attention_scale(const Config& c) noexcept {
  return 1.0f / std::sqrt(static_cast<float>(c.hidden / c.heads));
}

/// The position row of every place of one sequence.
inline void number_positions(const Config& c, const Input& in, int sequence,
                             std::int32_t* numbers) noexcept {
  const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(sequence) * in.seq;
  int counted = 0;
  for (int p = 0; p < in.seq; ++p) {
    if (in.positions != nullptr) {
      numbers[p] = in.positions[first + p];
    } else if (!c.positions_from_ids) {
      numbers[p] = p;
    } else {
      const bool padding = in.ids[first + p] == c.padding_id;
      counted += padding ? 0 : 1;
      numbers[p] = c.padding_id + (padding ? 0 : counted);
    }
  }
}

/// x (rows, hidden): what enters the first layer.
template <class B>
void embed(B& be, const Config& c, const Weights& w, const Input& in, const Packing& rows,
           const Activations& x, const Look& look) noexcept {
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const auto n = static_cast<std::size_t>(rows.rows);
  std::int32_t* ids = arena.take<std::int32_t>(n);
  std::int32_t* types = c.types > 0 ? arena.take<std::int32_t>(n) : nullptr;
  std::int32_t* positions = arena.take<std::int32_t>(n);
  std::int32_t* numbers = arena.take<std::int32_t>(static_cast<std::size_t>(in.seq));
  const Matrix tokens = c.mapped_embeddings ? arena.matrix(rows.rows, c.embedding) : x.x;
  for (int b = 0; tokens.data != nullptr && b < rows.batch; ++b) {
    number_positions(c, in, b, numbers);
    for (int r = rows.start[b]; r < rows.start[b] + rows.length[b]; ++r) {
      const int p = rows.position[r];
      const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(b) * in.seq + p;
      ids[r] = in.ids[at];
      positions[r] = numbers[p];
      if (types != nullptr) types[r] = in.types != nullptr ? in.types[at] : 0;
    }
  }
  embed_words(be, w.words, ids, tokens);
  if (c.types > 0) be.embed(w.types, types, tokens, true);
  be.embed(w.positions, positions, tokens, true);
  const Linear& first = w.layers[c.stored_of[0]].qkv;
  if (c.mapped_embeddings) {
    be.layer_norm(w.input_norm, tokens, tokens);
    look(Trace::Stage::embeddings, 0, tokens, rows);
    be.linear(w.embedding_to_hidden, tokens, x.x);
    be.quantize(x.read_by(first));
  } else {
    be.layer_norm(w.input_norm, tokens, x.read_by(first));
  }
}

/// The probabilities of each head, for who looks: as encoder_layer computes them.
template <class B>
void show_attention(B& be, const Config& c, const EncoderLayer& w, const Packing& rows,
                    const Activations& x, int layer, const Look& look) noexcept {
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const int h = c.hidden, part = padded(h), d = h / c.heads;
  const Matrix qkv = arena.matrix(rows.rows, 3 * part).cols_at(0, 2 * part + h);
  const Matrix context = arena.matrix(rows.rows, d);
  Probs probs{arena.matrix(rows.rows, rows.longest_live)};
  be.linear(w.qkv, x.read_by(w.qkv), qkv);
  for (int head = 0; head < c.heads; ++head) {
    const int first = head * d;
    be.attention(qkv.cols_at(first, d), qkv.cols_at(part + first, d),
                 qkv.cols_at(2 * part + first, d), rows.queries(), rows.keys(), 1,
                 attention_scale(c), context, &probs);
    look(Trace::Stage::attention, layer, probs.sum, rows, head);
  }
}

/// Layer `layer` of the run, for every row.
template <class B>
void run_layer(B& be, const Config& c, const Weights& w, const Packing& rows, const Activations& x,
               int layer, const Look& look) noexcept {
  const EncoderLayer& weights = w.layers[c.stored_of[layer]];
  look(Trace::Stage::hidden, layer, x.x, rows);
  if (look.trace && look.trace->attention) show_attention(be, c, weights, rows, x, layer, look);
  const Linear next = layer + 1 < c.layers ? w.layers[c.stored_of[layer + 1]].qkv : Linear{};
  encoder_layer(be, weights, c.heads, attention_scale(c), c.activation, rows, x, next);
}

/// f(first row, rows, first place among batch·seq) for packed rows that stay together.
template <class F>
void for_each_run(const Packing& rows, F f) noexcept {
  const Ragged runs = rows.queries();
  for (int b = 0; b < rows.batch; ++b) {
    const int length = runs.length_of(b);
    for (int first = 0; first < length;) {
      const int p = rows.position_of(b, first);
      int last = first + 1;
      while (last < length && rows.position_of(b, last) == p + last - first) ++last;
      f(runs.start_of(b) + first, last - first, b * rows.seq + p);
      first = last;
    }
  }
}

/// y [batch·seq][n] where rows were left out: zeros.
template <class B>
void zero_left_out(B& be, const Packing& rows, Matrix y) noexcept {
  for (int b = 0; b < rows.batch; ++b) {
    if (rows.queries().length_of(b) < rows.seq) be.zero(y.rows_at(b * rows.seq, rows.seq));
  }
}

/// What forward knows when the layers are done.
struct Top {
  ConstMatrix x;                ///< the last layer's output: all packed rows, or those read
  const std::int32_t* first;    ///< [batch] row of token 0
  const std::int32_t* lm_rows;  ///< [batch·lm_each]
};

/// The heads that read token 0.
template <class B>
void first_token_heads(B& be, const Config& c, const Weights& w, const Input& in, const Top& top,
                       const Output& out) noexcept {
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const int batch = in.batch, h = c.hidden;
  const auto wants = [&](unsigned head) { return (in.wanted & head) != 0; };
  const Matrix first = arena.matrix(batch, h);
  be.embed(table_of_rows(top.x), top.first, first);
  const bool classes_pooled = wants(kClasses) && !c.classes_from_token;
  Matrix pooled{out.pooled, batch, h};
  if (wants(kPooled | kNextSentence | kSentenceOrder) || classes_pooled) {
    if (!wants(kPooled)) pooled = arena.matrix(batch, h);
    be.linear(w.pooler, first, pooled, Activation::tanh);
  }
  if (wants(kNextSentence)) be.linear(w.next_sentence, pooled, {out.next_sentence, batch, 2});
  if (wants(kSentenceOrder)) be.linear(w.sentence_order, pooled, {out.sentence_order, batch, 2});
  if (!wants(kClasses)) return;
  const Matrix classes{out.classes, batch, c.labels};
  if (classes_pooled) return be.linear(w.classes, pooled, classes);
  const Matrix inner = arena.matrix(batch, h);
  be.linear(w.class_in, first, inner, c.class_activation);
  be.linear(w.classes, inner, classes);
}

template <class B>
void masked_lm_head(B& be, const Config& c, const Weights& w, const Input& in, const Packing& rows,
                    const Top& top, float* logits) noexcept {
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const bool chosen = in.lm_each > 0;
  ConstMatrix x = top.x;
  if (chosen) {
    const Matrix gathered = arena.matrix(in.batch * in.lm_each, c.hidden);
    be.embed(table_of_rows(top.x), top.lm_rows, gathered);
    x = gathered;
  }
  const Matrix t = arena.matrix(x.rows, c.embedding);
  be.linear(w.lm_in, x, t, c.lm_activation);
  be.layer_norm(w.lm_norm, t, t);
  const Matrix y{logits, chosen ? x.rows : in.batch * in.seq, c.lm_words};
  if (chosen) return be.linear(w.lm_decoder, t, y);
  zero_left_out(be, rows, y);
  for_each_run(rows, [&](int row, int count, int place) {
    be.linear(w.lm_decoder, t.rows_at(row, count), y.rows_at(place, count));
  });
}

template <class B>
void answer_head(B& be, const Weights& w, const Packing& rows, const Top& top,
                 const Output& out) noexcept {
  ArenaScope scope(be.arena());
  const Matrix spans = be.arena().matrix(rows.rows, 2);
  be.linear(w.answer, top.x, spans);
  const Matrix start{out.answer_start, rows.batch * rows.seq, 1};
  const Matrix end{out.answer_end, rows.batch * rows.seq, 1};
  zero_left_out(be, rows, start);
  zero_left_out(be, rows, end);
  for_each_run(rows, [&](int row, int count, int place) {
    be.copy(spans.rows_at(row, count).cols_at(0, 1), start.rows_at(place, count));
    be.copy(spans.rows_at(row, count).cols_at(1, 1), end.rows_at(place, count));
  });
}

/// Σ of the live rows, scaled to unit length: the mean, scaled, is the same.
template <class B>
void embedding_head(B& be, const Packing& rows, const Top& top, Matrix y) noexcept {
  be.zero(y);
  const Ragged live = rows.keys();
  for (int b = 0; b < rows.batch; ++b) {
    for (int r = live.start_of(b); r < live.start_of(b) + live.length_of(b); ++r) {
      be.add(top.x.rows_at(r, 1), y.rows_at(b, 1));
    }
  }
  be.unit_length(y, y);
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
  const Look look{trace};
  const auto wants = [&](unsigned heads) { return (in.wanted & heads) != 0; };
  const bool first = wants(kPooled | kNextSentence | kSentenceOrder) || wants(kClasses);
  const int lm_each = wants(kMaskedLm) ? in.lm_each : 0;
  const bool every_row = trace != nullptr;
  const bool every_live =
      every_row || wants(kLastHidden | kAnswer | kEmbedding) || (wants(kMaskedLm) && lm_each == 0);

  // What the heads read of each sequence: positions first, then rows.
  const int each = (first ? 1 : 0) + lm_each;
  const std::size_t read_count =
      static_cast<std::size_t>(in.batch) * static_cast<std::size_t>(each);
  std::int32_t* read = arena.take<std::int32_t>(read_count);
  for (std::size_t i = 0; read != nullptr && i < read_count; ++i) {
    const int b = static_cast<int>(i) / each, j = static_cast<int>(i) % each - (first ? 1 : 0);
    read[i] = j < 0 ? 0 : in.lm_positions[b * lm_each + j];
  }
  const Packing rows = pack(arena, in.batch, in.seq, in.mask, in.live > 0 ? in.live : in.seq,
                            {read, read ? read_count : 0}, every_row);
  for (std::size_t i = 0; read != nullptr && i < read_count; ++i) {
    read[i] = rows.row_of(static_cast<int>(i) / each, read[i]);
  }

  const Activations x =
      take_activations(arena, rows.rows, c.hidden, reads_int8(w.layers, c.stored_layers));
  embed(be, c, w, in, rows, x, look);
  const int last = c.layers - 1;
  for (int l = 0; l < last; ++l) run_layer(be, c, w, rows, x, l, look);
  Top top{};
  if (every_live) {
    run_layer(be, c, w, rows, x, last, look);
    look(Trace::Stage::hidden, c.layers, x.x, rows);
    top.x = x.x;
  } else {
    const Matrix y = arena.matrix(in.batch * each, c.hidden);
    encoder_layer_reading(be, w.layers[c.stored_of[last]], c.heads, attention_scale(c),
                          c.activation, rows, x, {in.batch, each}, read, y, nullptr);
    top.x = y;
  }

  // Row numbers in top.x.
  std::int32_t* first_rows = arena.take<std::int32_t>(static_cast<std::size_t>(in.batch));
  std::int32_t* lm_rows = arena.take<std::int32_t>(read_count);
  for (std::size_t i = 0; lm_rows != nullptr && i < read_count; ++i) {
    const int b = static_cast<int>(i) / each, j = static_cast<int>(i) % each - (first ? 1 : 0);
    const std::int32_t row = every_live ? read[i] : static_cast<std::int32_t>(i);
    (j < 0 ? first_rows[b] : lm_rows[b * lm_each + j]) = row;
  }
  top.first = first_rows;
  top.lm_rows = lm_rows;

  if (first) first_token_heads(be, c, w, in, top, out);
  if (wants(kMaskedLm)) masked_lm_head(be, c, w, in, rows, top, out.masked_lm);
  if (wants(kAnswer)) answer_head(be, w, rows, top, out);
  if (wants(kEmbedding)) embedding_head(be, rows, top, {out.embedding, in.batch, c.hidden});
  if (wants(kLastHidden)) {
    const Matrix y{out.last_hidden, in.batch * in.seq, c.hidden};
    zero_left_out(be, rows, y);
    for_each_run(rows, [&](int row, int count, int place) {
      be.copy(top.x.rows_at(row, count), y.rows_at(place, count));
    });
  }
}

}  // namespace kinglet::bert
