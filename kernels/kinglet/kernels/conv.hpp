#pragma once
// Convolutions of HWC images. The general one is a matrix product without the matrix: row p of it
// is what the kernel sees from output pixel p, in the order ky, kx, channel, and lies in the image
// itself, in runs of contiguous numbers:
//
//     3 × 3, C channels              image, with its border of zeros
//
//     ky = 0: 3·C numbers       ┌ ▒▒▒ ········· ┐
//     ky = 1: 3·C numbers, one  │ ▒▒▒ ········· │
//     ky = 2: line further      └ ▒▒▒ ········· ┘
//
// A run is one ky where neighbours touch, and one (ky, kx) with dilation or in a group of channels.
// Panels and tiles are those of gemm_f32.hpp and gemm_s8.hpp: a tile's rows are any output pixels, one after the
// other, of any line and image of a batch. The border belongs to the image and is as wide as the
// padding, so no tap is ever tested for.

#include <kinglet/kernels/gemm_s8.hpp>
#include <kinglet/kernels/image.hpp>

namespace kinglet::kernels {

/// What a convolution sees from an output pixel, and how far it moves to the next one.
struct Window {
  int height = 1, width = 1;
  int stride = 1, dilation = 1;
};

struct ConvEpilogue {
  const float* bias = nullptr;  ///< [ceil(n/16)·16], zero padded
  Activation act = Activation::none;
  ImageView<const float> residual;  ///< of the size of y, or data = null; may be y
};

namespace detail {

/// Where output pixels lie, counted over lines and images.
struct PixelCursor {
  int image, y, x;

  KINGLET_INLINE PixelCursor(int pixel, int height, int width) noexcept
      : image(pixel / width / height), y(pixel / width % height), x(pixel % width) {}
  KINGLET_INLINE void next(int height, int width) noexcept {
    if (++x < width) return;
    x = 0;
    if (++y < height) return;
    y = 0;
    ++image;
  }
  template <class T>
  KINGLET_INLINE std::ptrdiff_t offset(const ImageView<T>& in, int stride = 1) const noexcept {
    return image * in.image + static_cast<std::ptrdiff_t>(y) * stride * in.row +
           static_cast<std::ptrdiff_t>(x) * stride * in.pixel;
  }
};

/// The runs of a window.
struct WindowRuns {
  int count, across;  ///< in all, and in a line
  int numbers;        ///< in a run
  std::ptrdiff_t line, next;

  template <class T>
  KINGLET_INLINE WindowRuns(const Window& w, const ImageView<T>& x) noexcept {
    const bool touching = x.pixel == x.channels && w.dilation == 1;
    across = touching ? 1 : w.width;
    count = w.height * across;
    numbers = touching ? w.width * x.channels : x.channels;
    line = w.dilation * x.row;
    next = w.dilation * x.pixel;
  }
};

/// The rows that a tile reads through a window: StridedRows for pixels anywhere.
template <class Element, int Rows>
struct WindowRows {
  const Element* a;
  const Element* first;
  std::ptrdiff_t at[Rows];
  int runs, across, steps;
  std::ptrdiff_t line, next_run;

  KINGLET_INLINE int steps_of(int) const noexcept { return steps; }
  KINGLET_INLINE void begin(int run) noexcept {
    a = first + run / across * line + run % across * next_run;
  }
  KINGLET_INLINE void advance(int numbers) noexcept { a += numbers; }
  KINGLET_INLINE const Element* row(int r) const noexcept { return a + at[r]; }
  KINGLET_INLINE std::ptrdiff_t to_next(int r) const noexcept { return at[r + 1] - at[r]; }
};

/// One call of a convolution of Elements, for for_tiles: what f32 and int8 have in common.
template <class Isa, class Element>
struct ConvCall {
  const Window& window;
  const ImageView<const Element>& x;
  const ConvEpilogue& epilogue;
  int first;
  const ImageView<float>& y;
  WindowRuns runs;

  /// What a tile of Rows pixels from pixel `row` and column `column` on reads and writes.
  template <int Rows>
  struct Tile {
    WindowRows<Element, Rows> rows;
    std::ptrdiff_t to[Rows], residual[Rows];
    int image[Rows];
  };

