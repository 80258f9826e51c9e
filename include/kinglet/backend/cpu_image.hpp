#pragma once
// The ops on images, for Cpu: what image.hpp describes. Work is split over rows of the output.

#include <kinglet/backend/image.hpp>
#include <kinglet/backend/parallel.hpp>

namespace kinglet {

/// Base of `Self`, which has arena(), parallel(), table() and linear.
template <class Self>
class CpuImageOps {
 public:
  void conv_transpose(const ConvTranspose& w, ConstMatrix x, int height, int width, Matrix y,
                      Activation act = Activation::none) noexcept {
    const int to_height = w.out(height), to_width = w.out(width);
    const int images = x.rows / (height * width);
    KINGLET_ASSERT(x.rows == images * height * width && y.rows == images * to_height * to_width);
    KINGLET_ASSERT(y.cols == w.channels && w.taps.n == w.kernel * w.kernel * w.channels);
    ArenaScope scope(self().arena());
    const Matrix taps = self().arena().matrix(height * width, w.taps.n);
    const kernels::Taps t{taps.data, taps.ld, height, width, w.kernel, w.stride, w.padding};
    for (int i = 0; i < images; ++i) {
      self().linear(w.taps, x.rows_at(i * height * width, height * width), taps);
      const auto to = image_at(y, i * to_height * to_width, to_height, to_width);
      self().parallel().split(to_height, 1, [&](int first, int count) {
        self().table().overlap_add_f32(t, w.bias, act, first, count, to);
      });
    }
  }

  void resize_nearest(ConstMatrix x, int height, int width, int factor, Matrix y) noexcept {
    const int images = x.rows / (height * width);
    KINGLET_ASSERT(y.rows == x.rows * factor * factor && y.cols == x.cols);
    for (int i = 0; i < images; ++i) {
      const auto from = image_at(x, i * height * width, height, width);
      const auto to =
          image_at(y, i * height * width * factor * factor, height * factor, width * factor);
      self().parallel().split(to.height, 1, [&](int first, int count) {
        self().table().resize_nearest_f32(from, factor, first, count, to);
      });
    }
  }

  void resize_bilinear(ConstMatrix x, int height, int width, Matrix y, int to_height,
                       int to_width) noexcept {
    const int images = x.rows / (height * width);
    KINGLET_ASSERT(y.rows == images * to_height * to_width && y.cols == x.cols);
    const int threads = self().parallel().threads;
    ArenaScope scope(self().arena());
    const ResizeScratch scratch =
        take_resize_scratch(self().arena(), threads, width, x.cols, to_height, to_width);
    kernels::resize_positions(height, to_height, scratch.rows);
    kernels::resize_positions(width, to_width, scratch.columns);
    const int bands = threads > 1 ? 2 * threads : 1;
    for (int i = 0; i < images; ++i) {
      const auto from = image_at(x, i * height * width, height, width);
      const auto to = image_at(y, i * to_height * to_width, to_height, to_width);
      self().parallel().for_each(bands, [&](int band, int worker) {
        const int first = to_height * band / bands, end = to_height * (band + 1) / bands;
        self().table().resize_bilinear_f32(from, scratch.rows, scratch.columns, first, end - first,
                                           to, scratch.lines + worker * scratch.line);
      });
    }
  }

 private:
  Self& self() noexcept { return static_cast<Self&>(*this); }
};

}  // namespace kinglet
