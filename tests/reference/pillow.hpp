#pragma once
// Pillow's resize with the bilinear filter, for bytes: weights in double, then in units of 2^-22,
// columns first, each pass rounded to a byte.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace kinglet::reference {

/// One direction of an image of lines × from × step bytes, whose neighbours are `step` bytes apart.
inline std::vector<std::uint8_t> resize_pillow(const std::vector<std::uint8_t>& x, int lines,
                                               int from, int to, int step) {
  const double scale = static_cast<double>(from) / to, filter = std::max(scale, 1.0);
  std::vector<std::uint8_t> out(static_cast<std::size_t>(lines) *
                                static_cast<std::size_t>(to * step));
  for (int o = 0; o < to; ++o) {
    const double centre = (o + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - filter + 0.5), 0);
    const int last = std::min(static_cast<int>(centre + filter + 0.5), from);
    std::vector<double> weights;
    double sum = 0;
    for (int i = first; i < last; ++i) {
      weights.push_back(std::max(0.0, 1 - std::fabs((i - centre + 0.5) / filter)));
      sum += weights.back();
    }
    for (int line = 0; line < lines; ++line) {
      for (int s = 0; s < step; ++s) {
        std::int64_t total = 1 << 21;
        for (int i = first; i < last; ++i) {
          const double weight = weights[static_cast<std::size_t>(i - first)] / sum;
          total += static_cast<std::int64_t>(0.5 + weight * (1 << 22)) *
                   x[static_cast<std::size_t>((line * from + i) * step + s)];
        }
        out[static_cast<std::size_t>((line * to + o) * step + s)] =
            static_cast<std::uint8_t>(std::min<std::int64_t>(total >> 22, 255));
      }
    }
  }
  return out;
}

}  // namespace kinglet::reference