  template <int Rows>
  KINGLET_INLINE void place(int row, int column, int group, Tile<Rows>& tile) const noexcept {
    WindowRows<Element, Rows>& rows = tile.rows;
    rows.a = rows.first = x.data;
    rows.runs = runs.count;
    rows.across = runs.across;
    rows.steps = runs.numbers / group;
    rows.line = runs.line;
    rows.next_run = runs.next;
    PixelCursor pixel(first + row, y.height, y.width);
    KINGLET_UNROLL
    for (int r = 0; r < Rows; ++r, pixel.next(y.height, y.width)) {
      rows.at[r] = pixel.offset(x, window.stride);
      tile.to[r] = pixel.offset(y) + column;
      tile.residual[r] = pixel.offset(epilogue.residual) + column;
      tile.image[r] = pixel.image;
    }
  }

  KINGLET_INLINE TileOut buffer(float* t, int columns, int column) const noexcept {
    return {t, columns, epilogue.bias ? epilogue.bias + column : nullptr, nullptr, 0};
  }

  /// y = act(t + residual), for the columns that exist.
  template <int Rows>
  KINGLET_INLINE void finish(const Tile<Rows>& tile, int columns, int column,
                             float* t) const noexcept {
    const int left = y.channels - column;
    const int inside = left < columns ? left : columns;
    for (int r = 0; r < Rows && inside > 0; ++r) {
      float* const sums = t + r * columns;
      if (epilogue.residual.data)
        add_f32<Isa>(inside, sums, epilogue.residual.data + tile.residual[r], sums);
      activate_f32<Isa>(epilogue.act, inside, sums, y.data + tile.to[r]);
    }
  }
};

template <class Isa>
struct ConvF32 {
  ConvCall<Isa, float> call;
  const float* panels;

  template <int Rows, int Across>
  KINGLET_INLINE void run(int row, int v, Fetch fetch) const noexcept {
    constexpr int kColumns = Across * Floats<Isa>::size;
    const int column = v * Floats<Isa>::size;
    typename ConvCall<Isa, float>::template Tile<Rows> tile;
    call.place(row, column, 1, tile);
    float t[Rows * kColumns];
    multiply<Isa, Rows, Across>(call.runs.count * call.runs.numbers, tile.rows, panels, v, fetch,
                                call.buffer(t, kColumns, column));
    call.finish(tile, kColumns, column, t);
  }
};

template <class Isa>
struct ConvS8 {
  ConvCall<Isa, std::int8_t> call;
  const float* scale;
  const std::int32_t* zero;
  const WeightsS8& w;

