#include <algorithm>
#include <utility>

#include "kernels/picture.hpp"
#include "kernels/quantized.hpp"

using namespace kinglet;
using namespace kinglet::test;
using kernels::Activation;
using reference::Convolution;

namespace {

struct Problem {
  int height, width, in, out;
  Convolution conv;
  Gaps gaps = Gaps::none;
  Activation act = Activation::none;
  bool bias = false, residual = false;
};

/// Weights of one group as rows, guarded panels of them, and a bias.
struct Weights {
  Weights(int n, int k, std::uint64_t seed)
      : rows(n, k, k, Random(seed)),
        bias(1, kernels::panels_of(n) * 16, kernels::panels_of(n) * 16),
        panels(1, static_cast<int>(kernels::panels_size_f32(n, k)),
               static_cast<int>(kernels::panels_size_f32(n, k))) {
    std::fill_n(bias.data(), kernels::panels_of(n) * 16, 0.0f);
    Random(seed + 1).fill(bias.data(), n);
    kernels::pack_panels_f32(n, k, rows.data(), k, panels.data());
  }
  Guarded rows, bias, panels;
};

/// Bound: γ_k·Σ|w||x| for the chain, one rounding each for bias and residual.
void check(const Problem& p) {
  CAPTURE(p.height);
  CAPTURE(p.width);
  CAPTURE(p.in);
  CAPTURE(p.out);
  CAPTURE(p.conv.kernel_h);
  CAPTURE(p.conv.stride);
  const Convolution& conv = p.conv;
  const int k = conv.kernel_h * conv.kernel_w * p.in;
  const int height = conv.out(p.height, conv.kernel_h), width = conv.out(p.width, conv.kernel_w);
  const Picture inner(p.height, p.width, p.in, Gaps::none, 1);
  const Picture x = Picture::with_border(inner, conv.padding, p.gaps);
  const Picture residual(height, width, p.out, p.gaps, 2);
  const Weights w(p.out, k, 3);
  const auto expected = reference::convolve(inner.reference(), conv, p.out, w.rows.data());
  const kernels::Window window{conv.kernel_h, conv.kernel_w, conv.stride, conv.dilation};
  const std::vector<float> added = residual.values();
  on_every_isa(
      [&](const Table& table) {
        Picture y(height, width, p.out, p.gaps);
        kernels::ConvEpilogue epilogue{p.bias ? w.bias.data() : nullptr, p.act, {}};
        if (p.residual) epilogue.residual = residual.view();
        const int pixels = height * width, part = pixels / 3;
        table.conv_f32(window, x.view(), w.panels.data(), epilogue, part, pixels - part, y.view());
        table.conv_f32(window, x.view(), w.panels.data(), epilogue, 0, part, y.view());
        CHECK(y.guards_intact());
        return y.values();
      },
      [&](const Table&, const std::vector<float>& values) {
        REQUIRE(values.size() == expected.y.values.size());
        int wrong = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
          double sum = expected.y.values[i];
          if (p.bias)
            sum += static_cast<double>(w.bias.data()[i % static_cast<std::size_t>(p.out)]);
          if (p.residual) sum += static_cast<double>(added[i]);
          if (p.act == Activation::relu) sum = std::max(sum, 0.0);
          const double bound =
              roundings(k) * expected.magnitudes.values[i] + 3 * kU * (std::fabs(sum) + 2);
          wrong += !within(static_cast<double>(values[i]), sum, bound);
        }
        CHECK(wrong == 0);
      });
}

}  // namespace

TEST_CASE("conv_f32 equals the reference for kernels, strides, paddings and dilations") {
  for (const Gaps gaps : {Gaps::none, Gaps::rows, Gaps::pixels}) {
    for (const auto& [kernel_h, kernel_w] : {std::pair(1, 1), {3, 3}, {7, 7}, {2, 2}, {1, 5}}) {
      for (const int stride : {1, 2, 3}) {
        for (const int padding : {0, 1, 3}) {
          for (const int dilation : {1, 2}) {
            Problem p{8, 9, 3, 5, {kernel_h, kernel_w, stride, padding, dilation}, gaps};
            if (8 + 2 * padding > dilation * (kernel_h - 1)) check(p);
          }
        }
      }
    }
  }
}

TEST_CASE("conv_f32 is within the rounding bound for every number of pixels and panels") {
  for (const int width : kEdges) check({1, width, 2, 17, {1, 1}});
  for (const int out : kEdges) {
    for (const int width : {1, 2, 3, 13}) check({2, width, 4, out, {3, 3, 1, 1}});
  }
}

