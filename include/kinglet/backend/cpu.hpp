#pragma once
// Cpu<Isa>: the ops on this processor. Isa is a tag of kernels/isa.hpp fixed at compile time
// (isa::best: what -march allows), or isa::runtime with a table of kernels chosen by the program.

#include <cstring>
#include <kinglet/backend/cpu_image.hpp>
#include <kinglet/backend/ops.hpp>
#include <kinglet/backend/parallel.hpp>
#include <kinglet/kernels/table.hpp>

namespace kinglet {

template <class Isa = isa::best>
class Cpu : public CpuImageOps<Cpu<Isa>> {
 public:
  /// Work is split over tiles of the output when threads are lent; the result has the same bits for any number.
  explicit Cpu(Arena& arena, const Parallel& parallel = {},
               const kernels::Kernels<Isa>& k = {}) noexcept
      : arena_(arena), parallel_(parallel), kernels_(k) {}

  Arena& arena() noexcept { return arena_; }
  const Parallel& parallel() const noexcept { return parallel_; }
  const kernels::Kernels<Isa>& table() const noexcept { return kernels_; }

  void linear(const Linear& w, ConstMatrix x, Matrix y, Activation act = Activation::none,
              ConstMatrix residual = {}) noexcept {
    KINGLET_ASSERT(!arena_.overflowed());
    KINGLET_ASSERT(x.cols == w.k && y.cols == w.n && x.rows == y.rows);
    if (!w.int8()) {
      return split(w, y, act, residual,
                   [&](const Linear& part, const kernels::Epilogue& epilogue, float* out) {
                     kernels_.gemm_f32(x.rows, part.n, w.k, x.data, x.ld, part.weight, epilogue,
                                       out, y.ld);
                   });
    }
    ArenaScope scope(arena_);
    const int most = dynamic_rows(x.rows);
    QuantizedRows q = take_quantized(arena_, most, w.k);
    q.smooth = w.smooth;
    for (int r = 0; r < x.rows; r += most) {
      const int rows = min(most, x.rows - r);
      quantize(x.rows_at(r, rows), q);
      multiply_s8(w, q, y.rows_at(r, rows), act,
                  residual.data ? residual.rows_at(r, rows) : residual);
    }
  }

  void linear(const Linear& w, const Activations& x, Matrix y, Activation act = Activation::none,
              ConstMatrix residual = {}) noexcept {
    if (!w.int8() || !x.quantized()) return linear(w, x.x, y, act, residual);
    KINGLET_ASSERT(x.x.cols == w.k && y.cols == w.n && x.x.rows == y.rows);
    multiply_s8(w, x.q, y, act, residual);
  }

  void layer_norm(const Norm& w, ConstMatrix x, Matrix y) noexcept {
    layer_norm(w, x, Activations{y, {}});
  }

  void layer_norm(const Norm& w, ConstMatrix x, const Activations& y) noexcept {
    KINGLET_ASSERT(x.cols == w.n && y.x.cols == w.n && x.rows == y.x.rows);
    parallel_.split(x.rows, 8, [&](int first, int count) {
      float* const out = y.x.row(first);
      if (y.quantized()) {
        kernels_.layer_norm_s8(count, w.n, x.row(first), x.ld, w.gamma, w.beta, w.eps, out, y.x.ld,
                               y.q.from_row(first));
      } else {
        kernels_.layer_norm_f32(count, w.n, x.row(first), x.ld, w.gamma, w.beta, w.eps, out,
                                y.x.ld);
      }
    });
  }

  void quantize(const Activations& x) noexcept {
    if (x.quantized()) quantize(x.x, x.q);
  }

