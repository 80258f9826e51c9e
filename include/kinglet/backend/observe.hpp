#pragma once
// Observe<Inner, Watch>: the ops of another backend, one by one under somebody's eyes. Each runs on
// Inner and then on a Count, so that what a watch measures and what the op costs come from one place.
//
// A Watch has
//   begin()            an op starts now
//   end()              it is done
//   seen(ObservedOp)   what it was

#include <kinglet/backend/count.hpp>

namespace kinglet {

struct ObservedOp {
  const char* name;
  const void* weights;  ///< where they begin, or the part of them that it reads; null: it has none
  bool int8;            ///< are they
  std::uint64_t flops, s8_flops, bytes;  ///< as Count has them
};

template <class Inner, class Watch>
class Observe {
 public:
  /// watch: null for none, which costs next to nothing.
  Observe(Inner& inner, Watch* watch) noexcept : inner_(inner), watch_(watch) {}

  Arena& arena() noexcept { return inner_.arena(); }

  void linear(const Linear& w, ConstMatrix x, Matrix y, Activation act = Activation::none,
              ConstMatrix residual = {}) noexcept {
    run("linear", of(w), [&](auto& be) { be.linear(w, x, y, act, residual); });
  }
  void linear(const Linear& w, const Activations& x, Matrix y, Activation act = Activation::none,
              ConstMatrix residual = {}) noexcept {
    run("linear", of(w), [&](auto& be) { be.linear(w, x, y, act, residual); });
  }

  void layer_norm(const Norm& w, ConstMatrix x, Matrix y) noexcept {
    run("layer_norm", {w.gamma}, [&](auto& be) { be.layer_norm(w, x, y); });
  }
  void layer_norm(const Norm& w, ConstMatrix x, const Activations& y) noexcept {
    run("layer_norm", {w.gamma}, [&](auto& be) { be.layer_norm(w, x, y); });
  }

  void quantize(const Activations& x) noexcept {
    run("quantize", {}, [&](auto& be) { be.quantize(x); });
  }

  void embed(const Table& table, const std::int32_t* ids, Matrix y,
             bool accumulate = false) noexcept {
    run("embed", of(table), [&](auto& be) { be.embed(table, ids, y, accumulate); });
  }

  void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const Ragged& queries,
                 const Ragged& keys, int heads, float scale, Matrix y, Probs* probs,
                 const std::uint8_t* mask = nullptr) noexcept {
    run("attention", {},
        [&](auto& be) { be.attention(q, k, v, queries, keys, heads, scale, y, probs, mask); });
  }
  void attention_s8(ConstMatrix q, ConstMatrix k, ConstMatrix v, const Ragged& queries,
                    const Ragged& keys, int heads, float scale, Matrix y) noexcept {
    run("attention", {nullptr, true},
        [&](auto& be) { be.attention_s8(q, k, v, queries, keys, heads, scale, y); });
  }
  void pack_keys(ConstMatrix k, ConstMatrix v, const PackedKeys& packed) noexcept {
    run("pack_keys", {}, [&](auto& be) { be.pack_keys(k, v, packed); });
  }
  void attend(ConstMatrix q, const PackedKeys& keys, float scale, Matrix y) noexcept {
    run("attend", {}, [&](auto& be) { be.attend(q, keys, scale, y); });
  }

  void lstm_step(const Lstm& w, const ConstMatrix& x, const ConstMatrix& h, const Matrix& c,
                 const Matrix& y, bool backwards = false) noexcept {
    run("lstm_step", of(w.hh), [&](auto& be) { be.lstm_step(w, x, h, c, y, backwards); });
  }
  void lstm_gates(const Lstm& w, const Matrix& gates, const ConstMatrix& h, const Matrix& c,
                  const Matrix& y, bool backwards = false) noexcept {
    run("lstm_gates", of(w.hh), [&](auto& be) { be.lstm_gates(w, gates, h, c, y, backwards); });
  }
  void lstm_cell(ConstMatrix gates, Matrix c, Matrix y) noexcept {
    run("lstm_cell", {}, [&](auto& be) { be.lstm_cell(gates, c, y); });
  }
  void gru_step(const Gru& w, ConstMatrix x, ConstMatrix h, Matrix y) noexcept {
    run("gru_step", of(w.hh), [&](auto& be) { be.gru_step(w, x, h, y); });
  }