  template <int Rows, int Across>
  KINGLET_INLINE void run(int row, int v, Fetch fetch) const noexcept {
    using D = Dot<Isa>;
    constexpr int kColumns = Across * D::lanes;
    const int column = v * D::lanes;
    const std::ptrdiff_t depth = static_cast<std::ptrdiff_t>(call.runs.count) * call.runs.numbers;
    typename ConvCall<Isa, std::int8_t>::template Tile<Rows> tile;
    call.place(row, column, D::group, tile);
    float row_scale[Rows];
    std::int32_t row_zero[Rows];
    KINGLET_UNROLL
    for (int r = 0; r < Rows; ++r) {
      row_scale[r] = scale[tile.image[r]];
      row_zero[r] = zero[tile.image[r]];
    }
    const TileScales scales{row_scale, row_zero, w.scale + column, w.sums + column,
                            w.negatives + column};
    float t[Rows * kColumns];
    tile_s8<Isa, Rows, Across>(static_cast<int>(depth) / D::group, tile.rows,
                               w.panels + column * depth, fetch.in(w.panels, kPanel * depth),
                               fetch.step(), scales, call.buffer(t, kColumns, column));
    call.finish(tile, kColumns, column, t);
  }
};

}  // namespace detail

/// y[p] = act(Σ W[·][ky][kx]·x[p·stride + (ky, kx)·dilation] + bias + residual[p]) for `count`
/// output pixels from `first` on, counted over the lines of all images of a batch
/// shapes    x with its border   W (y.channels, window.height·window.width·x.channels)
///           bias (y.channels)   y, residual (y.height, y.width, y.channels)
/// layout    x.data is what tap (0, 0) of output pixel (0, 0) sees: a corner of the border where
///           there is padding; W as panels (gemm_f32.hpp) in the order ky, kx, channel; a group of
///           channels is an x whose pixels are wider apart than it has channels
/// requires  every tap of every output lies in x or its border; y overlaps neither x nor W
/// numerics  |error| ≤ γ_k·Σ|x||W| before bias, k = taps·channels; one fma chain in the order of k;
///           same bits on every ISA with FMA, for any split of the pixels or panels
/// memory    at most 3 kB of stack
/// oracle    tests/reference/image.hpp
template <class Isa>
void conv_f32(const Window& window, const ImageView<const float>& x, const float* panels,
              const ConvEpilogue& epilogue, int first, int count,
              const ImageView<float>& y) noexcept {
  KINGLET_ASSERT(window.height > 0 && window.width > 0 && window.stride > 0);
  const detail::ConvF32<Isa> tiles{{window, x, epilogue, first, y, {window, x}}, panels};
  detail::for_tiles<detail::ShapeF32<Isa>>(count, panels_of(y.channels), tiles);
}

/// conv_f32 in int8: y[p] = act(s_x·s_w·Σ W·(x − z) + bias + residual[p])
/// shapes    as above; scale and zero of x, one an image
/// layout    as above; W as panels (gemm_s8.hpp). Each image is one row of quantize_rows, its border
///           included, which so becomes the zero point
/// requires  as above; x.channels a multiple of kDepth, so that no run ends within a group of bytes;
///           taps·channels ≤ kMostDepthS8
/// numerics  the integer Σ W·(x − z) is exact; then roundings as in gemm_s8, residual and activation;
///           same bits on every ISA with FMA, for any split of the pixels or panels
/// memory    at most 3 kB of stack
/// oracle    tests/reference/image.hpp
template <class Isa>
void conv_s8(const Window& window, const ImageView<const std::int8_t>& x, const float* scale,
             const std::int32_t* zero, const WeightsS8& w, const ConvEpilogue& epilogue, int first,
             int count, const ImageView<float>& y) noexcept {
  KINGLET_ASSERT(window.height > 0 && window.width > 0 && window.stride > 0);
  KINGLET_ASSERT(x.channels % kDepth == 0);
  KINGLET_ASSERT(window.height * window.width * x.channels <= kMostDepthS8);
  const detail::ConvS8<Isa> tiles{{window, x, epilogue, first, y, {window, x}}, scale, zero, w};
  detail::for_tiles<detail::ShapeS8<Isa>>(count, panels_of(y.channels), tiles);
}

/// The same where every channel is convolved by itself (depthwise):
/// y[p][c] = act(Σ W[ky][kx][c]·x[p·stride + (ky, kx)·dilation][c] + bias[c]) for `count` lines of
/// y from `first` on
/// shapes    W (window.height, window.width, channels)   bias (channels)
/// layout    as above; W contiguous
/// requires  as above; x.channels = y.channels
/// numerics  as above with k = taps
/// memory    none
/// oracle    tests/reference/image.hpp
template <class Isa>
void depthwise_f32(const Window& window, const ImageView<const float>& x, const float* w,
                   const float* bias, Activation act, int first, int count,
                   const ImageView<float>& y) noexcept {
  KINGLET_ASSERT(x.channels == y.channels && window.stride > 0);
  using V = Floats<Isa>;
  constexpr int kPixels = 4;  // share the weights and hide each other's latency
  const int c = y.channels;
  const auto sum = [&](int line, int column, int pixels, int channel, auto... inside) {
    V acc[kPixels];
    KINGLET_UNROLL
    for (int p = 0; p < kPixels; ++p) acc[p] = 0.0f;
    for (int ky = 0; ky < window.height; ++ky) {
      for (int kx = 0; kx < window.width; ++kx) {
        const V weight = V::load(w + (ky * window.width + kx) * c + channel, inside...);
        const float* const from = x.at(line * window.stride + ky * window.dilation,
                                       column * window.stride + kx * window.dilation) +
                                  channel;
        KINGLET_UNROLL
        for (int p = 0; p < kPixels; ++p) {
          if (p < pixels)
            acc[p] = fma(V::load(from + p * window.stride * x.pixel, inside...), weight, acc[p]);
        }
      }
    }
    const V b = V::load(bias + channel, inside...);
    KINGLET_UNROLL
    for (int p = 0; p < kPixels; ++p) {
      if (p < pixels) (acc[p] + b).store(y.at(line, column + p) + channel, inside...);
    }
  };
  for (int line = first; line < first + count; ++line) {
    for (int column = 0; column < y.width; column += kPixels) {
      const int pixels = y.width - column < kPixels ? y.width - column : kPixels;
      int channel = 0;
      for (; channel <= c - V::size; channel += V::size) {
        if (pixels == kPixels) {
          sum(line, column, kPixels, channel);
        } else {
          sum(line, column, pixels, channel);
        }
      }
      if (channel < c) sum(line, column, pixels, channel, c - channel);
      for (int p = 0; p < pixels; ++p) {
        float* const to = y.at(line, column + p);
        if (act != Activation::none) activate_f32<Isa>(act, c, to, to);
      }
    }
  }
}

}  // namespace kinglet::kernels
