// The ops on images of Cpu on every instruction set: what they do is what the formulas say, for any
// split over threads, in the scratch that Count says.

#include <kinglet/backend/image.hpp>

#include "backend/check.hpp"
#include "reference/gemm.hpp"
#include "reference/image.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

/// f32 weights of a Linear, and the same as rows.
struct Weights {
  Numbers rows, bias;
  std::vector<float> panels;
  Linear linear;

  Weights(int n, int k, std::uint64_t seed)
      : rows(n, k, seed), bias(1, padded(n)), panels(kernels::panels_size_f32(n, k)) {
    kernels::pack_panels_f32(n, k, rows.values.data(), k, panels.data());
    Random(seed + 1).fill(bias.values.data(), n);
    linear.weight = panels.data();
    linear.bias = bias.values.data();
    linear.n = n;
    linear.k = k;
  }
};

/// The same bits on one and on three workers and on every ISA with FMA, and within the bound of the
/// reference.
template <class Ops>
void check(int rows, int cols, const std::vector<double>& expected, double bound, Ops ops) {
  on_every_isa(
      [&](const test::Table& table) {
        Numbers y(rows, cols), other(rows, cols);
        run(table, [&](auto& be) { ops(be, Matrix(y)); });
        run(
            table, [&](auto& be) { ops(be, Matrix(other)); }, three_workers());
        CHECK(same_bits(y.values, other.values));
        return y.values;
      },
      [&](const test::Table&, const std::vector<float>& values) {
        check_within(values, expected, bound);
      });
}

/// The pixels of image i of several, as a reference image.
reference::Image image_of(const Numbers& x, int i, int height, int width) {
  const auto begin = x.values.begin() + static_cast<std::ptrdiff_t>(i) * height * width * x.cols;
  return {height, width, x.cols,
          std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(height) * width * x.cols)};
}

/// A batch of images with borders in memory of its own, of NaN, or of numbers and a border of zeros.
struct Batch {
  std::vector<float> memory;
  Image image;

  Batch(int count, int height, int width, int channels, int border)
      : image{nullptr, count, height, width, channels, border} {
    memory.assign(static_cast<std::size_t>(count * image.size()), NAN);
    image.data = memory.data();
  }
  Batch(int count, int height, int width, int channels, int border, const Numbers& from)
      : Batch(count, height, width, channels, border) {
    std::fill(memory.begin(), memory.end(), 0.0f);
    const float* next = from.values.data();
    for_pixels([&](float* pixel) { std::copy_n(next, channels, pixel), next += channels; });
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  template <class F>
  void for_pixels(F f) const {
    for (int i = 0; i < image.count; ++i) {
      for (int y = 0; y < image.height; ++y) {
        for (int x = 0; x < image.width; ++x) f(image.view().at(y, x) + i * image.size());
      }
    }
  }
  /// The pixels. The border must be zeros.
  std::vector<float> values() const {
    std::vector<float> out;
    std::size_t zeros = 0;
    for_pixels([&](const float* pixel) { out.insert(out.end(), pixel, pixel + image.channels); });
    for (const float v : memory) zeros += v == 0;
    CHECK(zeros >= memory.size() - out.size());
    return out;
  }
};

/// The same bits for an output with and without a border, on one and on three workers and on every
/// ISA with FMA, within the bound of the reference.
template <class Ops>
void check_image(int count, int height, int width, int channels,
                 const std::vector<double>& expected, double bound, Ops ops) {
  check(count * height * width, channels, expected, bound, [&](auto& be, Matrix y) {
    for (const int border : {2, 0}) {
      Batch to(count, height, width, channels, border);
      ops(be, to.image);
      if constexpr (!std::is_same_v<decltype(be), Count&>) {
        const std::vector<float> values = to.values();
        if (border == 0) CHECK(std::equal(values.begin(), values.end(), y.data));
        std::copy(values.begin(), values.end(), y.data);
      }
    }
  });
}

/// Of `kernel` squared taps, with the border that it needs and with more, where its output has a
/// border and where not, with and without a residual.
void check_int8(int kernel) {
  CAPTURE(kernel);
  const int count = 2, height = 6, width = 7, in = 8, out = 130;
  const int k = kernel * kernel * in, columns = padded(out);
  std::vector<std::int8_t> rows(static_cast<std::size_t>(out * k)),
      panels(kernels::panels_size_s8(out, k));
  std::vector<std::int32_t> sums(static_cast<std::size_t>(columns)), negatives(sums.size());
  Random random(3);
  for (auto& v : rows) v = static_cast<std::int8_t>(std::lround(random.next() * 127.0f));
  kernels::pack_panels_s8(out, k, rows.data(), k, panels.data(), sums.data(), negatives.data());
  const Numbers x(count * height * width, in, 4), scale(1, columns, 5), bias(1, columns, 6),
      added(count * height * width, out, 7);
  Conv conv;
  conv.w.n = out;
  conv.w.k = k;
  conv.w.bias = bias.values.data();
  conv.w.s8 = {panels.data(), scale.values.data(), sums.data(), negatives.data()};
  conv.kernel = kernel;
  conv.padding = kernel / 2;
  const auto check_one = [&](const test::Table& table, int border, int to_border, bool add) {
    const Batch from(count, height, width, in, border, x),
        shortcut(count, height, width, out, 1, added);
    const Image residual = add ? shortcut.image : Image{};
    const int size = static_cast<int>(from.image.size());
    std::vector<std::int8_t> bytes(static_cast<std::size_t>(count * padded_depth(size)));
    std::vector<float> row_scale(count);
    std::vector<std::int32_t> zero(count);
    const QuantizedRows q{bytes.data(), padded_depth(size), row_scale.data(), zero.data()};
    table.quantize_rows(count, size, from.image.data, size, q);
    const auto corner = from.image.view(conv.padding);
    Numbers expected(count * height * width, out);
    const kernels::ImageView<float> to{expected.values.data(), height, width, out, width * out, out,
                                       height * width * out};
    table.conv_s8(conv.window(),
                  {q.q + (corner.data - from.image.data), height, width, in, corner.row, in, q.ld},
                  q.scale, q.zero, conv.w.s8,
                  {bias.values.data(), Activation::relu, residual.view()}, 0,
                  count * height * width, to);
    for (const Parallel& parallel : {Parallel{}, three_workers()}) {
      const Batch y(count, height, width, out, to_border);
      run(
          table, [&](auto& be) { be.conv(conv, from.image, y.image, Activation::relu, residual); },
          parallel);
      CHECK(same_bits(y.values(), expected.values));
    }
  };
  on_each_isa([&](const test::Table& table) {
    for (const int border : {conv.padding, 2}) {
      for (const int to_border : {0, 1}) {
        for (const bool add : {false, true}) check_one(table, border, to_border, add);
      }
    }
  });
}

}  // namespace

