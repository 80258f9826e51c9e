#pragma once
// Cpu<Isa>: the ops on this processor. Isa is a tag of kernels/isa.hpp fixed at compile time
// (isa::best: what -march allows), or isa::runtime with a table of kernels chosen by the program.

#include <kinglet/backend/ops.hpp>
#include <kinglet/backend/parallel.hpp>
#include <kinglet/kernels/table.hpp>

namespace kinglet {

template <class Isa = isa::best>
class Cpu {
 public:
  /// Work is split over tiles of the output when threads are lent; the result has the same bits for any number.
  explicit Cpu(Arena& arena, const Parallel& parallel = {},
               const kernels::Kernels<Isa>& k = {}) noexcept
      : arena_(arena), parallel_(parallel), kernels_(k) {}

  Arena& arena() noexcept { return arena_; }

  void linear(const Linear& w, ConstMatrix x, Matrix y, Activation act = Activation::none,
              ConstMatrix residual = {}) noexcept {
    KINGLET_ASSERT(x.cols == w.k && y.cols == w.n && x.rows == y.rows);
    constexpr int kGrain = 4;  // panels: the widest tile
    parallel_.split(panels_of(w.n), kGrain, [&](int first, int count) {
      const int column = first * kPanel;
      const int columns = min(w.n - column, count * kPanel);
      const Linear part = w.part(first, columns);
      const kernels::Epilogue epilogue{
          part.bias, act, residual.data ? residual.data + column : nullptr, residual.ld};
      kernels_.gemm_f32(x.rows, columns, w.k, x.data, x.ld, part.weight, epilogue, y.data + column,
                        y.ld);
    });
  }

  void layer_norm(const Norm& w, ConstMatrix x, Matrix y) noexcept {
    KINGLET_ASSERT(x.cols == w.n && y.cols == w.n && x.rows == y.rows);
    parallel_.split(x.rows, 8, [&](int first, int count) {
      kernels_.layer_norm_f32(count, w.n, x.row(first), x.ld, w.gamma, w.beta, w.eps, y.row(first),
                              y.ld);
    });
  }

  void embed(const Table& table, const std::int32_t* ids, Matrix y,
             bool accumulate = false) noexcept {
    KINGLET_ASSERT(table.n == y.cols);
    kernels_.embedding_f32(y.rows, y.cols, ids, table.data, table.ld, y.data, y.ld, accumulate);
  }

  void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const Ragged& queries,
                 const Ragged& keys, int heads, float scale, Matrix y, Probs* probs,
                 const std::uint8_t* mask = nullptr) noexcept {
    const int d = y.cols / heads;
    ArenaScope scope(arena_);
    const AttentionScratch scratch = take_attention_scratch(arena_, parallel_.threads, heads, d,
                                                            queries, keys, probs != nullptr);
    const std::size_t worker_scratch = kernels::attention_scratch_f32(keys.longest, d);
    const auto head = [&](int sequence, int h, float* p, int worker) {
      const int row = queries.start_of(sequence), key = keys.start_of(sequence);
      const int m = queries.length_of(sequence), n = keys.length_of(sequence);
      kernels_.attention_f32(m, n, d, q.row(row) + h * d, q.ld, k.row(key) + h * d, k.ld,
                             v.row(key) + h * d, v.ld, mask ? mask + key : nullptr, scale,
                             y.row(row) + h * d, y.ld, p, n,
                             scratch.heads + static_cast<std::size_t>(worker) * worker_scratch);
    };
    if (probs == nullptr) {
      parallel_.for_each(queries.count * heads, [&](int task, int worker) {
        head(task / heads, task % heads, nullptr, worker);
      });
      return;
    }
    for (int s = 0; s < queries.count; ++s) {
      const int m = queries.length_of(s), n = keys.length_of(s);
      const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(m) * n;
      parallel_.for_each(heads,
                         [&](int h, int worker) { head(s, h, scratch.probs + h * size, worker); });
      for (int r = 0; r < m; ++r) {
        float* sum = probs->sum.row(queries.start_of(s) + r);
        const float* p = scratch.probs + static_cast<std::ptrdiff_t>(r) * n;
        for (int j = 0; j < n; ++j) sum[j] = p[j];
        for (int h = 1; h < heads; ++h) kernels_.add_f32(n, sum, p + h * size, sum);
      }
    }
  }

  void softmax(ConstMatrix x, Matrix y) noexcept {
    kernels_.softmax_f32(x.rows, x.cols, x.data, x.ld, y.data, y.ld);
  }

  void copy(ConstMatrix x, Matrix y) noexcept {
    for (int r = 0; r < y.rows; ++r) {
      for (int c = 0; c < y.cols; ++c) y.row(r)[c] = x.row(r)[c];
    }
  }

  void add(ConstMatrix x, Matrix y) noexcept {
    for (int r = 0; r < y.rows; ++r) kernels_.add_f32(y.cols, x.row(r), y.row(r), y.row(r));
  }

  void zero(Matrix y) noexcept {
    for (int r = 0; r < y.rows; ++r) {
      for (int c = 0; c < y.cols; ++c) y.row(r)[c] = 0;
    }
  }

 private:
  static constexpr int min(int a, int b) noexcept { return a < b ? a : b; }

  Arena& arena_;
  Parallel parallel_;
  kernels::Kernels<Isa> kernels_;
};

}  // namespace kinglet
