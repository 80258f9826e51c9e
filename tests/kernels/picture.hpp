#pragma once
// Images for the kernel tests: guarded, with gaps between rows or between pixels.

#include <kinglet/kernels/image.hpp>

#include "kernels/check.hpp"
#include "reference/image.hpp"

namespace kinglet::test {

enum class Gaps { none, rows, pixels };

class Picture {
 public:
  Picture(int height, int width, int channels, Gaps gaps = Gaps::none)
      : height_(height),
        width_(width),
        channels_(channels),
        pixel_(gaps == Gaps::pixels ? channels + 3 : channels),
        row_(gaps == Gaps::rows ? width * channels + 5 : width * pixel_),
        store_(gaps == Gaps::pixels ? height * width : height,
               gaps == Gaps::pixels ? channels : width * channels,
               gaps == Gaps::pixels ? pixel_ : row_) {}
  Picture(int height, int width, int channels, Gaps gaps, std::uint64_t seed)
      : Picture(height, width, channels, gaps) {
    Random random(seed);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) random.fill(view().at(y, x), channels);
    }
  }

  /// The same picture with `border` pixels of zeros around it.
  static Picture with_border(const Picture& inner, int border, Gaps gaps) {
    Picture out(inner.height_ + 2 * border, inner.width_ + 2 * border, inner.channels_, gaps);
    for (int y = 0; y < out.height_; ++y) {
      for (int x = 0; x < out.width_; ++x) {
        const int from_y = y - border, from_x = x - border;
        const bool inside =
            from_y >= 0 && from_y < inner.height_ && from_x >= 0 && from_x < inner.width_;
        for (int c = 0; c < inner.channels_; ++c)
          out.view().at(y, x)[c] = inside ? inner.view().at(from_y, from_x)[c] : 0.0f;
      }
    }
    return out;
  }

  kernels::ImageView<float> view() {
    return {store_.data(), height_, width_, channels_, row_, pixel_};
  }
  kernels::ImageView<const float> view() const {
    return {store_.data(), height_, width_, channels_, row_, pixel_};
  }
  std::vector<float> values() const { return store_.values(); }
  reference::Image reference() const { return {height_, width_, channels_, values()}; }
  bool guards_intact() const { return store_.guards_intact(); }

 private:
  int height_, width_, channels_, pixel_, row_;
  Guarded store_;
};

}  // namespace kinglet::test
