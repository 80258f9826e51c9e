#pragma once
// Images, and what the ops on them take. Activations of an image are HWC: one row of channels a
// pixel, pixel by pixel, so an image without a border is a matrix, and a 1 × 1 convolution of it in
// fp32 is `linear`.
//
//   conv(w, x, y [, activation, residual])         y = act(x * W + b + residual); in int8 where W is
//   depthwise(w, x, y [, activation])
//   max_pool(kernel, stride, padding, x, y)        y's size says how many: also in ceil mode
//   average_pool(x, y)                             a row of y an image: the mean of its pixels
//   copy_pixels(x, y)                              rows of y: the pixels without the border
//   zero_border(x)                                 for an image that something else has filled
//
// of images, whose borders they read as zeros and write; and of matrices of pixels, of as many
// images one after the other as there are rows for:
//
//   conv_transpose(w, x, height, width, y [, activation])
//   resize_nearest(x, height, width, factor, y)
//   resize_bilinear(x, height, width, y, to_height, to_width)

#include <cstdint>
#include <kinglet/backend/ops.hpp>
#include <kinglet/kernels/conv.hpp>
#include <kinglet/kernels/overlap_add.hpp>
#include <kinglet/kernels/resize.hpp>

namespace kinglet {

/// `count` images of one size, one after the other, each with `border` pixels of zeros on every side.
struct Image {
  float* data = nullptr;
  int count = 0, height = 0, width = 0, channels = 0;
  int border = 0;

  constexpr std::ptrdiff_t row_size() const noexcept {
    return static_cast<std::ptrdiff_t>(width + 2 * border) * channels;
  }
  constexpr std::ptrdiff_t size() const noexcept {  ///< of one image
    return (height + 2 * border) * row_size();
  }
  constexpr int pixels() const noexcept { return count * height * width; }

  /// Without the border. Null stays null.
  constexpr kernels::ImageView<float> view() const noexcept { return view(0); }
  /// With `margin` pixels of the border at the top and at the left.
  constexpr kernels::ImageView<float> view(int margin) const noexcept {
    const int skipped = border - margin;
    float* const first = data ? data + skipped * (row_size() + channels) : nullptr;
    return {first, height, width, channels, row_size(), channels, size()};
  }
  /// An image without a border as rows.
  constexpr Matrix rows() const noexcept { return {data, pixels(), channels}; }
};

inline Image take_image(Arena& arena, int count, int height, int width, int channels,
                        int border = 0) noexcept {
  Image x{nullptr, count, height, width, channels, border};
  x.data = arena.take<float>(static_cast<std::size_t>(count * x.size()));
  return x;
}

/// A convolution. Row n of `w` is what makes output n, in the order ky, kx, input channel; of groups,
/// each has whole panels: w is that of Binder::linear with so many parts. Where w is int8, each image
/// becomes int8 as a whole, with one scale and zero point, whatever the kernel, borders and residual;
/// the channels of a group are a multiple of kDepth, and w has no factors of columns.
struct Conv {
  Linear w;
  int kernel = 1, stride = 1, padding = 0, dilation = 1, groups = 1;

  constexpr explicit operator bool() const noexcept { return static_cast<bool>(w); }
  constexpr int out(int size) const noexcept {
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  }
  constexpr kernels::Window window() const noexcept { return {kernel, kernel, stride, dilation}; }
  /// Is it a product of matrices of pixels? Not in int8: each pixel would get a scale of its own.
  constexpr bool linear(const Image& x, const Image& y, const Image& residual) const noexcept {
    return !w.int8() && kernel == 1 && stride == 1 && padding == 0 && groups == 1 &&
           x.border == 0 && y.border == 0 && residual.channels == 0;
  }
};

/// A convolution of each channel by itself: weights [ky][kx][channel].
struct Depthwise {
  const float* weight = nullptr;
  const float* bias = nullptr;
  int channels = 0;
  int kernel = 1, stride = 1, padding = 0, dilation = 1;

  constexpr int out(int size) const noexcept {
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  }
};

/// A transposed convolution: one product for each input pixel and a sum where its taps overlap. Row
/// (ky·kernel + kx)·channels + c of `taps` is tap (ky, kx) of output channel c; it has no bias.
struct ConvTranspose {
  Linear taps;
  const float* bias = nullptr;  ///< [channels]
  int channels = 0;
  int kernel = 1, stride = 1, padding = 0;

  constexpr explicit operator bool() const noexcept { return static_cast<bool>(taps); }
  constexpr int out(int size) const noexcept { return (size - 1) * stride - 2 * padding + kernel; }
};

/// The image that begins at row `first` of x.
template <class T>
constexpr kernels::ImageView<T> image_at(const MatrixView<T>& x, int first, int height,
                                         int width) noexcept {
  const std::ptrdiff_t pixel = x.ld;
  return {x.data ? x.row(first) : nullptr, height, width, x.cols, width * pixel, pixel};
}

/// Room for the int8 of images, each as one row with its border: a scale and a zero point an image.
inline QuantizedRows take_quantized(Arena& arena, const Image& x) noexcept {
  return take_quantized(arena, x.count, static_cast<int>(x.size()));
}

/// Scratch of resize_bilinear: positions of rows and columns, and a line a worker.
struct ResizeScratch {
  kernels::Between rows, columns;
  float* lines;
  std::ptrdiff_t line;
};

inline ResizeScratch take_resize_scratch(Arena& arena, int threads, int width, int channels,
                                         int to_height, int to_width) noexcept {
  const auto positions = [&](int n) {
    const auto size = static_cast<std::size_t>(n);
    kernels::Between at;
    at.first = arena.take<std::int32_t>(size);
    at.weight = arena.take<float>(size);
    return at;
  };
  ResizeScratch scratch{};
  scratch.rows = positions(to_height);
  scratch.columns = positions(to_width);
  scratch.line = static_cast<std::ptrdiff_t>(width) * channels;
  scratch.lines = arena.take<float>(static_cast<std::size_t>(threads * scratch.line));
  return scratch;
}

}  // namespace kinglet
