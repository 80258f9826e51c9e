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

/// y += x for `count` pixels, which lie `step_y` and `step_x` apart.
template <class Isa>
KINGLET_INLINE void add_pixels(int count, int channels, const float* x, std::ptrdiff_t step_x,
                               float* y, std::ptrdiff_t step_y) noexcept {
  if (channels == 1) {
    for (int i = 0; i < count; ++i) y[i * step_y] += x[i * step_x];
    return;
  }
  for (int i = 0; i < count; ++i, x += step_x, y += step_y) add_f32<Isa>(channels, x, y, y);
}

}  // namespace detail

/// y[p] = act(bias + Σ t[q][ky][kx] over the input pixels q with p = q·stride + (ky, kx) − padding)
/// for `count` rows of y from `first` on
/// shapes    t (height·width, kernel·kernel·channels)   bias (channels) or null   y (its own)
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
    for (int x = 0; x < y.width; ++x) {
      for (int i = 0; i < c; ++i) y.at(row, x)[i] = bias ? bias[i] : 0.0f;
    }
    for (int ky = 0; ky < t.kernel; ++ky) {
      const int from = row + t.padding - ky;  // input row · stride
      if (from < 0 || from % t.stride != 0 || from / t.stride >= t.height) continue;
      for (int kx = 0; kx < t.kernel; ++kx) {
        // Input pixels whose tap kx falls into the row: 0 ≤ q·stride + kx − padding < width.
        const int before = t.padding - kx;
        const int begin = before > 0 ? (before + t.stride - 1) / t.stride : 0;
        const int last = y.width - 1 + before;
        const int end = last < 0 ? 0 : last / t.stride < t.width ? last / t.stride + 1 : t.width;
        const std::ptrdiff_t q = static_cast<std::ptrdiff_t>(from / t.stride) * t.width + begin;
        detail::add_pixels<Isa>(end - begin, c, t.data + q * t.ld + (ky * t.kernel + kx) * c, t.ld,
                                y.at(row, begin * t.stride - before), t.stride * y.pixel);
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
