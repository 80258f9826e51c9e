#pragma once
// The post-norm transformer layer shared by BERT and its relatives.

#include <kinglet/backend/ops.hpp>
#include <kinglet/blocks/packing.hpp>

namespace kinglet {

/// Weights of one layer. qkv holds q, k and v one after the other, each padded to whole panels.
struct EncoderLayer {
  Linear qkv;
  Linear attn_output;
  Norm attn_norm;
  Linear ffn_up;
  Linear ffn_down;
  Norm ffn_norm;
  bool s8_attention =
      false;  ///< scores and weighted values in int8, where no probabilities are asked

  /// Whether int8 rows of x are read.
  constexpr bool reads_int8() const noexcept { return qkv.int8() || ffn_up.int8(); }
};

/// Whether one of the layers does.
constexpr bool reads_int8(const EncoderLayer* layers, int count) noexcept {
  for (int l = 0; l < count; ++l) {
    if (layers[l].reads_int8()) return true;
  }
  return false;
}

/// x ← LN(x + act(x·W₁ + b₁)·W₂ + b₂), in blocks of rows whose hidden activations stay in the second-level cache.
/// next: what reads x then, for its int8 rows; {}: nothing does.
/// memory    kRows × (inner + 16) floats
template <class B>
void feed_forward(B& be, const EncoderLayer& w, Activation act, const Activations& x, Matrix y,
                  const Linear& next) noexcept {
  constexpr int kRows = 96;
  const int inner = w.ffn_up.n, all = x.x.rows;
  ArenaScope scope(be.arena());
  // Equal blocks of whole tiles: fewer rows may have the larger block, `most` at the most.
  const int most = all < kRows ? all : kRows;
  const int blocks = (all + kRows - 1) / kRows;
  const int block = blocks > 1 ? ((all + blocks - 1) / blocks + 5) / 6 * 6 : most;
  // One panel more than needed: rows whose distance is a multiple of 4 KiB would share the sets of
  // the L1 cache.
  const Matrix hidden = be.arena().matrix(most, padded(inner) + kPanel).cols_at(0, inner);
  const Activations in = x.read_by(w.ffn_up);
  if (!in.quantized()) reserve_linear(be.arena(), w.ffn_up, most);
  reserve_linear(be.arena(), w.ffn_down, most);
  for (int r = 0; r < all; r += block) {
    const int rows = r + block <= all ? block : all - r;
    be.linear(w.ffn_up, in.rows_at(r, rows), hidden.rows_at(0, rows), act);
    be.linear(w.ffn_down, hidden.rows_at(0, rows), y.rows_at(r, rows), Activation::none,
              x.x.rows_at(r, rows));
  }
  be.layer_norm(w.ffn_norm, y, x.read_by(next));
}

/// Attention in the precision of the layer; in f32 where its probabilities are asked for.
template <class B>
void attend(B& be, const EncoderLayer& w, ConstMatrix q, ConstMatrix k, ConstMatrix v,
            const Ragged& queries, const Ragged& keys, int heads, float scale, Matrix y,
            Probs* probs) noexcept {
  if (w.s8_attention && probs == nullptr) {
    be.attention_s8(q, k, v, queries, keys, heads, scale, y);
  } else {
    be.attention(q, k, v, queries, keys, heads, scale, y, probs);
  }
}

/// x ← LN(x + Attn(x));  x ← LN(x + FFN(x))                                     (Vaswani et al. 2017; BERT)
/// Every row of x is a query, the live rows of a sequence are its keys.
/// next: qkv of the layer that follows, for the int8 rows of x; {}: none does.
/// probs: null, or where the attention probabilities go
template <class B>
void encoder_layer(B& be, const EncoderLayer& w, int heads, float scale, Activation act,
                   const Packing& rows, const Activations& x, const Linear& next,
                   Probs* probs = nullptr) noexcept {
  ArenaScope scope(be.arena());
  const int h = x.x.cols, part = padded(h);
  const Matrix y = be.arena().matrix(x.x.rows, h);
  {
    ArenaScope attention_scope(be.arena());
    const Matrix qkv = be.arena().matrix(x.x.rows, 3 * part).cols_at(0, 2 * part + h);
    const Matrix context = be.arena().matrix(x.x.rows, h);
    be.linear(w.qkv, x.read_by(w.qkv), qkv);
    attend(be, w, qkv.cols_at(0, h), qkv.cols_at(part, h), qkv.cols_at(2 * part, h), rows.queries(),
           rows.keys(), heads, scale, context, probs);
    be.linear(w.attn_output, context, y, Activation::none, x.x);
  }
  be.layer_norm(w.attn_norm, y, x.read_by(w.ffn_up));
  feed_forward(be, w, act, x, y, next);
}

/// The same for `read.count` runs of chosen rows only: keys and values of all rows, the rest for those that are read.
/// x (rows, h) all rows; ids: the chosen rows, in the order of y (chosen rows, h)
template <class B>
void encoder_layer_reading(B& be, const EncoderLayer& w, int heads, float scale, Activation act,
                           const Packing& rows, const Activations& x, const Ragged& read,
                           const std::int32_t* ids, Matrix y, Probs* probs) noexcept {
  ArenaScope scope(be.arena());
  const int h = x.x.cols, part = padded(h);
  const Matrix kv = be.arena().matrix(x.x.rows, 2 * part).cols_at(0, part + h);
  const Matrix q = be.arena().matrix(y.rows, h);
  const Matrix context = be.arena().matrix(y.rows, h);
  be.embed(table_of_rows(x.x), ids, y);
  be.linear(w.qkv.part(0, h), y, q);
  be.linear(w.qkv.part(part / kPanel, part + h), x.read_by(w.qkv), kv);
  attend(be, w, q, kv.cols_at(0, h), kv.cols_at(part, h), read, rows.keys(), heads, scale, context,
         probs);
  be.linear(w.attn_output, context, q, Activation::none, y);
  be.layer_norm(w.attn_norm, q, y);
  feed_forward(be, w, act, Activations{y, {}}, q, {});
}

}  // namespace kinglet
