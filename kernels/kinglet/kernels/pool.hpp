#pragma once
// Pooling of HWC images.

#include <kinglet/kernels/conv.hpp>
#include <limits>

namespace kinglet::kernels {

/// y[p] = max x[p·stride + (ky, kx) − padding] over the taps that lie in x, for `count` lines of y
/// from `first` on
/// shapes    x (height, width, channels)   y (its own height and width, channels)
/// requires  every output sees a pixel of x; window.dilation = 1; y does not overlap x
/// numerics  exact; NaN may get lost
/// memory    none
/// oracle    tests/reference/image.hpp
template <class Isa>
void max_pool_f32(const Window& window, int padding, const ImageView<const float>& x, int first,
                  int count, const ImageView<float>& y) noexcept {
  KINGLET_ASSERT(x.channels == y.channels && window.stride > 0);
  using V = Floats<Isa>;
  for (int line = first; line < first + count; ++line) {
    const int top = line * window.stride - padding;
    const int y0 = top > 0 ? top : 0;
    const int y1 = top + window.height < x.height ? top + window.height : x.height;
    for (int column = 0; column < y.width; ++column) {
      const int left = column * window.stride - padding;
      const int x0 = left > 0 ? left : 0;
      const int x1 = left + window.width < x.width ? left + window.width : x.width;
      const auto most = [&](int channel, auto... inside) {
        V v = -std::numeric_limits<float>::infinity();
        for (int from = y0; from < y1; ++from) {
          for (int at = x0; at < x1; ++at)
            v = larger(v, V::load(x.at(from, at) + channel, inside...));
        }
        v.store(y.at(line, column) + channel, inside...);
      };
      int channel = 0;
      for (; channel <= y.channels - V::size; channel += V::size) most(channel);
      if (channel < y.channels) most(channel, y.channels - channel);
    }
  }
}

/// y[c] = Σ x[·][c] / pixels
/// shapes    x (height, width, channels)   y (channels)
/// requires  height, width > 0
/// numerics  one sum over the pixels in their order, then one division; same bits on every ISA
/// memory    none
/// oracle    tests/reference/image.hpp
template <class Isa>
void average_pool_f32(const ImageView<const float>& x, float* y) noexcept {
  KINGLET_ASSERT(x.height > 0 && x.width > 0);
  using V = Floats<Isa>;
  const V pixels = static_cast<float>(x.height * x.width);
  const auto average = [&](int channel, auto... inside) {
    V sum = 0.0f;
    for (int line = 0; line < x.height; ++line) {
      for (int column = 0; column < x.width; ++column)
        sum = sum + V::load(x.at(line, column) + channel, inside...);
    }
    (sum / pixels).store(y + channel, inside...);
  };
  int channel = 0;
  for (; channel <= x.channels - V::size; channel += V::size) average(channel);
  if (channel < x.channels) average(channel, x.channels - channel);
}

}  // namespace kinglet::kernels