TEST_CASE("conv_f32 is within the rounding bound for long runs") {
  check({7, 7, 64, 80, {3, 3, 1, 1}});
  check({14, 14, 128, 33, {3, 3, 2, 1}});
}

TEST_CASE("conv_f32 adds bias and residual before the activation") {
  for (const Gaps gaps : {Gaps::none, Gaps::rows, Gaps::pixels}) {
    for (const int out : {5, 16, 70}) {
      for (const bool bias : {false, true}) {
        for (const bool residual : {false, true}) {
          for (const Activation act : {Activation::none, Activation::relu})
            check({5, 6, 7, out, {3, 3, 1, 1}, gaps, act, bias, residual});
        }
      }
    }
  }
}

TEST_CASE("conv_f32 of a batch, in groups and in place gives the bits of each image and group") {
  const int height = 6, width = 5, in = 4, out = 6, images = 3, groups = 2;
  const Picture all(images * height, width, groups * in, Gaps::pixels, 5);
  const Picture residual(images * height, width, groups * out, Gaps::rows, 6);
  const Weights w[] = {{out, 9 * in, 7}, {out, 9 * in, 9}};
  const kernels::Window window{3, 3, 1, 1};
  const int to_h = height - 2, to_w = width - 2;  // no padding
  for (int i = 0; i < kernels::count(); ++i) {
    const Table& table = kernels::at(i);
    const std::string isa = table.isa;
    CAPTURE(isa);
    Picture batch = residual, single = residual;
    for (int g = 0; g < groups; ++g) {
      const auto part = [&](auto view, int image, int channels) {
        view.data += image * height * view.row + g * channels;
        view.channels = channels;
        view.image = height * view.row;
        return view;
      };
      const auto run = [&](Picture& y, int image, int count) {
        auto to = part(y.view(), image, out);
        to.height = to_h;
        to.width = to_w;
        const kernels::ConvEpilogue epilogue{w[g].bias.data(), Activation::relu, to};
        table.conv_f32(window, part(all.view(), image, in), w[g].panels.data(), epilogue, 0,
                       count * to_h * to_w, to);
      };
      run(batch, 0, images);
      for (int image = 0; image < images; ++image) run(single, image, 1);
    }
    CHECK(same_bits(batch.values(), single.values()));
    CHECK((batch.guards_intact() && single.guards_intact()));
    CHECK_FALSE(same_bits(batch.values(), residual.values()));
  }
}

TEST_CASE("depthwise_f32 equals a convolution of as many groups as there are channels") {
  for (const Gaps gaps : {Gaps::none, Gaps::rows, Gaps::pixels}) {
    for (const int channels : {1, 3, 16, 35}) {
      for (const Convolution conv : {Convolution{3, 3, 1, 1}, Convolution{3, 3, 2, 1},
                                     Convolution{5, 5, 2, 2}, Convolution{3, 2, 1, 2, 2}}) {
        const Picture inner(7, 11, channels, Gaps::none, 1);
        const Picture x = Picture::with_border(inner, conv.padding, gaps);
        const int taps = conv.kernel_h * conv.kernel_w;
        const Guarded w(taps, channels, channels, Random(3)),
            bias(1, channels, channels, Random(4));
        std::vector<float> rows;  // [channel][tap]
        for (int c = 0; c < channels; ++c) {
          for (int t = 0; t < taps; ++t) rows.push_back(w.row(t)[c]);
        }
        Convolution grouped = conv;
        grouped.groups = channels;
        const auto expected =
            reference::convolve(inner.reference(), grouped, channels, rows.data());
        on_every_isa(
            [&](const Table& table) {
              Picture y(expected.y.height, expected.y.width, channels, gaps);
              const int lines = expected.y.height;
              for (const auto& [first, count] : {std::pair(1, lines - 1), {0, 1}}) {
                table.depthwise_f32({conv.kernel_h, conv.kernel_w, conv.stride, conv.dilation},
                                    x.view(), w.data(), bias.data(), Activation::relu, first, count,
                                    y.view());
              }
              CHECK(y.guards_intact());
              return y.values();
            },
            [&](const Table&, const std::vector<float>& values) {
              REQUIRE(values.size() == expected.y.values.size());
              int wrong = 0;
              for (std::size_t i = 0; i < values.size(); ++i) {
                const double sum =
                    expected.y.values[i] +
                    static_cast<double>(bias.data()[i % static_cast<std::size_t>(channels)]);
                const double bound =
                    roundings(taps) * expected.magnitudes.values[i] + 2 * kU * (std::fabs(sum) + 1);
                wrong += !within(static_cast<double>(values[i]), std::max(sum, 0.0), bound);
              }
              CHECK(wrong == 0);
            });
      }
    }
  }
}

