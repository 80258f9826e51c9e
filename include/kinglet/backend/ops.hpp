#pragma once
// What the ops of a backend take: views of weights, and which rows belong together.
//
// A backend B (Cpu, Count, …) has these members; blocks and models use nothing else of it:
//
//   arena()                                        scratch memory
//   linear(w, x, y [, activation, residual])       y = act(x·Wᵀ + b) + residual; in int8 where W is
//                                                  int8: x, if f32 only, is quantised row by row
//   layer_norm(norm, x, y)                         y may be x; with int8 rows where y has them
//   quantize(x)                                    the int8 rows of x, if it has any
//   embed(table, ids, y [, accumulate])            y[r] (+)= table[ids[r]]
//   attention(q, k, v, queries, keys, heads, scale, y, probs [, mask])
//                                                  mask: a byte a row of k, 0: no query sees it.
//                                                  A sequence without a key that is seen gets NaN
//   attention_s8(q, k, v, queries, keys, heads, scale, y)      both products in int8
//   pack_keys(k, v, packed)   attend(q, packed, scale, y)
//                                                  attention with one head, in two parts: for keys
//                                                  that are asked again and again
//   lstm_step(w, x, h, c, y [, backwards])         y, c = the next h and c of each row; y apart from
//                                                  x and h
//   lstm_gates(w, gates, h, c, y [, backwards])    the same where gates = x·W_ihᵀ + b is known;
//                                                  gates may change
//   lstm_cell(gates, c, y)                         the same where h is zero
//   gru_step(w, x, h, y)                           y = the next h; y may be h
//   softmax(x, y)   unit_length(x, y)   copy(x, y)   transpose(x, y)   zero(y)
//   add(x, y)                                      y += x
//
// x of linear and y of layer_norm are a matrix, or Activations. The arena holds what a run with Count
// took; with less there is no defined result (asserted by Cpu, where asserts are on).

#include <cstdint>
#include <kinglet/core/arena.hpp>
#include <kinglet/core/matrix.hpp>
#include <kinglet/kernels/attention.hpp>
#include <kinglet/kernels/attention_s8.hpp>
#include <kinglet/kernels/gemm_f32.hpp>
#include <kinglet/kernels/gemm_s8.hpp>

namespace kinglet {

using kernels::Activation;
using kernels::kPanel;
using kernels::padded_depth;
using kernels::panels_of;
using kernels::QuantizedRows;

constexpr int padded(int n) noexcept { return panels_of(n) * kPanel; }

/// y = x·Wᵀ + b. W (n, k) in panels, see kernels/gemm_f32.hpp and gemm_s8.hpp: f32 or int8, the
/// precision of the product. bias: padded(n) floats, or null.
struct Linear {
  const float* weight = nullptr;
  const float* bias = nullptr;
  int n = 0;
  int k = 0;
  kernels::WeightsS8 s8;
  const float* smooth =
      nullptr;  ///< [k] QuantizedRows::smooth of the rows it reads, if int8; or null

  constexpr explicit operator bool() const noexcept { return weight != nullptr || int8(); }
  constexpr bool int8() const noexcept { return s8.panels != nullptr; }

  /// The n outputs that begin at panel `first`.
  constexpr Linear part(int first, int outputs) const noexcept {
    const std::ptrdiff_t rows = static_cast<std::ptrdiff_t>(first) * kPanel;
    Linear w{
        weight ? weight + rows * k : nullptr, bias ? bias + rows : nullptr, outputs, k, {}, smooth};
    if (int8()) {
      w.s8 = {s8.panels + rows * padded_depth(k), s8.scale + rows, s8.sums + rows,
              s8.negatives + rows};
    }
    return w;
  }
};

/// The four gates of an LSTM: x·Wᵀ with the sum of both biases, and h·Wᵀ without one; each in its own
/// precision. The rows of both are permuted, so that a block of 16 units has its gates side by side:
/// row 64u + 16g + j is gate g (i, f, g, o) of unit 16u + j. The rows of units that a last block lacks
/// are zero.
struct Lstm {
  Linear ih, hh;  ///< n = 4·padded(units), k = inputs and units
  int units = 0;
};

/// The three gates of a GRU: x·Wᵀ + b and h·Wᵀ + b; row 48u + 16g + j is gate g (r, z, n) of unit
/// 16u + j.
struct Gru {
  Linear ih, hh;
  int units = 0;
};

struct Norm {
  const float* gamma = nullptr;
  const float* beta = nullptr;
  int n = 0;
  float eps = 0;

  constexpr explicit operator bool() const noexcept { return gamma != nullptr; }
};

/// Rows of n numbers that are gathered by number: f32, or int8 with a scale a row. As rows, or as the panels of a
/// product with the table (ld = 0): what is tied to a decoder is stored once.
struct Table {
  const float* data = nullptr;
  int rows = 0;
  int n = 0;
  int ld = 0;
  const std::int8_t* s8 = nullptr;
  const float* scale = nullptr;  ///< [rows]

