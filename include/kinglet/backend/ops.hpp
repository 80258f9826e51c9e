#pragma once
// What the ops of a backend take: views of weights, and which rows belong together.
//
// A backend B (Cpu, Count, …) has these members; blocks and models use nothing else of it:
//
//   arena()                                        scratch memory
//   linear(w, x, y [, activation, residual])       y = act(x·Wᵀ + b) + residual
//   layer_norm(norm, x, y)                         y may be x
//   embed(table, ids, y [, accumulate])            y[r] (+)= table[ids[r]]
//   attention(q, k, v, queries, keys, heads, scale, y, probs [, mask])
//                                                  mask: a byte a row of k, 0: no query sees it
//   softmax(x, y)   copy(x, y)   add(x, y)   zero(y)       add: y += x

#include <cstdint>
#include <kinglet/core/arena.hpp>
#include <kinglet/core/matrix.hpp>
#include <kinglet/kernels/attention.hpp>
#include <kinglet/kernels/gemm_f32.hpp>

namespace kinglet {

using kernels::Activation;
using kernels::kPanel;
using kernels::panels_of;

constexpr int padded(int n) noexcept { return panels_of(n) * kPanel; }

/// y = x·Wᵀ + b. weight: panels of W (n, k), see kernels/gemm_f32.hpp; bias: padded(n) floats, or null.
struct Linear {
  const float* weight = nullptr;
  const float* bias = nullptr;
  int n = 0;
  int k = 0;

  constexpr explicit operator bool() const noexcept { return weight != nullptr; }

  /// The n outputs that begin at panel `first`.
  constexpr Linear part(int first, int outputs) const noexcept {
    const std::ptrdiff_t rows = static_cast<std::ptrdiff_t>(first) * kPanel;
    return {weight ? weight + rows * k : nullptr, bias ? bias + rows : nullptr, outputs, k};
  }
};

struct Norm {
  const float* gamma = nullptr;
  const float* beta = nullptr;
  int n = 0;
  float eps = 0;

  constexpr explicit operator bool() const noexcept { return gamma != nullptr; }
};

/// Rows of n floats that are gathered by number.
struct Table {
  const float* data = nullptr;
  int rows = 0;
  int n = 0;
  int ld = 0;

  constexpr explicit operator bool() const noexcept { return data != nullptr; }
};

constexpr Table table_of_rows(const ConstMatrix& x) noexcept {
  return {x.data, x.rows, x.cols, x.ld};
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

}  // namespace kinglet
