#pragma once
// From a camera's picture to the input of a network that was trained on ImageNet: resized as Pillow
// resizes with its bilinear filter, then each channel scaled as torchvision does.
//
// Pillow's filter is a triangle, as wide as the step between outputs, so that every input pixel
// counts (no aliasing):
//
//     weight of input i in output o:  max(0, 1 − |i + ½ − centre| / s)    s = max(1, in/out)
//     centre of output o:             (o + ½)·in/out                      then Σ weights = 1
//
// Columns first, then rows, each rounded to 8 bits. Everything is integers: weights in units of
// 2^-22, so all processors see the same picture.

#include <cstdint>
#include <kinglet/backend/image.hpp>

namespace kinglet {

/// RGB, a byte each, `pitch` bytes from a row to the next.
struct CameraFrame {
  const std::uint8_t* rgb = nullptr;
  int height = 0, width = 0;
  std::ptrdiff_t pitch = 0;
};

namespace detail {

inline constexpr int kRgb = 3;
inline constexpr int kWeightBits = 22;  ///< 8-bit numbers times weights fit 31 bits

/// The weights of one direction: those of output o are `taps` numbers from weight[o·taps] on, for
/// inputs from first[o] on, of which only `count[o]` are read.
struct Triangle {
  int taps;
  std::int32_t* first;
  std::int32_t* count;
  std::int32_t* weight;
};

/// Null where the arena only counts.
inline Triangle triangle(Arena& arena, int in, int out) noexcept {
  // In units of 1/(2·out) of an input pixel: centres are odd multiples of `in`, pixels' of `out`.
  const std::int64_t support = 2 * static_cast<std::int64_t>(in > out ? in : out);
  const std::int64_t unit = 2 * static_cast<std::int64_t>(out);
  Triangle t;
  t.taps = static_cast<int>(2 * ((support + unit - 1) / unit) + 1);
  const auto n = static_cast<std::size_t>(out);
  t.first = arena.take<std::int32_t>(n);
  t.count = arena.take<std::int32_t>(n);
  t.weight = arena.take<std::int32_t>(n * static_cast<std::size_t>(t.taps));
  for (int o = 0; t.weight != nullptr && o < out; ++o) {
    const std::int64_t centre = (2 * static_cast<std::int64_t>(o) + 1) * in;
    const std::int64_t low = centre - support + out, high = (centre + support + out) / unit;
    const std::int64_t first = low > 0 ? low / unit : 0, last = high < in ? high : in;
    const auto weight_of = [&](std::int64_t i) {
      const std::int64_t distance = (2 * i + 1) * out - centre;
      const std::int64_t weight = support - (distance < 0 ? -distance : distance);
      return weight > 0 ? weight : 0;
    };
    std::int64_t sum = 0;
    for (std::int64_t i = first; i < last; ++i) sum += weight_of(i);
    t.first[o] = static_cast<std::int32_t>(first);
    t.count[o] = static_cast<std::int32_t>(last - first);
    std::int32_t* const to = t.weight + static_cast<std::ptrdiff_t>(o) * t.taps;
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t rounded = ((weight_of(i) << (kWeightBits + 1)) + sum) / (2 * sum);
      to[i - first] = static_cast<std::int32_t>(rounded);
    }
  }
  return t;
}

/// A sum of weights · bytes, and a half, as a byte. Weights are not negative.
inline std::uint8_t byte_of(std::int32_t sum) noexcept {
  const std::int32_t rounded = sum >> kWeightBits;
  return static_cast<std::uint8_t>(rounded < 255 ? rounded : 255);
}

inline constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

/// One line with other columns.
inline void resize_line(const Triangle& columns, int width, const std::uint8_t* from,
                        std::uint8_t* to) noexcept {
  for (int x = 0; x < width; ++x, to += kRgb) {
    const std::int32_t* const weight = columns.weight + std::ptrdiff_t{x} * columns.taps;
    const std::uint8_t* pixel = from + columns.first[x] * kRgb;
    std::int32_t red = kHalf, green = kHalf, blue = kHalf;
    for (int i = 0; i < columns.count[x]; ++i, pixel += kRgb) {
      red += weight[i] * pixel[0];
      green += weight[i] * pixel[1];
      blue += weight[i] * pixel[2];
    }
    to[0] = byte_of(red);
    to[1] = byte_of(green);
    to[2] = byte_of(blue);
  }
}

/// Line `y` of the result out of lines of `size` bytes; sums: room for `size`.
inline void blend_lines(const Triangle& rows, int y, std::ptrdiff_t size, const std::uint8_t* lines,
                        std::int32_t* sums, std::uint8_t* to) noexcept {
  for (std::ptrdiff_t i = 0; i < size; ++i) sums[i] = kHalf;
  for (int tap = 0; tap < rows.count[y]; ++tap) {
    const std::int32_t weight = rows.weight[std::ptrdiff_t{y} * rows.taps + tap];
    const std::uint8_t* const from = lines + (rows.first[y] + tap) * size;
    for (std::ptrdiff_t i = 0; i < size; ++i) sums[i] += weight * from[i];
  }
  for (std::ptrdiff_t i = 0; i < size; ++i) to[i] = byte_of(sums[i]);
}

}  // namespace detail

