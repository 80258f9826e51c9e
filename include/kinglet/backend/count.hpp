#pragma once
// Count: the same ops as Cpu, computing nothing. Running a model's own forward with it gives the
// scratch bytes it will take, its floating-point operations and the bytes it moves, so the plan
// cannot drift from what runs.

#include <cstdint>
#include <kinglet/backend/image.hpp>
#include <kinglet/backend/ops.hpp>

namespace kinglet {

class Count {
 public:
  /// threads: as many as Cpu will be lent; each needs scratch of its own.
  explicit Count(int threads = 1) noexcept : threads_(threads) {}

  Arena& arena() noexcept { return arena_; }
  std::size_t scratch_bytes() const noexcept { return arena_.peak(); }

  /// Multiplications and additions of matrix products; one multiply-add is 2. Norms, activations and sums of rows
  /// are not counted, as in the tables of the papers.
  std::uint64_t flops() const noexcept { return flops_; }
  /// Those among them that are done in int8.
  std::uint64_t s8_flops() const noexcept { return s8_flops_; }

  /// Bytes of weights and activations read and written, each operand once an op.
  std::uint64_t bytes_moved() const noexcept { return bytes_; }

  void linear(const Linear& w, ConstMatrix x, Matrix y, Activation = Activation::none,
              ConstMatrix residual = {}) noexcept {
    ArenaScope scope(arena_);
    if (w.int8()) take_quantized(arena_, dynamic_rows(x.rows), w.k);
    multiply(w, w.n, x, y, residual);
  }

  void linear(const Linear& w, const Activations& x, Matrix y, Activation act = Activation::none,
              ConstMatrix residual = {}) noexcept {
    if (!x.quantized()) return linear(w, x.x, y, act, residual);
    multiply(w, w.n, x.x, y, residual);
  }

  void layer_norm(const Norm&, ConstMatrix x, Matrix) noexcept { move(2 * size(x.rows, x.cols)); }
  void layer_norm(const Norm&, ConstMatrix x, const Activations& y) noexcept {
    move(2 * size(x.rows, x.cols));
    quantize(y);
  }

  void quantize(const Activations& x) noexcept {
    if (x.quantized()) bytes_ += size(x.x.rows, x.x.cols);
  }

  void embed(const Table&, const std::int32_t*, Matrix y, bool accumulate = false) noexcept {
    move((accumulate ? 3u : 2u) * size(y.rows, y.cols));
  }

  void attention(ConstMatrix, ConstMatrix, ConstMatrix, const Ragged& queries, const Ragged& keys,
                 int heads, float, Matrix y, Probs* probs, const std::uint8_t* = nullptr) noexcept {
    ArenaScope scope(arena_);
    take_attention_scratch(arena_, threads_, heads, y.cols / heads, queries, keys,
                           probs != nullptr);
    count_attention(queries, keys, y.cols, false);
  }

  void attention_s8(ConstMatrix, ConstMatrix, ConstMatrix, const Ragged& queries,
                    const Ragged& keys, int heads, float, Matrix y) noexcept {
    ArenaScope scope(arena_);
    take_attention_scratch_s8(arena_, threads_, y.cols / heads, keys);
    count_attention(queries, keys, y.cols, true);
  }

  void conv(const Conv& w, const Image& x, const Image& y, Activation = Activation::none,
            const Image& residual = {}) noexcept {
    if (w.linear(x, y, residual)) return linear(w.w, x.rows(), y.rows());
    ArenaScope scope(arena_);
    if (w.w.int8()) take_quantized(arena_, x);
    add_flops(2 * size(y.pixels(), y.channels) * static_cast<std::uint64_t>(w.w.k), w.w.int8());
    const std::uint64_t weights = size(w.groups * panels_of(y.channels / w.groups) * kPanel, w.w.k);
    bytes_ += w.w.int8() ? weights : weights * sizeof(float);
    move(size(x.pixels(), x.channels) + size(y.pixels(), y.channels) +
         size(residual.pixels(), residual.channels));
  }

  void depthwise(const Depthwise& w, const Image& x, const Image& y,
                 Activation = Activation::none) noexcept {
    add_flops(2 * size(y.pixels(), y.channels) * size(w.kernel, w.kernel), false);
    move(size(x.pixels(), x.channels) + size(y.pixels(), y.channels) +
         size(w.kernel * w.kernel, w.channels));
  }

  void max_pool(int, int, int, const Image& x, const Image& y) noexcept {
    move(size(x.pixels(), x.channels) + size(y.pixels(), y.channels));
  }
  void average_pool(const Image& x, Matrix) noexcept { move(size(x.pixels(), x.channels)); }
  void copy_pixels(const Image& x, Matrix) noexcept { move(2 * size(x.pixels(), x.channels)); }
  void zero_border(const Image&) noexcept {}

  void conv_transpose(const ConvTranspose& w, ConstMatrix x, int height, int width, Matrix y,
                      Activation = Activation::none) noexcept {
    ArenaScope scope(arena_);
    const Matrix taps = arena_.matrix(height * width, w.taps.n);
    for (int first = 0; first < x.rows; first += taps.rows) {
      linear(w.taps, x.rows_at(first, taps.rows), taps);
      move(size(taps.rows, taps.cols));
    }
    move(size(y.rows, y.cols));
  }

