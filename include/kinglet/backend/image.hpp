#pragma once
// Images, and what the ops on them take. An image of activations is HWC: one row of channels a
// pixel, pixel by pixel, so an image without a border is a matrix, and a 1 × 1 convolution of it is
// `linear`.
//
//   conv_transpose(w, x, height, width, y [, activation])
//   resize_nearest(x, height, width, factor, y)
//   resize_bilinear(x, height, width, y, to_height, to_width)
//
// x and y are matrices of pixels, of one image after the other: as many as there are rows for.

#include <cstdint>
#include <kinglet/backend/ops.hpp>
#include <kinglet/kernels/overlap_add.hpp>
#include <kinglet/kernels/resize.hpp>

namespace kinglet {

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