TEST_CASE("a convolution is its definition for batches, borders, groups and residuals") {
  struct Shape {
    int count, height, width, in, out, kernel, stride, padding, dilation, groups;
  };
  for (const Shape s : {Shape{1, 9, 8, 3, 20, 7, 2, 3, 1, 1}, Shape{3, 7, 7, 8, 130, 3, 1, 1, 1, 1},
                        Shape{2, 5, 6, 4, 16, 1, 1, 0, 1, 1}, Shape{2, 5, 6, 4, 16, 1, 2, 0, 1, 1},
                        Shape{2, 6, 5, 8, 36, 3, 1, 2, 2, 2}}) {
    const int k = s.kernel * s.kernel * s.in / s.groups, outputs = s.out / s.groups;
    std::vector<float> rows, panels, bias;
    for (int g = 0; g < s.groups; ++g) {
      const Weights w(outputs, k, 20 + static_cast<std::uint64_t>(g));
      rows.insert(rows.end(), w.rows.values.begin(), w.rows.values.end());
      panels.insert(panels.end(), w.panels.begin(), w.panels.end());
      bias.insert(bias.end(), w.bias.values.begin(), w.bias.values.end());
    }
    Conv conv;
    conv.w.weight = panels.data();
    conv.w.bias = bias.data();
    conv.w.n = (s.groups - 1) * padded(outputs) + outputs;
    conv.w.k = k;
    conv.kernel = s.kernel;
    conv.stride = s.stride;
    conv.padding = s.padding;
    conv.dilation = s.dilation;
    conv.groups = s.groups;
    const int height = conv.out(s.height), width = conv.out(s.width);
    const Numbers x(s.count * s.height * s.width, s.in, 9),
        added(s.count * height * width, s.out, 8);
    for (const bool residual : {false, true}) {
      std::vector<double> expected;
      for (int i = 0; i < s.count; ++i) {
        const reference::Convolution c{s.kernel,  s.kernel,   s.stride,
                                       s.padding, s.dilation, s.groups};
        const auto y =
            reference::convolve(image_of(x, i, s.height, s.width), c, s.out, rows.data()).y;
        for (std::size_t j = 0; j < y.values.size(); ++j) {
          const int channel = static_cast<int>(j) % s.out;
          double sum = y.values[j];
          sum += static_cast<double>(bias[static_cast<std::size_t>(
              channel / outputs * padded(outputs) + channel % outputs)]);
          if (residual)
            sum += static_cast<double>(
                added.values[static_cast<std::size_t>(i) * y.values.size() + j]);
          expected.push_back(std::max(sum, 0.0));
        }
      }
      for (const int border : {s.padding, s.padding + 1}) {
        const Batch from(s.count, s.height, s.width, s.in, border, x);
        const Batch shortcut(s.count, height, width, s.out, 1, added);
        check_image(s.count, height, width, s.out, expected, roundings(k + 2) * (k + 2),
                    [&](auto& be, const Image& y) {
                      be.conv(conv, from.image, y, Activation::relu,
                              residual ? shortcut.image : Image{});
                    });
      }
      Count count;
      const Batch from(s.count, s.height, s.width, s.in, s.padding, x);
      count.conv(conv, from.image, {nullptr, s.count, height, width, s.out, 0});
      CHECK(count.flops() == 2ull * static_cast<unsigned>(s.count * height * width * s.out * k));
    }
  }
}