  void embed(const Table& table, const std::int32_t* ids, Matrix y,
             bool accumulate = false) noexcept {
    KINGLET_ASSERT(!arena_.overflowed() && table.n == y.cols);
    if (table.panels()) {
      if (table.int8()) {
        kernels_.embedding_panels_s8(y.rows, y.cols, ids, table.s8, table.scale, y.data, y.ld,
                                     accumulate);
      } else {
        kernels_.embedding_panels_f32(y.rows, y.cols, ids, table.data, y.data, y.ld, accumulate);
      }
    } else if (table.int8()) {
      kernels_.embedding_s8(y.rows, y.cols, ids, table.s8, table.ld, table.scale, y.data, y.ld,
                            accumulate);
    } else {
      kernels_.embedding_f32(y.rows, y.cols, ids, table.data, table.ld, y.data, y.ld, accumulate);
    }
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

  void attention_s8(ConstMatrix q, ConstMatrix k, ConstMatrix v, const Ragged& queries,
                    const Ragged& keys, int heads, float scale, Matrix y) noexcept {
    const int d = y.cols / heads;
    ArenaScope scope(arena_);
    unsigned char* const scratch = take_attention_scratch_s8(arena_, parallel_.threads, d, keys);
    const std::size_t worker_scratch = kernels::attention_scratch_s8(keys.longest, d);
    parallel_.for_each(queries.count * heads, [&](int task, int worker) {
      const int sequence = task / heads, column = task % heads * d;
      const int row = queries.start_of(sequence), key = keys.start_of(sequence);
      kernels_.attention_s8(queries.length_of(sequence), keys.length_of(sequence), d,
                            q.row(row) + column, q.ld, k.row(key) + column, k.ld,
                            v.row(key) + column, v.ld, nullptr, scale, y.row(row) + column, y.ld,
                            scratch + static_cast<std::size_t>(worker) * worker_scratch);
    });
  }

  void pack_keys(ConstMatrix k, ConstMatrix v, const PackedKeys& packed) noexcept {
    KINGLET_ASSERT(k.rows == packed.count * packed.n && k.cols == packed.width);
    parallel_.for_each(packed.count, [&](int s, int) {
      kernels_.pack_keys_f32(packed.n, packed.width, k.row(s * packed.n), k.ld, v.row(s * packed.n),
                             v.ld, nullptr, packed.sequences_at(s, 1).data);
    });
  }

  void attend(ConstMatrix q, const PackedKeys& keys, float scale, Matrix y) noexcept {
    const int each = keys.count > 0 ? q.rows / keys.count : 0;
    KINGLET_ASSERT(q.rows == each * keys.count && q.cols == keys.width && y.cols == keys.width);
    ArenaScope scope(arena_);
    const std::size_t size = kernels::attend_scratch_f32(keys.n);
    float* const scratch = arena_.take<float>(static_cast<std::size_t>(parallel_.threads) * size);
    parallel_.for_each(keys.count, [&](int s, int worker) {
      kernels_.attend_f32(each, keys.n, keys.width, q.row(s * each), q.ld,
                          keys.sequences_at(s, 1).data, scale, y.row(s * each), y.ld, nullptr, 0,
                          scratch + static_cast<std::size_t>(worker) * size);
    });
  }

  // Views by reference: copied, they make a step of a small LSTM wait for the one before it.
  void lstm_step(const Lstm& w, const ConstMatrix& x, const ConstMatrix& h, const Matrix& c,
                 const Matrix& y, bool backwards = false) noexcept {
    if (y.rows != 1) return lstm_rows(w, x, {}, h, c, y, backwards);
    if (w.ih.int8() == w.hh.int8()) return lstm_row(w, x, w.ih.bias, h, c, y, backwards);
    ArenaScope scope(arena_);
    const Matrix gates = arena_.matrix(1, w.ih.n);
    linear(w.ih, x, gates);
    lstm_row(w, {}, gates.data, h, c, y, backwards);
  }

  void lstm_gates(const Lstm& w, const Matrix& gates, const ConstMatrix& h, const Matrix& c,
                  const Matrix& y, bool backwards = false) noexcept {
    if (y.rows != 1) return lstm_rows(w, {}, gates, h, c, y, backwards);
    lstm_row(w, {}, gates.data, h, c, y, backwards);
  }

  void lstm_cell(ConstMatrix gates, Matrix c, Matrix y) noexcept {
    KINGLET_ASSERT(gates.cols == kernels::lstm_gates(y.cols) && c.cols == y.cols);
    parallel_.split(y.rows, 1, [&](int first, int count) {
      kernels_.lstm_cell_f32(count, y.cols, gates.row(first), gates.ld, c.row(first), c.ld,
                             y.row(first), y.ld);
    });
  }

  void gru_step(const Gru& w, ConstMatrix x, ConstMatrix h, Matrix y) noexcept {
    KINGLET_ASSERT(w.ih.n == kernels::gru_gates(w.units) && y.cols == w.units);
    ArenaScope scope(arena_);
    const Matrix from_x = arena_.matrix(y.rows, w.ih.n), from_h = arena_.matrix(y.rows, w.hh.n);
    linear(w.ih, x, from_x);
    linear(w.hh, h, from_h);
    parallel_.split(y.rows, 1, [&](int first, int count) {
      kernels_.gru_cell_f32(count, w.units, from_x.row(first), from_h.row(first), from_x.ld,
                            h.row(first), h.ld, y.row(first), y.ld);
    });
  }

  void softmax(ConstMatrix x, Matrix y) noexcept {
    kernels_.softmax_f32(x.rows, x.cols, x.data, x.ld, y.data, y.ld);
  }

  void unit_length(ConstMatrix x, Matrix y) noexcept {
    kernels_.unit_length_f32(x.rows, x.cols, x.data, x.ld, y.data, y.ld);
  }

  void copy(ConstMatrix x, Matrix y) noexcept {
    for (int r = 0; r < y.rows; ++r) {
      std::memcpy(y.row(r), x.row(r), static_cast<std::size_t>(y.cols) * sizeof(float));
    }
  }

  void transpose(ConstMatrix x, Matrix y) noexcept {
    for (int r = 0; r < y.rows; ++r) {
      for (int c = 0; c < y.cols; ++c) y.row(r)[c] = x.row(c)[r];
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

  /// product(part of w, its epilogue, where its outputs go) for pieces of w's outputs.
  template <class Product>
  void split(const Linear& w, Matrix y, Activation act, ConstMatrix residual,
             Product product) noexcept {
    constexpr int kGrain = 4;  // panels: the widest tile
    parallel_.split(panels_of(w.n), kGrain, [&](int first, int count) {
      const int column = first * kPanel;
      const Linear part = w.part(first, min(w.n - column, count * kPanel));
      const kernels::Epilogue epilogue{
          part.bias, act, residual.data ? residual.data + column : nullptr, residual.ld};
      product(part, epilogue, y.data + column);
    });
  }

  void multiply_s8(const Linear& w, const QuantizedRows& x, Matrix y, Activation act,
                   ConstMatrix residual) noexcept {
    split(w, y, act, residual,
          [&](const Linear& part, const kernels::Epilogue& epilogue, float* out) {
            kernels_.gemm_s8(y.rows, part.n, w.k, x, part.s8, epilogue, out, y.ld);
          });
  }

  /// The int8 rows of x, if w reads them.
  QuantizedRows taken(const Linear& w, const ConstMatrix& x) noexcept {
    if (!w.int8() || x.rows == 0) return {};
    QuantizedRows q = take_quantized(arena_, x.rows, w.k);
    q.smooth = w.smooth;
    quantize(x, q);
    return q;
  }

  /// One row in one pass over W. x may be empty.
  void lstm_row(const Lstm& w, const ConstMatrix& x, const float* start, const ConstMatrix& h,
                const Matrix& c, const Matrix& y, bool backwards) noexcept {
    KINGLET_ASSERT(!arena_.overflowed() && y.data != h.data);
    KINGLET_ASSERT(w.hh.n == kernels::lstm_gates(w.units) && y.cols == w.units);
    if (w.hh.int8()) return lstm_row_s8(w, x, start, h, c, y, backwards);
    split_units(w.units, [&](int first, int last) {
      kernels_.lstm_step_f32(first, last, x.cols, x.data, w.ih.weight, w.hh.k, h.data, w.hh.weight,
                             start, c.data, y.data, backwards);
    });
  }

  /// Apart, as all that is not a small step in fp32: what a step of a few units does beside its
  /// arithmetic keeps the next step's from beginning early.
  KINGLET_NOINLINE void lstm_row_s8(const Lstm& w, const ConstMatrix& x, const float* start,
                                    const ConstMatrix& h, const Matrix& c, const Matrix& y,
                                    bool backwards) noexcept {
    ArenaScope scope(arena_);
    const QuantizedRows q_x = taken(w.ih, x), q_h = taken(w.hh, h);
    split_units(w.units, [&](int first, int last) {
      kernels_.lstm_step_s8(first, last, x.cols, q_x, w.ih.s8, w.hh.k, q_h, w.hh.s8, start, c.data,
                            y.data, backwards);
    });
  }

  /// f(first, last unit) for pieces of whole panels.
  template <class F>
  void split_units(int units, F f) noexcept {
    parallel_.split(panels_of(units), 1, [&](int first, int count) {
      f(first * kPanel, min(units, (first + count) * kPanel));
    });
  }

  /// Several rows, some units at a time: their gates stay near. x or gates is empty.
  KINGLET_NOINLINE void lstm_rows(const Lstm& w, ConstMatrix x, Matrix gates, ConstMatrix h,
                                  Matrix c, Matrix y, bool backwards) noexcept {
    KINGLET_ASSERT(w.hh.n == kernels::lstm_gates(w.units) && y.cols == w.units);
    if (y.rows == 0) return;
    KINGLET_ASSERT(!arena_.overflowed() && y.data != h.data);
    ArenaScope scope(arena_);
    const QuantizedRows q_x = taken(w.ih, x), q_h = taken(w.hh, h);
    const Matrix near = x.rows > 0 ? take_lstm_gates(arena_, y.rows, parallel_.threads) : gates;
    const int slices = (panels_of(w.units) + kLstmSlice - 1) / kLstmSlice;
    parallel_.for_each(slices, [&](int i, int worker) {
      const int first = (backwards ? slices - 1 - i : i) * kLstmSlice;
      const int count = min(panels_of(w.units) - first, kLstmSlice);
      const int unit = first * kPanel, units = min(w.units - unit, count * kPanel);
      const int n = 4 * count * kPanel;
      const Matrix g = x.rows > 0 ? near.rows_at(worker * y.rows, y.rows).cols_at(0, n)
                                  : gates.cols_at(4 * unit, n);
      if (x.rows > 0) multiply(w.ih.part(4 * first, n), x, q_x, g, {});
      multiply(w.hh.part(4 * first, n), h, q_h, g, g);
      kernels_.lstm_cell_f32(y.rows, units, g.data, g.ld, c.data + unit, c.ld, y.data + unit, y.ld);
    });
  }

  /// y = x·Wᵀ + b + residual, by this thread.
  void multiply(const Linear& w, ConstMatrix x, const QuantizedRows& q, Matrix y,
                ConstMatrix residual) noexcept {
    const kernels::Epilogue epilogue{w.bias, Activation::none, residual.data, residual.ld};
    if (w.int8()) {
      kernels_.gemm_s8(y.rows, w.n, w.k, q, w.s8, epilogue, y.data, y.ld);
    } else {
      kernels_.gemm_f32(y.rows, w.n, w.k, x.data, x.ld, w.weight, epilogue, y.data, y.ld);
    }
  }

  void quantize(ConstMatrix x, const QuantizedRows& q) noexcept {
    parallel_.split(x.rows, 8, [&](int first, int count) {
      kernels_.quantize_rows(count, x.cols, x.row(first), x.ld, q.from_row(first));
    });
  }

  Arena& arena_;
  Parallel parallel_;
  kernels::Kernels<Isa> kernels_;
};

}  // namespace kinglet