  constexpr explicit operator bool() const noexcept { return data != nullptr || int8(); }
  constexpr bool int8() const noexcept { return s8 != nullptr; }
  constexpr bool panels() const noexcept { return ld == 0; }
};

constexpr Table table_of_rows(const ConstMatrix& x) noexcept {
  return {x.data, x.rows, x.cols, x.ld, nullptr, nullptr};
}

/// The rows of W.
constexpr Table table_of_panels(const Linear& w) noexcept {
  return {w.weight, w.n, w.k, 0, w.s8.panels, w.s8.scale};
}

/// Rows of activations: f32 and, where a product will read them so, the same as int8.
struct Activations {
  Matrix x;
  QuantizedRows q;  ///< q.ld = 0: f32 only. Null pointers while counting

  constexpr bool quantized() const noexcept { return q.ld != 0; }

  /// As w reads them: with int8 rows only if it is int8.
  constexpr Activations read_by(const Linear& w) const noexcept {
    if (!quantized() || !w.int8()) return {x, {}};
    return {x, {q.q, q.ld, q.scale, q.zero, w.smooth}};
  }

  constexpr Activations rows_at(int first, int count) const noexcept {
    return {x.rows_at(first, count), q.q ? q.from_row(first) : q};
  }
};

/// Rows that linear quantises at a time: with a group of panels they stay in the second-level cache.
constexpr int dynamic_rows(int rows) noexcept { return rows < 160 ? rows : 160; }

/// Room for int8 rows of k.
inline QuantizedRows take_quantized(Arena& arena, int rows, int k) noexcept {
  const auto n = static_cast<std::size_t>(rows);
  QuantizedRows q;
  q.ld = padded_depth(k);
  q.q = arena.take<std::int8_t>(n * static_cast<std::size_t>(q.ld));
  q.scale = arena.take<float>(n);
  q.zero = arena.take<std::int32_t>(n);
  if (q.zero == nullptr) q.q = nullptr;
  return q;
}

/// Before a loop of w over pieces of `rows`: what linear takes for the largest piece that there can be,
/// so that other rows, in other pieces, never take more than those that were planned with.
inline void reserve_linear(Arena& arena, const Linear& w, int rows) noexcept {
  ArenaScope scope(arena);
  if (w.int8()) take_quantized(arena, dynamic_rows(rows), w.k);
}

/// int8: with room for int8 rows.
inline Activations take_activations(Arena& arena, int rows, int n, bool int8) noexcept {
  const Matrix x = arena.matrix(rows, n);
  return {x, int8 ? take_quantized(arena, rows, n) : QuantizedRows{}};
}

/// Blocks of 16 units that a step of several rows takes at a time.
inline constexpr int kLstmSlice = 8;

/// Their gates, for each worker.
inline Matrix take_lstm_gates(Arena& arena, int rows, int threads) noexcept {
  return arena.matrix(threads * rows, 4 * kLstmSlice * kPanel);
}

/// `count` runs of rows in one matrix. Without arrays every run has `longest` rows, one run after the other.
struct Ragged {
  int count = 0;
  int longest = 0;
  const std::int32_t* start = nullptr;
  const std::int32_t* length = nullptr;

  constexpr int start_of(int i) const noexcept { return start ? start[i] : i * longest; }
  constexpr int length_of(int i) const noexcept { return length ? length[i] : longest; }
};

/// Keys and values of `count` sequences of n, as attend reads them.
struct PackedKeys {
  float* data = nullptr;
  int count = 0;
  int n = 0;
  int width = 0;

  constexpr std::size_t size() const noexcept { return kernels::packed_keys_f32(n, width); }
  constexpr PackedKeys sequences_at(int first, int some) const noexcept {
    return {data ? data + static_cast<std::size_t>(first) * size() : nullptr, some, n, width};
  }
};

inline PackedKeys take_packed_keys(Arena& arena, int count, int n, int width) noexcept {
  PackedKeys keys{nullptr, count, n, width};
  keys.data = arena.take<float>(static_cast<std::size_t>(count) * keys.size());
  return keys;
}

/// Where attention leaves probabilities: row r of `sum` belongs to query row r; column j to the j-th key of its
/// sequence. Summed over heads in ascending order.
struct Probs {
  Matrix sum;
};

/// Scratch of one attention call; Cpu and Count take it by this one function.
struct AttentionScratch {
  float* heads;  ///< one kernel scratch a worker
  float* probs;  ///< [heads][longest query run][longest key run], only when probabilities are asked
                 ///< for
};

inline AttentionScratch take_attention_scratch(Arena& arena, int threads, int heads, int head_dim,
                                               const Ragged& queries, const Ragged& keys,
                                               bool probs) noexcept {
  AttentionScratch scratch{};
  scratch.heads = arena.take<float>(static_cast<std::size_t>(threads) *
                                    kernels::attention_scratch_f32(keys.longest, head_dim));
  if (probs) {
    scratch.probs = arena.take<float>(static_cast<std::size_t>(heads) *
                                      static_cast<std::size_t>(queries.longest) *
                                      static_cast<std::size_t>(keys.longest));
  }
  return scratch;
}

/// The same of attention_s8: one kernel scratch a worker.
inline unsigned char* take_attention_scratch_s8(Arena& arena, int threads, int head_dim,
                                                const Ragged& keys) noexcept {
  return arena.take<unsigned char>(static_cast<std::size_t>(threads) *
                                   kernels::attention_scratch_s8(keys.longest, head_dim));
}

}  // namespace kinglet