TEST_CASE("conv_s8 is the convolution of the quantised image, for batches and residuals") {
  struct Shape {
    int images, height, width, in, out, kernel, stride, padding, dilation;
  };
  for (const Shape s : {Shape{1, 5, 6, 8, 5, 3, 1, 1, 1}, Shape{2, 7, 7, 16, 33, 3, 2, 1, 1},
                        Shape{3, 4, 5, 24, 64, 1, 2, 0, 1}, Shape{1, 9, 8, 8, 70, 3, 1, 2, 2},
                        Shape{1, 14, 13, 64, 80, 3, 1, 1, 1}}) {
    CAPTURE(s.in);
    CAPTURE(s.out);
    const Convolution conv{s.kernel, s.kernel, s.stride, s.padding, s.dilation};
    const int height = conv.out(s.height, s.kernel), width = conv.out(s.width, s.kernel);
    const int k = s.kernel * s.kernel * s.in, columns = kernels::panels_of(s.out) * 16;
    const int pitch = (s.width + 2 * s.padding) * s.in;
    const int size = (s.height + 2 * s.padding) * pitch;
    Guarded x(s.images, size, size);
    std::vector<std::int8_t> w(static_cast<std::size_t>(s.out * k)),
        panels(kernels::panels_size_s8(s.out, k));
    std::vector<std::int32_t> sums(static_cast<std::size_t>(columns)), negatives(sums.size());
    Random random(5);
    for (auto& v : w) v = static_cast<std::int8_t>(std::lround(random.next() * 127.0f));
    Guarded bias(1, columns, columns, Random(6)), scale(1, columns, columns, Random(7), 0.01f);
    kernels::pack_panels_s8(s.out, k, w.data(), k, panels.data(), sums.data(), negatives.data());
    const std::vector<float> rows(w.begin(), w.end());
    const Picture residual(s.images * height, width, s.out, Gaps::none, 8);

    std::vector<double> expected;  // in units of one, the integers as they are
    for (int i = 0; i < s.images; ++i) {
      const Picture inner(s.height, s.width, s.in, Gaps::none, static_cast<std::uint64_t>(10 + i));
      const Picture bordered = Picture::with_border(inner, s.padding, Gaps::none);
      std::copy_n(bordered.view().data, size, x.row(i));
      const auto q = reference::quantize(size, x.row(i));
      std::vector<float> integers;
      for (const int v : q.q) integers.push_back(static_cast<float>(v - q.zero));
      const reference::Image image(s.height + 2 * s.padding, s.width + 2 * s.padding, s.in,
                                   integers);
      Convolution unpadded = conv;
      unpadded.padding = 0;
      const auto y = reference::convolve(image, unpadded, s.out, rows.data()).y;
      for (std::size_t j = 0; j < y.values.size(); ++j) {
        const std::size_t channel = j % static_cast<std::size_t>(s.out);
        expected.push_back(y.values[j] * static_cast<double>(q.scale) *
                               static_cast<double>(scale.data()[channel]) +
                           static_cast<double>(bias.data()[channel]));
      }
    }
    const std::vector<float> added = residual.values();
    on_every_isa(
        [&](const Table& table) {
          Quantized q(table, s.images, size);
          table.quantize_rows(s.images, size, x.data(), size, q.rows());
          Picture y(s.images * height, width, s.out);
          const auto of_batch = [&](auto view) {
            view.height = height;
            view.image = height * view.row;
            return view;
          };
          const kernels::ConvEpilogue epilogue{bias.data(), Activation::relu,
                                               of_batch(residual.view())};
          const kernels::ImageView<const std::int8_t> from{q.rows().q, s.height, s.width,    s.in,
                                                           pitch,      s.in,     q.rows().ld};
          const int pixels = s.images * height * width, part = pixels / 3;
          for (const auto& [first, count] : {std::pair(part, pixels - part), {0, part}}) {
            table.conv_s8({s.kernel, s.kernel, s.stride, s.dilation}, from, q.rows().scale,
                          q.rows().zero,
                          {panels.data(), scale.data(), sums.data(), negatives.data()}, epilogue,
                          first, count, of_batch(y.view()));
          }
          CHECK((y.guards_intact() && q.guards_intact()));
          return y.values();
        },
        [&](const Table&, const std::vector<float>& values) {
          REQUIRE(values.size() == expected.size());
          int wrong = 0;
          for (std::size_t i = 0; i < values.size(); ++i) {
            const double sum = expected[i] + static_cast<double>(added[i]);
            const double bound = roundings(4) * (std::fabs(expected[i]) + 2);
            wrong += !within(static_cast<double>(values[i]), std::max(sum, 0.0), bound);
          }
          CHECK(wrong == 0);
        });
  }
}