TEST_CASE("an int8 convolution is conv_s8 of images quantised as a whole, those of a pixel too") {
  for (const int kernel : {1, 3}) check_int8(kernel);
}

TEST_CASE("depthwise convolutions and pools are their definitions") {
  const int count = 2, height = 9, width = 8, channels = 21;
  const Numbers x(count * height * width, channels, 3), w(9, channels, 4), bias(1, channels, 5);
  const Batch from(count, height, width, channels, 1, x);
  Depthwise conv{w.values.data(), bias.values.data(), channels, 3, 2, 1};
  const int to_h = conv.out(height), to_w = conv.out(width);
  std::vector<float> rows;  // [channel][tap]
  for (int c = 0; c < channels; ++c) {
    for (int t = 0; t < 9; ++t) rows.push_back(ConstMatrix(w).row(t)[c]);
  }
  std::vector<double> convolved, most, means;
  for (int i = 0; i < count; ++i) {
    const auto image = image_of(x, i, height, width);
    const auto sums =
        reference::convolve(image, {3, 3, 2, 1, 1, channels}, channels, rows.data()).y;
    for (std::size_t j = 0; j < sums.values.size(); ++j) {
      const double sum =
          sums.values[j] + static_cast<double>(bias.values[j % static_cast<std::size_t>(channels)]);
      convolved.push_back(std::max(sum, 0.0));
    }
    const auto pooled = reference::max_pool(image, 3, 2, 1, to_h, to_w).values;
    most.insert(most.end(), pooled.begin(), pooled.end());
    const auto mean = reference::average_pool(image);
    means.insert(means.end(), mean.begin(), mean.end());
  }
  check_image(
      count, to_h, to_w, channels, convolved, roundings(11) * 11,
      [&](auto& be, const Image& y) { be.depthwise(conv, from.image, y, Activation::relu); });
  check_image(count, to_h, to_w, channels, most, 0,
              [&](auto& be, const Image& y) { be.max_pool(3, 2, 1, from.image, y); });
  check(count, channels, means, roundings(height * width + 1),
        [&](auto& be, Matrix y) { be.average_pool(from.image, y); });
}

TEST_CASE("a transposed convolution is its definition, for every image of a batch") {
  struct Shape {
    int height, width, in, out, kernel, stride, padding;
  };
  for (const Shape s : {Shape{7, 7, 16, 32, 6, 4, 1}, Shape{9, 5, 16, 1, 4, 2, 1},
                        Shape{3, 4, 7, 5, 3, 1, 1}, Shape{1, 1, 2, 3, 2, 2, 0}}) {
    for (const int images : {1, 3}) {
      const Weights w(s.kernel * s.kernel * s.out, s.in, 5);
      const Numbers bias(1, s.out, 6), x(images * s.height * s.width, s.in, 7);
      ConvTranspose conv{w.linear, bias.values.data(), s.out, s.kernel, s.stride, s.padding};
      conv.taps.bias = nullptr;
      const int height = conv.out(s.height), width = conv.out(s.width);
      std::vector<double> expected;
      for (int i = 0; i < images; ++i) {
        const auto from = image_of(x, i, s.height, s.width);
        reference::Image taps(s.height, s.width, w.linear.n), to(height, width, s.out);
        for (int y = 0; y < s.height; ++y) {
          for (int u = 0; u < s.width; ++u) {
            for (int n = 0; n < w.linear.n; ++n) {
              for (int k = 0; k < s.in; ++k)
                taps.at(y, u, n) +=
                    static_cast<double>(ConstMatrix(w.rows).row(n)[k]) * from.at(y, u, k);
            }
          }
        }
        reference::overlap_add(taps, s.kernel, s.stride, s.padding, to);
        for (std::size_t j = 0; j < to.values.size(); ++j) {
          const double sum =
              to.values[j] + static_cast<double>(bias.values[j % static_cast<std::size_t>(s.out)]);
          expected.push_back(std::max(sum, 0.0));
        }
      }
      const double terms = s.kernel * s.kernel * s.in + 1;
      check(images * height * width, s.out, expected, roundings(terms) * terms,
            [&](auto& be, Matrix y) {
              be.conv_transpose(conv, x, s.height, s.width, y, Activation::relu);
            });
    }
  }
}

TEST_CASE("images are resized one by one") {
  const int images = 2, height = 5, width = 6, channels = 3;
  const Numbers x(images * height * width, channels, 8);
  std::vector<double> nearest, bilinear;
  for (int i = 0; i < images; ++i) {
    const auto from = image_of(x, i, height, width);
    const auto append = [](std::vector<double>& to, const reference::Image& image) {
      to.insert(to.end(), image.values.begin(), image.values.end());
    };
    append(nearest, reference::resize_nearest(from, 2));
    append(bilinear, reference::resize_bilinear(from, 11, 4));
  }
  check(images * 4 * height * width, channels, nearest, 0,
        [&](auto& be, Matrix y) { be.resize_nearest(x, height, width, 2, y); });
  check(images * 11 * 4, channels, bilinear, 1e-5,
        [&](auto& be, Matrix y) { be.resize_bilinear(x, height, width, y, 11, 4); });
}