/// to = frame resized to `height` × `width`, RGB without gaps; null while counting
/// requires  sizes from 1 to 16384
/// numerics  integers; Pillow computes the weights in double: the same but for ties of their rounding
/// memory    from the arena: frame.height × width pixels, and the weights
inline void resize_frame(Arena& arena, const CameraFrame& frame, int height, int width,
                         std::uint8_t* to) noexcept {
  using detail::kRgb;
  ArenaScope scope(arena);
  const detail::Triangle columns = detail::triangle(arena, frame.width, width);
  const detail::Triangle rows = detail::triangle(arena, frame.height, height);
  const std::ptrdiff_t line = static_cast<std::ptrdiff_t>(width) * kRgb;
  std::uint8_t* const narrow =
      arena.take<std::uint8_t>(static_cast<std::size_t>(frame.height * line));
  std::int32_t* const sums = arena.take<std::int32_t>(static_cast<std::size_t>(line));
  if (sums == nullptr || to == nullptr) return;
  for (int y = 0; y < frame.height; ++y)
    detail::resize_line(columns, width, frame.rgb + y * frame.pitch, narrow + y * line);
  for (int y = 0; y < height; ++y) detail::blend_lines(rows, y, line, narrow, sums, to + y * line);
}

/// The pixels of image `index` of y = (frame resized to y's size / 255 − mean) / deviation, as
/// torchvision normalises what it trains on ImageNet. The border of y is left alone.
template <class B>
void prepare_frame(B& be, const CameraFrame& frame, const Image& y, int index = 0) noexcept {
  using detail::kRgb;
  KINGLET_ASSERT(y.channels == kRgb && index < y.count);
  constexpr float kMean[kRgb] = {0.485f, 0.456f, 0.406f},
                  kDeviation[kRgb] = {0.229f, 0.224f, 0.225f};
  ArenaScope scope(be.arena());
  const std::ptrdiff_t line = static_cast<std::ptrdiff_t>(y.width) * kRgb;
  std::uint8_t* const small =
      be.arena().template take<std::uint8_t>(static_cast<std::size_t>(y.height * line));
  resize_frame(be.arena(), frame, y.height, y.width, small);
  if (small == nullptr) return;
  float value_of[kRgb][256];
  for (int c = 0; c < kRgb; ++c) {
    for (int v = 0; v < 256; ++v)
      value_of[c][v] = (static_cast<float>(v) / 255.0f - kMean[c]) / kDeviation[c];
  }
  for (int row = 0; row < y.height; ++row) {
    float* const to = y.view().at(row, 0) + index * y.size();
    for (std::ptrdiff_t i = 0; i < line; i += kRgb) {
      for (int c = 0; c < kRgb; ++c) to[i + c] = value_of[c][small[row * line + i + c]];
    }
  }
}

}  // namespace kinglet