  void softmax(ConstMatrix x, Matrix y) noexcept {
    run("softmax", {}, [&](auto& be) { be.softmax(x, y); });
  }
  void unit_length(ConstMatrix x, Matrix y) noexcept {
    run("unit_length", {}, [&](auto& be) { be.unit_length(x, y); });
  }
  void copy(ConstMatrix x, Matrix y) noexcept {
    run("copy", {}, [&](auto& be) { be.copy(x, y); });
  }
  void transpose(ConstMatrix x, Matrix y) noexcept {
    run("transpose", {}, [&](auto& be) { be.transpose(x, y); });
  }
  void add(ConstMatrix x, Matrix y) noexcept {
    run("add", {}, [&](auto& be) { be.add(x, y); });
  }
  void zero(Matrix y) noexcept {
    run("zero", {}, [&](auto& be) { be.zero(y); });
  }

  void conv(const Conv& w, const Image& x, const Image& y, Activation act = Activation::none,
            const Image& residual = {}) noexcept {
    run("conv", of(w.w), [&](auto& be) { be.conv(w, x, y, act, residual); });
  }
  void depthwise(const Depthwise& w, const Image& x, const Image& y,
                 Activation act = Activation::none) noexcept {
    run("depthwise", {w.weight}, [&](auto& be) { be.depthwise(w, x, y, act); });
  }
  void max_pool(int kernel, int stride, int padding, const Image& x, const Image& y) noexcept {
    run("max_pool", {}, [&](auto& be) { be.max_pool(kernel, stride, padding, x, y); });
  }
  void average_pool(const Image& x, Matrix y) noexcept {
    run("average_pool", {}, [&](auto& be) { be.average_pool(x, y); });
  }
  void copy_pixels(const Image& x, Matrix y) noexcept {
    run("copy_pixels", {}, [&](auto& be) { be.copy_pixels(x, y); });
  }
  void zero_border(const Image& x) noexcept {
    run("zero_border", {}, [&](auto& be) { be.zero_border(x); });
  }
  void conv_transpose(const ConvTranspose& w, ConstMatrix x, int height, int width, Matrix y,
                      Activation act = Activation::none) noexcept {
    run("conv_transpose", of(w.taps),
        [&](auto& be) { be.conv_transpose(w, x, height, width, y, act); });
  }
  void resize_nearest(ConstMatrix x, int height, int width, int factor, Matrix y) noexcept {
    run("resize_nearest", {}, [&](auto& be) { be.resize_nearest(x, height, width, factor, y); });
  }
  void resize_bilinear(ConstMatrix x, int height, int width, Matrix y, int to_height,
                       int to_width) noexcept {
    run("resize_bilinear", {},
        [&](auto& be) { be.resize_bilinear(x, height, width, y, to_height, to_width); });
  }

 private:
  struct Weights {
    const void* data = nullptr;
    bool int8 = false;
  };
  static Weights of(const Linear& w) noexcept {
    return w.int8() ? Weights{w.s8.panels, true} : Weights{w.weight};
  }
  static Weights of(const Table& table) noexcept {
    return table.int8() ? Weights{table.s8, true} : Weights{table.data};
  }

  /// op(backend): on any backend.
  template <class Op>
  void run(const char* name, const Weights& weights, Op op) noexcept {
    if (watch_ == nullptr) return op(inner_);
    watch_->begin();
    op(inner_);
    watch_->end();
    Count count;
    op(count);
    watch_->seen(
        {name, weights.data, weights.int8, count.flops(), count.s8_flops(), count.bytes_moved()});
  }

  Inner& inner_;
  Watch* watch_;
};

}  // namespace kinglet
