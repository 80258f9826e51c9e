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
