#pragma once
// The ops on images, for Cpu: what image.hpp describes. Work is split over lines of the output, that
// of convolutions with many outputs over panels.

#include <kinglet/backend/image.hpp>
#include <kinglet/backend/parallel.hpp>

namespace kinglet {

/// Base of `Self`, which has arena(), parallel(), table() and linear.
template <class Self>
class CpuImageOps {
 public:
  void conv(const Conv& w, const Image& x, const Image& y, Activation act = Activation::none,
            const Image& residual = {}) noexcept {
    KINGLET_ASSERT(x.count == y.count && x.border >= w.padding);
    KINGLET_ASSERT(y.height == w.out(x.height) && y.width == w.out(x.width));
    KINGLET_ASSERT(w.w.k * w.groups == w.kernel * w.kernel * x.channels);
    if (w.linear(x, y, residual)) return self().linear(w.w, x.rows(), y.rows(), act);
    if (!w.w.int8()) {
      for_parts(w, y, residual, act,
                [&](int group, const Linear& part, const auto& epilogue, int first, int count,
                    const auto& to) {
                  self().table().conv_f32(w.window(),
                                          channels_of(x.view(w.padding), group, w.groups),
                                          part.weight, epilogue, first, count, to);
                });
    } else {
      ArenaScope scope(self().arena());
      const QuantizedRows q = take_quantized(self().arena(), x);
      const int size = static_cast<int>(x.size());
      self().parallel().for_each(x.count, [&](int i, int) {
        self().table().quantize_rows(1, size, x.data + i * x.size(), size, q.from_row(i));
      });
      const kernels::ImageView<float> f32 = x.view(w.padding);
      const kernels::ImageView<const std::int8_t> from{
          q.q + (f32.data - x.data), f32.height, f32.width, f32.channels, f32.row, f32.pixel, q.ld};
      for_parts(w, y, residual, act,
                [&](int group, const Linear& part, const auto& epilogue, int first, int count,
                    const auto& to) {
                  self().table().conv_s8(w.window(), channels_of(from, group, w.groups), q.scale,
                                         q.zero, part.s8, epilogue, first, count, to);
                });
    }
    zero_border(y);
  }

  void depthwise(const Depthwise& w, const Image& x, const Image& y,
                 Activation act = Activation::none) noexcept {
    KINGLET_ASSERT(x.channels == w.channels && x.border >= w.padding);
    const kernels::Window window{w.kernel, w.kernel, w.stride, w.dilation};
    for_lines(x.view(w.padding), y, [&](const auto& from, const auto& to, int first, int count) {
      self().table().depthwise_f32(window, from, w.weight, w.bias, act, first, count, to);
    });
  }

  void max_pool(int kernel, int stride, int padding, const Image& x, const Image& y) noexcept {
    KINGLET_ASSERT(x.channels == y.channels);
    const kernels::Window window{kernel, kernel, stride, 1};
    for_lines(x.view(), y, [&](const auto& from, const auto& to, int first, int count) {
      self().table().max_pool_f32(window, padding, from, first, count, to);
    });
  }

  void average_pool(const Image& x, Matrix y) noexcept {
    KINGLET_ASSERT(y.rows == x.count && y.cols == x.channels);
    for (int i = 0; i < x.count; ++i) {
      auto from = x.view();
      from.data += i * from.image;
      self().table().average_pool_f32(from, y.row(i));
    }
  }

  void copy_pixels(const Image& x, Matrix y) noexcept {
    KINGLET_ASSERT(y.rows == x.pixels() && y.cols == x.channels);
    for (int line = 0; line < x.count * x.height; ++line) {
      const float* const from = x.view().at(line % x.height, 0) + line / x.height * x.size();
      self().copy({from, x.width, x.channels}, y.rows_at(line * x.width, x.width));
    }
  }

  void zero_border(const Image& x) noexcept {
    const auto zero = [](float* at, std::ptrdiff_t n) {
      for (std::ptrdiff_t i = 0; i < n; ++i) at[i] = 0;
    };
    const std::ptrdiff_t side = static_cast<std::ptrdiff_t>(x.border) * x.channels;
    const std::ptrdiff_t lid = x.border * x.row_size();
    for (int i = 0; i < x.count && x.border > 0; ++i) {
      float* const image = x.data + i * x.size();
      zero(image, lid);
      zero(image + x.size() - lid, lid);
      for (int line = x.border; line < x.border + x.height; ++line) {
        float* const row = image + line * x.row_size();
        zero(row, side);
        zero(row + x.row_size() - side, side);
      }
    }
  }

  void conv_transpose(const ConvTranspose& w, ConstMatrix x, int height, int width, Matrix y,
                      Activation act = Activation::none) noexcept {
    const int to_height = w.out(height), to_width = w.out(width);
    const int images = images_in(x, height, width);
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
    const int images = images_in(x, height, width);
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
    const int images = images_in(x, height, width);
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
  static int images_in(const ConstMatrix& x, int height, int width) noexcept {
    return x.rows > 0 ? x.rows / (height * width) : 0;
  }

  /// run(group, part of its weights, epilogue, first pixel, pixels, its channels of y) for pieces of a
  /// convolution's output.
  template <class Run>
  void for_parts(const Conv& w, const Image& y, const Image& residual, Activation act,
                 Run run) noexcept {
    const int outputs = y.channels / w.groups, panels = panels_of(outputs);
    for (int g = 0; g < w.groups; ++g) {
      const Linear group = w.w.part(g * panels, outputs);
      const auto piece = [&](int panel, int count, int first, int pixels) {
        const int column = panel * kPanel, left = outputs - column;
        const Linear part = group.part(panel, left < count * kPanel ? left : count * kPanel);
        const auto part_of = [&](const Image& image) {
          auto view = channels_of(image.view(), g, w.groups);
          if (view.data) view.data += column;
          view.channels = part.n;
          return view;
        };
        run(g, part, kernels::ConvEpilogue{part.bias, act, part_of(residual)}, first, pixels,
            part_of(y));
      };
      constexpr int kPanels = 4;  // as wide as a tile
      if (panels >= 2 * kPanels * self().parallel().threads) {
        self().parallel().split(panels, kPanels,
                                [&](int first, int count) { piece(first, count, 0, y.pixels()); });
      } else {
        constexpr int kPixels = 12;  // of whole tiles
        self().parallel().split(y.pixels(), kPixels,
                                [&](int first, int count) { piece(0, panels, first, count); });
      }
    }
  }

  /// The channels of one group.
  template <class T>
  static constexpr kernels::ImageView<T> channels_of(kernels::ImageView<T> view, int group,
                                                     int groups) noexcept {
    view.channels /= groups;
    if (view.data) view.data += group * view.channels;
    return view;
  }

  /// run(image of x, image of y, first, count) for the lines of every image, and y's border.
  template <class Run>
  void for_lines(kernels::ImageView<float> from, const Image& y, Run run) noexcept {
    auto to = y.view();
    for (int i = 0; i < y.count; ++i, from.data += from.image, to.data += to.image) {
      self().parallel().split(y.height, 1,
                              [&](int first, int count) { run(from, to, first, count); });
    }
    zero_border(y);
  }

  Self& self() noexcept { return static_cast<Self&>(*this); }
};

}  // namespace kinglet
