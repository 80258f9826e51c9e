#pragma once
// The second half of a transposed convolution. Its first half is a product: for every input pixel
// the channels of kernel × kernel outputs (its taps), which here are added up where they overlap:
//
//     kernel 4, stride 2, padding 1           taps of input x:   0   1   2   3
//                                             reach output       2x−1 2x 2x+1 2x+2
//
// The product is an ordinary one, f32 or int8, and reads the weights once.

#include <kinglet/kernels/activation.hpp>
#include <kinglet/kernels/image.hpp>

namespace kinglet::kernels {

/// What a transposed convolution computes for each input pixel: taps of `channels` numbers at
/// kernel × kernel places, `ld` from one input pixel to the next.
struct Taps {
  const float* data = nullptr;
  std::ptrdiff_t ld = 0;
  int height = 0, width = 0;  ///< of the input
  int kernel = 1, stride = 1, padding = 0;
};

namespace detail {

/// y += x[0] + … + x[N − 1], in this order, for `count` pixels that lie step_x and step_y apart.
template <class Isa, int N>
KINGLET_INLINE void add_pixels(int count, int channels, const float* const* x,
                               std::ptrdiff_t step_x, float* y, std::ptrdiff_t step_y) noexcept {
  using V = Floats<Isa>;
  if (channels == 1) {
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      float sum = y[i * step_y];
      KINGLET_UNROLL
      for (int t = 0; t < N; ++t) sum += x[t][i * step_x];
      y[i * step_y] = sum;
    }
    return;
  }
  for (std::ptrdiff_t i = 0; i < count; ++i, y += step_y) {
    const auto add = [=](int c, auto... inside) {
      V sum = V::load(y + c, inside...);
      KINGLET_UNROLL
      for (int t = 0; t < N; ++t) sum = sum + V::load(x[t] + i * step_x + c, inside...);
      sum.store(y + c, inside...);
    };
    int c = 0;
    for (; c <= channels - V::size; c += V::size) add(c);
    if (c < channels) add(c, channels - c);
  }
}

/// The taps that are added to a run of outputs, four at a time.
template <class Isa>
struct TapSum {
  int count, channels;
  std::ptrdiff_t step_x;
  float* y;
  std::ptrdiff_t step_y;
  const float* taps[4];
  int held = 0;

  KINGLET_INLINE void add(const float* tap) noexcept {
    taps[held++] = tap;
    if (held == 4) flush();
  }
  KINGLET_INLINE void flush() noexcept {
    const float* const* from = taps;
    if (held == 4) add_pixels<Isa, 4>(count, channels, from, step_x, y, step_y);
    if (held == 2 || held == 3) add_pixels<Isa, 2>(count, channels, from, step_x, y, step_y);
    if (held == 1 || held == 3)
      add_pixels<Isa, 1>(count, channels, from + held - 1, step_x, y, step_y);
    held = 0;
  }
};

}  // namespace detail

/// y[p] = act(bias + Σ t[q][ky][kx] over the input pixels q with p = q·stride + (ky, kx) − padding)
/// for `count` rows of y from `first` on
/// shapes    t (height·width, kernel·kernel·channels)   bias (channels)   y (its own)
/// layout    rows of t contiguous, in the order ky, kx, channel
/// requires  kernel, stride > 0, padding ≥ 0; y overlaps neither t nor bias
/// numerics  additions in ascending order of ky, then kx, from the bias on; same bits on every ISA
///           with FMA, for any split of the rows
/// memory    none
/// oracle    tests/reference/image.hpp
template <class Isa>
void overlap_add_f32(const Taps& t, const float* bias, Activation act, int first, int count,
                     const ImageView<float>& y) noexcept {
  KINGLET_ASSERT(t.kernel > 0 && t.stride > 0 && t.padding >= 0);
  const int c = y.channels;
  for (int row = first; row < first + count; ++row) {
    if (c == 1) {
      for (int x = 0; x < y.width; ++x) *y.at(row, x) = *bias;
    } else {
      for (int x = 0; x < y.width; ++x) copy<Isa>(c, y.at(row, x), bias);
    }
    // Every stride-th pixel has the same taps, but for the first and the last ones.
    for (int phase = 0; phase < t.stride && phase < y.width; ++phase) {
      const int reach = (phase + t.padding) / t.stride, kx = (phase + t.padding) % t.stride;
      const int taps =
          (t.kernel - kx + t.stride - 1) / t.stride;  // tap j is of pixel i + reach − j
      const int pixels = (y.width - phase + t.stride - 1) / t.stride;
      for (int i = 0, end; i < pixels; i = end) {
        const int most = i + reach + 1, least = most - t.width;
        const bool middle = most >= taps && least <= 0;
        end = middle && t.width - reach < pixels ? t.width - reach : middle ? pixels : i + 1;
        detail::TapSum<Isa> sum{
            end - i, c, t.ld, y.at(row, phase + i * t.stride), t.stride * y.pixel, {}};
        for (int ky = (row + t.padding) % t.stride; ky < t.kernel; ky += t.stride) {
          const int from = (row + t.padding - ky) / t.stride;
          if (row + t.padding < ky || from >= t.height) continue;
          for (int j = least > 0 ? least : 0; j < taps && j < most; ++j) {
            sum.add(t.data + (static_cast<std::ptrdiff_t>(from) * t.width + i + reach - j) * t.ld +
                    (ky * t.kernel + kx + j * t.stride) * c);
          }
        }
        sum.flush();
      }
    }
    if (y.pixel == c) {
      activate_f32<Isa>(act, y.width * c, y.at(row, 0), y.at(row, 0));
    } else {
      for (int x = 0; x < y.width; ++x) activate_f32<Isa>(act, c, y.at(row, x), y.at(row, x));
    }
  }
}

}  // namespace kinglet::kernels