  void resize_nearest(ConstMatrix x, int, int, int, Matrix y) noexcept {
    move(size(x.rows, x.cols) + size(y.rows, y.cols));
  }
  void resize_bilinear(ConstMatrix x, int, int width, Matrix y, int to_height,
                       int to_width) noexcept {
    ArenaScope scope(arena_);
    take_resize_scratch(arena_, threads_, width, x.cols, to_height, to_width);
    move(size(x.rows, x.cols) + size(y.rows, y.cols));
  }

  void pack_keys(ConstMatrix k, ConstMatrix v, const PackedKeys&) noexcept {
    move(2 * (size(k.rows, k.cols) + size(v.rows, v.cols)));
  }
  void attend(ConstMatrix q, const PackedKeys& keys, float, Matrix y) noexcept {
    ArenaScope scope(arena_);
    arena_.take<float>(static_cast<std::size_t>(threads_) * kernels::attend_scratch_f32(keys.n));
    const int each = keys.count > 0 ? q.rows / keys.count : 0;
    count_attention({keys.count, each}, {keys.count, keys.n}, y.cols, false);
  }

  void lstm_step(const Lstm& w, ConstMatrix x, ConstMatrix h, Matrix c, Matrix y,
                 bool = false) noexcept {
    ArenaScope scope(arena_);
    Matrix gates{nullptr, y.rows, w.ih.n};
    if (y.rows == 1 && w.ih.int8() != w.hh.int8()) {
      gates = arena_.matrix(1, w.ih.n);
      linear(w.ih, x, gates);
    } else {
      if (w.ih.int8()) take_quantized(arena_, x.rows, w.ih.k);
      if (y.rows > 1) take_lstm_gates(arena_, y.rows, threads_);
      multiply(w.ih, 4 * w.units, x, gates, {});
    }
    lstm_gates(w, gates, h, c, y);
  }

  void lstm_gates(const Lstm& w, Matrix gates, ConstMatrix h, Matrix, Matrix y,
                  bool = false) noexcept {
    ArenaScope scope(arena_);
    if (w.hh.int8()) take_quantized(arena_, h.rows, w.hh.k);
    multiply(w.hh, 4 * w.units, h, gates, {});
    lstm_cell(gates, {}, y);
  }

  void lstm_cell(ConstMatrix gates, Matrix, Matrix y) noexcept {
    move(size(gates.rows, gates.cols) + 3 * size(y.rows, y.cols));
  }

  void gru_step(const Gru& w, ConstMatrix x, ConstMatrix h, Matrix y) noexcept {
    ArenaScope scope(arena_);
    const Matrix from_x = arena_.matrix(y.rows, w.ih.n), from_h = arena_.matrix(y.rows, w.hh.n);
    linear(w.ih, x, from_x);
    linear(w.hh, h, from_h);
    move(2 * size(from_x.rows, from_x.cols) + 2 * size(y.rows, y.cols));
  }

  void softmax(ConstMatrix x, Matrix) noexcept { move(2 * size(x.rows, x.cols)); }
  void unit_length(ConstMatrix x, Matrix) noexcept { move(2 * size(x.rows, x.cols)); }
  void copy(ConstMatrix, Matrix y) noexcept { move(2 * size(y.rows, y.cols)); }
  void transpose(ConstMatrix, Matrix y) noexcept { move(2 * size(y.rows, y.cols)); }
  void add(ConstMatrix, Matrix y) noexcept { move(3 * size(y.rows, y.cols)); }
  void zero(Matrix y) noexcept { move(size(y.rows, y.cols)); }

 private:
  static std::uint64_t size(int a, int b) noexcept {
    return static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b);
  }
  void move(std::uint64_t floats) noexcept { bytes_ += floats * sizeof(float); }
  void add_flops(std::uint64_t flops, bool int8) noexcept {
    flops_ += flops;
    if (int8) s8_flops_ += flops;
  }

  /// outputs: of w.n those that are not padding.
  void multiply(const Linear& w, int outputs, ConstMatrix x, Matrix y,
                ConstMatrix residual) noexcept {
    add_flops(2 * size(x.rows, outputs) * static_cast<std::uint64_t>(w.k), w.int8());
    const std::uint64_t weights = size(panels_of(w.n) * kPanel, w.k);
    bytes_ += w.int8() ? weights : weights * sizeof(float);
    move(size(x.rows, x.cols) + size(y.rows, y.cols) + size(residual.rows, residual.cols));
  }

  void count_attention(const Ragged& queries, const Ragged& keys, int width, bool int8) noexcept {
    for (int s = 0; s < queries.count; ++s) {
      const int m = queries.length_of(s), n = keys.length_of(s);
      add_flops(4 * size(m, n) * static_cast<std::uint64_t>(width), int8);
      move(2 * size(m + n, width));
    }
  }

  int threads_;
  Arena arena_;
  std::uint64_t flops_ = 0;
  std::uint64_t s8_flops_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace kinglet
