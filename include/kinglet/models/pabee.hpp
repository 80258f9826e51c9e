#pragma once
// PABEE: BERT or ALBERT with a classifier after every layer, which stops when enough layers in a row
// agreed (Zhou et al. 2020, "BERT Loses Patience: Fast and Robust Inference with Early Exit").
//
//   layer i → pooled = tanh(pooler(token 0)) → logits_i = exit_i(pooled)
//   agree     classes: the same class as after layer i − 1; one number: |logit_i − logit_i−1| < threshold
//   counter   + 1 if they agree, else 0; the result is logits_i when it reaches the patience
//
// Mode batch, as published: one counter, for which all sequences have to agree. Mode row: every
// sequence has its own and leaves the batch when it is done; the results are those of running it
// alone.

#include <cmath>
#include <cstdint>
#include <kinglet/blocks/largest.hpp>
#include <kinglet/models/bert.hpp>
#include <kinglet/models/check.hpp>

namespace kinglet::pabee {

struct Config {
  bert::Config encoder;
  int labels;
  float threshold;  ///< of one number (labels = 1)
};

struct Weights {
  bert::Weights encoder;
  Linear exits[bert::kMaxLayers];
};

enum class Mode : std::uint8_t { batch, row };

struct Input {
  bert::Input text;  ///< `wanted`, lm_positions: not read
  int patience = 0;  ///< 0: every layer, the last classifier alone
  Mode mode = Mode::batch;
  float threshold = 0;  ///< 0: the model's
};

/// Null pointers are allowed for the last two, and while counting.
struct Output {
  float* logits = nullptr;              ///< [batch][labels]
  std::int32_t* layers_used = nullptr;  ///< [batch]
  /// [layers][batch][labels] and [layers][batch][hidden], of layers that ran with a classifier, for sequences in the batch.
  float* layer_logits = nullptr;
  float* pooled = nullptr;
};

/// The keys of bert::read_config under pabee.*, and those of the exits.
inline Result<Config> read_config(const ModelFile& file) noexcept {
  const Result<bert::Config> encoder = bert::read_config(file, "pabee");
  if (!encoder.ok()) return encoder.status();
  ConfigReader read(file);
  Config c{};
  c.encoder = *encoder;
  c.labels = read.integer("pabee.exit_label_count", 1, 65536);
  c.threshold = c.labels == 1 ? read.positive("pabee.regression_threshold") : 1;
  if (!read.status().ok()) return read.status();
  if (!c.encoder.pooler) {
    return Status(Code::missing, "the exits read the pooled state", Status::kNowhere,
                  "pooler.weight");
  }
  return c;
}

/// Views into the file; every shape is checked, nothing is copied.
inline Status bind(const ModelFile& file, const Config& c, Weights& w) noexcept {
  const Status status = bert::bind(file, c.encoder, w.encoder, "pabee");
  if (!status.ok()) return status;
  Binder b(file);
  for (int l = 0; l < c.encoder.layers; ++l) {
    w.exits[l] = b.linear(Name("exit.").append(l).view(), c.labels, c.encoder.hidden);
  }
  return b.status();
}

/// For inputs that come from outside: what bert::check asks of the text, a live position in every sequence among it.
inline Status check(const Config& c, const Input& in) noexcept {
  if (in.patience < 0) return invalid("must not be negative", "patience");
  if (!(in.threshold >= 0)) return invalid("must not be negative", "threshold");
  bert::Input text = in.text;
  text.wanted = bert::kLastHidden;
  return bert::check(c.encoder, text);
}

namespace detail {

inline bool agree(int labels, float threshold, const float* a, const float* b) noexcept {
  if (labels > 1) return largest(a, labels) == largest(b, labels);
  return std::fabs(a[0] - b[0]) < threshold;
}

/// Row `to` becomes row `from`, int8 rows too.
inline void move_row(const Activations& x, int to, int from) noexcept {
  for (int i = 0; i < x.x.cols; ++i) x.x.row(to)[i] = x.x.row(from)[i];
  if (!x.quantized()) return;
  const QuantizedRows a = x.q.from_row(to), b = x.q.from_row(from);
  for (int i = 0; i < x.q.ld; ++i) a.q[i] = b.q[i];
  *a.scale = *b.scale;
  *a.zero = *b.zero;
}

/// The sequences in the batch, in the order of their rows.
struct Sequences {
  std::int32_t* number;   ///< [batch] in the input
  std::int32_t* counter;  ///< [batch]
  std::uint8_t* stays;    ///< [batch]
};

/// Counts what agrees with the layer before, and says who stays.
inline void vote(const Config& c, const Input& in, ConstMatrix now, ConstMatrix before,
                 const Sequences& s) noexcept {
  const float threshold = in.threshold > 0 ? in.threshold : c.threshold;
  bool all = true;
  for (int b = 0; b < now.rows; ++b) {
    const bool same = agree(c.labels, threshold, now.row(b), before.row(b));
    all = all && same;
    s.counter[b] = same ? s.counter[b] + 1 : 0;
  }
  // All counters are equal in this mode: what disagreed for itself alone is back at 0 with the rest.
  if (in.mode == Mode::batch && !all) {
    for (int b = 0; b < now.rows; ++b) s.counter[b] = 0;
  }
  for (int b = 0; b < now.rows; ++b) s.stays[b] = s.counter[b] < in.patience ? 1 : 0;
}

}  // namespace detail

/// Layers that ran. Scratch: what Count says, which runs them all. Precondition: check(c, in) is ok.
/// numerics  the same bits for any thread count, for a sequence alone or in a batch, with or without trace
template <class B>
int forward(B& be, const Config& c, const Weights& w, const Input& in, const Output& out,
            const bert::Trace* trace = nullptr) noexcept {
  using namespace detail;
  using Stage = bert::Trace::Stage;
  const bert::Config& e = c.encoder;
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const bert::detail::Look look{trace};
  const int batch = in.text.batch;
  const auto n = static_cast<std::size_t>(batch);

  std::int32_t* first = arena.take<std::int32_t>(n);  // position, later row, of token 0
  for (int b = 0; first != nullptr && b < batch; ++b) first[b] = 0;
  Packing rows =
      pack(arena, batch, in.text.seq, in.text.mask, in.text.live > 0 ? in.text.live : in.text.seq,
           {first, first ? n : 0}, trace != nullptr);
  const Activations all =
      take_activations(arena, rows.rows, e.hidden, reads_int8(w.encoder.layers, e.stored_layers));
  bert::detail::embed(be, e, w.encoder, in.text, rows, all, look);

  const Sequences sequences{arena.take<std::int32_t>(n), arena.take<std::int32_t>(n),
                            arena.take<std::uint8_t>(n)};
  const Matrix token = arena.matrix(batch, e.hidden), pooled = arena.matrix(batch, e.hidden);
  const Matrix now = arena.matrix(batch, c.labels), before = arena.matrix(batch, c.labels);
  for (int b = 0; token.data != nullptr && before.data != nullptr && b < batch; ++b) {
    sequences.number[b] = b;
    sequences.counter[b] = 0;
  }

  int layer = 0;
  for (; layer < e.layers && rows.batch > 0; ++layer) {
    const Activations x = all.rows_at(0, rows.rows);
    const int m = rows.batch;
    const Matrix top = token.rows_at(0, m);
    for (int b = 0; first != nullptr && b < m; ++b) first[b] = rows.row_of(b, 0);
    if (layer + 1 < e.layers || trace != nullptr) {
      bert::detail::run_layer(be, e, w.encoder, rows, x, layer, look);
      be.embed(table_of_rows(x.x), first, top);
    } else {  // nobody reads the other rows
      encoder_layer_reading(be, w.encoder.layers[e.stored_of[layer]], e.heads,
                            bert::detail::attention_scale(e), e.activation, rows, x, {m, 1}, first,
                            top, nullptr);
    }
    if (layer + 1 == e.layers) look(Stage::hidden, e.layers, x.x, rows);
    if (in.patience == 0 && layer + 1 < e.layers) continue;

    const Matrix logits = now.rows_at(0, m);
    be.linear(w.encoder.pooler, top, pooled.rows_at(0, m), Activation::tanh);
    be.linear(w.exits[layer], pooled.rows_at(0, m), logits);
    if (logits.data == nullptr) continue;  // counting: nothing to decide with

    const auto show = [&](float* to, ConstMatrix from) {
      for (int b = 0; to != nullptr && b < m; ++b) {
        const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(layer) * batch + sequences.number[b];
        for (int i = 0; i < from.cols; ++i) to[row * from.cols + i] = from.row(b)[i];
      }
    };
    show(out.layer_logits, logits);
    show(out.pooled, pooled.rows_at(0, m));

    const bool last = layer + 1 == e.layers;
    for (int b = 0; b < m; ++b) sequences.stays[b] = last ? 0 : 1;
    if (layer > 0 && !last) vote(c, in, logits, before.rows_at(0, m), sequences);
    keep_sequences(rows, sequences.stays, [&](int to, int from) { move_row(all, to, from); });
    int kept = 0;
    for (int b = 0; b < m; ++b) {
      const std::int32_t number = sequences.number[b];
      const bool stays = sequences.stays[b] != 0;
      float* to =
          stays ? before.row(kept) : out.logits + static_cast<std::ptrdiff_t>(number) * c.labels;
      for (int i = 0; i < c.labels; ++i) to[i] = logits.row(b)[i];
      if (stays) {
        sequences.number[kept] = number;
        sequences.counter[kept] = sequences.counter[b];
        ++kept;
      } else if (out.layers_used != nullptr) {
        out.layers_used[number] = layer + 1;
      }
    }
  }
  return layer;
}

}  // namespace kinglet::pabee
