#pragma once
// Convolution, pooling, resizing and transposed convolution of images in double, in the order of the
// formulas. Images are height × width × channels, without gaps.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace kinglet::reference {

struct Image {
  int height, width, channels;
  std::vector<double> values;

  Image(int h, int w, int c)
      : height(h),
        width(w),
        channels(c),
        values(static_cast<std::size_t>(h) * static_cast<std::size_t>(w) *
               static_cast<std::size_t>(c)) {}
  Image(int h, int w, int c, const std::vector<float>& from) : Image(h, w, c) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(from[i]);
  }
  double& at(int y, int x, int c) {
    return values[static_cast<std::size_t>((y * width + x) * channels + c)];
  }
  double at(int y, int x, int c) const { return const_cast<Image*>(this)->at(y, x, c); }
  bool has(int y, int x) const { return y >= 0 && y < height && x >= 0 && x < width; }
};

struct Convolution {
  int kernel_h, kernel_w, stride = 1, padding = 0, dilation = 1, groups = 1;

  int out(int size, int kernel) const {
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  }
};

struct Convolved {
  Image y, magnitudes;  ///< Σ w·x, Σ |w·x|
};

/// w[n][ky][kx][channel of the group]
inline Convolved convolve(const Image& x, const Convolution& c, int n, const float* w) {
  const int height = c.out(x.height, c.kernel_h), width = c.out(x.width, c.kernel_w);
  const int channels = x.channels / c.groups;
  Convolved out{{height, width, n}, {height, width, n}};
  for (int y = 0; y < height; ++y) {
    for (int u = 0; u < width; ++u) {
      for (int j = 0; j < n; ++j) {
        const float* row = w + static_cast<std::ptrdiff_t>(j) * c.kernel_h * c.kernel_w * channels;
        const int group = j / (n / c.groups);
        for (int ky = 0; ky < c.kernel_h; ++ky) {
          for (int kx = 0; kx < c.kernel_w; ++kx) {
            const int from_y = y * c.stride + ky * c.dilation - c.padding;
            const int from_x = u * c.stride + kx * c.dilation - c.padding;
            for (int i = 0; i < channels && x.has(from_y, from_x); ++i) {
              const double weight = static_cast<double>(row[(ky * c.kernel_w + kx) * channels + i]);
              const double product = weight * x.at(from_y, from_x, group * channels + i);
              out.y.at(y, u, j) += product;
              out.magnitudes.at(y, u, j) += std::fabs(product);
            }
          }
        }
      }
    }
  }
  return out;
}

/// Over the pixels that exist; height and width are those of the output.
inline Image max_pool(const Image& x, int kernel, int stride, int padding, int height, int width) {
  Image out(height, width, x.channels);
  for (int y = 0; y < height; ++y) {
    for (int u = 0; u < width; ++u) {
      for (int c = 0; c < x.channels; ++c) {
        double most = -INFINITY;
        for (int ky = 0; ky < kernel; ++ky) {
          for (int kx = 0; kx < kernel; ++kx) {
            const int from_y = y * stride + ky - padding, from_x = u * stride + kx - padding;
            if (x.has(from_y, from_x)) most = std::max(most, x.at(from_y, from_x, c));
          }
        }
        out.at(y, u, c) = most;
      }
    }
  }
  return out;
}

inline std::vector<double> average_pool(const Image& x) {
  std::vector<double> out(static_cast<std::size_t>(x.channels));
  for (std::size_t i = 0; i < x.values.size(); ++i) out[i % out.size()] += x.values[i];
  for (double& v : out) v /= x.height * x.width;
  return out;
}

/// out += every tap of every pixel of `taps` ([ky][kx][channel] a pixel) at its place.
inline void overlap_add(const Image& taps, int kernel, int stride, int padding, Image& out) {
  for (int y = 0; y < taps.height; ++y) {
    for (int x = 0; x < taps.width; ++x) {
      for (int ky = 0; ky < kernel; ++ky) {
        for (int kx = 0; kx < kernel; ++kx) {
          const int to_y = y * stride + ky - padding, to_x = x * stride + kx - padding;
          if (!out.has(to_y, to_x)) continue;
          for (int c = 0; c < out.channels; ++c)
            out.at(to_y, to_x, c) += taps.at(y, x, (ky * kernel + kx) * out.channels + c);
        }
      }
    }
  }
}

inline Image resize_nearest(const Image& in, int factor) {
  Image out(in.height * factor, in.width * factor, in.channels);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      for (int c = 0; c < in.channels; ++c) out.at(y, x, c) = in.at(y / factor, x / factor, c);
    }
  }
  return out;
}

/// Pixel centres aligned, as PyTorch's align_corners = false.
inline Image resize_bilinear(const Image& in, int height, int width) {
  Image out(height, width, in.channels);
  const auto place = [](int i, int size, int to) {
    return std::max(0.0, (i + 0.5) * size / to - 0.5);
  };
  for (int y = 0; y < height; ++y) {
    const double at_y = place(y, in.height, height);
    const int y0 = std::min(static_cast<int>(at_y), in.height - 1);
    const int y1 = std::min(y0 + 1, in.height - 1);
    for (int x = 0; x < width; ++x) {
      const double at_x = place(x, in.width, width);
      const int x0 = std::min(static_cast<int>(at_x), in.width - 1);
      const int x1 = std::min(x0 + 1, in.width - 1);
      const double v = at_y - y0, u = at_x - x0;
      for (int c = 0; c < in.channels; ++c) {
        out.at(y, x, c) = (1 - v) * ((1 - u) * in.at(y0, x0, c) + u * in.at(y0, x1, c)) +
                          v * ((1 - u) * in.at(y1, x0, c) + u * in.at(y1, x1, c));
      }
    }
  }
  return out;
}

}  // namespace kinglet::reference
