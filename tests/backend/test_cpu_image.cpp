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
        REQUIRE(values.size() == expected.size());
        int wrong = 0;
        for (std::size_t i = 0; i < values.size(); ++i)
          wrong += !within(static_cast<double>(values[i]), expected[i], bound);
        CHECK(wrong == 0);
      });
}

/// The pixels of image i of several, as a reference image.
reference::Image image_of(const Numbers& x, int i, int height, int width) {
  const auto begin = x.values.begin() + static_cast<std::ptrdiff_t>(i) * height * width * x.cols;
  return {height, width, x.cols,
          std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(height) * width * x.cols)};
}

}  // namespace

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
