// What Count says of ops and blocks is what one counts by hand: a multiply-add is two operations.

#include <kinglet/blocks/encoder_layer.hpp>
#include <kinglet/blocks/lstm.hpp>

#include "backend/check.hpp"

using namespace kinglet;

namespace {

Linear linear_of(int n, int k) {
  Linear w;
  w.n = n;
  w.k = k;
  return w;
}

template <class Ops>
std::uint64_t flops_of(Ops ops) {
  Count count;
  ops(count);
  return count.flops();
}

std::uint64_t flops_of_linear(int rows, int n, int k) {
  return flops_of([&](Count& be) {
    be.linear(linear_of(n, k), ConstMatrix{nullptr, rows, k}, {nullptr, rows, n});
  });
}

/// Of width h, with an int8 matrix that nothing is read from.
EncoderLayer layer_of(int h, int inner, bool s8) {
  static const std::int8_t panels[1] = {};
  EncoderLayer w;
  w.qkv = linear_of(3 * h, h);
  w.attn_output = linear_of(h, h);
  w.ffn_up = linear_of(inner, h);
  w.ffn_down = linear_of(h, inner);
  w.attn_norm.n = w.ffn_norm.n = h;
  if (s8) {
    for (Linear* part : {&w.qkv, &w.attn_output, &w.ffn_up, &w.ffn_down}) part->s8.panels = panels;
  }
  return w;
}

std::uint64_t flops_of_layer(int batch, int length, int h, int inner, int heads) {
  return flops_of([&](Count& be) {
    const Packing rows = pack(be.arena(), batch, length, nullptr, length, {}, true);
    encoder_layer(be, layer_of(h, inner, false), heads, 1.0f, Activation::gelu_erf, rows,
                  {{nullptr, rows.rows, h}, {}}, {});
  });
}

Lstm lstm_of(int inputs, int units) {
  Lstm w;
  w.ih = linear_of(kernels::lstm_gates(units), inputs);
  w.hh = linear_of(kernels::lstm_gates(units), units);
  w.units = units;
  return w;
}

std::uint64_t flops_of_step(int rows, int inputs, int units) {
  return flops_of([&](Count& be) {
    be.lstm_step(lstm_of(inputs, units), {nullptr, rows, inputs}, {nullptr, rows, units},
                 {nullptr, rows, units}, {nullptr, rows, units});
  });
}

/// Of `out` outputs for images of 11 × 7 pixels.
std::uint64_t flops_of_conv(int images, int in, int out, int kernel, int stride, int padding,
                            int dilation = 1, int groups = 1) {
  Conv conv{
      linear_of(out, kernel * kernel * in / groups), kernel, stride, padding, dilation, groups};
  const Image x{nullptr, images, 11, 7, in, padding};
  return flops_of([&](Count& be) {
    be.conv(conv, x, {nullptr, images, conv.out(11), conv.out(7), out});
  });
}

}  // namespace

TEST_CASE("a matrix product takes two operations for each row, output and input") {
  CHECK(flops_of_linear(1, 768, 768) == 1179648);
  CHECK(flops_of_linear(3, 5, 7) == 2 * 3 * 5 * 7);
  for (const int batch : {2, 4, 8})
    CHECK(flops_of_linear(batch, 100, 30) ==
          static_cast<std::uint64_t>(batch) * flops_of_linear(1, 100, 30));
}

TEST_CASE(
    "an attention block takes its four products, and scores and sums for each pair of positions") {
  const int h = 64, inner = 256, n = 20;
  const std::uint64_t products = 2 * n * (3 * h * h + h * h + 2 * h * inner);
  const std::uint64_t pairs = 2 * n * n * h + 2 * n * n * h;
  CHECK(flops_of_layer(1, n, h, inner, 4) == products + pairs);
  CHECK(flops_of_layer(1, n, h, inner, 8) == products + pairs);  // whatever the heads
  CHECK(flops_of_layer(5, n, h, inner, 4) == 5 * (products + pairs));
  // HiTUT-RoBERTa: 12 layers of 768 over 160 positions
  CHECK(12 * flops_of_layer(1, 160, 768, 3072, 12) == 28122808320);
  // a·n + b·n², b = 4h
  const auto of = [&](int length) { return flops_of_layer(1, length, h, inner, 4); };
  for (const int length : {1, 16, 33, 100})
    CHECK(of(2 * length) - 2 * of(length) ==
          static_cast<std::uint64_t>(2 * length * length) * 4 * h);
}

TEST_CASE(
    "a step of an LSTM takes four gates of inputs and states, whatever its panels are padded to") {
  CHECK(flops_of_step(1, 10, 32) == 2 * 4 * 32 * (10 + 32));
  CHECK(flops_of_step(1, 10, 20) == 2 * 4 * 20 * (10 + 20));
  CHECK(flops_of_step(6, 10, 20) == 6 * flops_of_step(1, 10, 20));
  const int batch = 3, length = 5, inputs = 10, units = 32;
  CHECK(flops_of([&](Count& be) {
          const TimeSteps steps = time_steps(be.arena(), batch, length, nullptr);
          lstm_layer(be, lstm_of(inputs, units), steps, {nullptr, steps.rows, inputs}, false, {},
                     {nullptr, steps.rows, units});
        }) == 2 * 4 * units *
                  (batch * length * inputs + batch * (length - 1) * units));  // h begins as zero
}

TEST_CASE("a step of a GRU takes three gates of inputs and states") {
  Gru w;
  w.units = 32;
  w.ih = linear_of(kernels::gru_gates(32), 10);
  w.hh = linear_of(kernels::gru_gates(32), 32);
  CHECK(flops_of([&](Count& be) {
          be.gru_step(w, {nullptr, 2, 10}, {nullptr, 2, 32}, {nullptr, 2, 32});
        }) == 2 * 2 * 3 * 32 * (10 + 32));
}

TEST_CASE(
    "a convolution takes two operations for each output, tap and input channel of its group") {
  CHECK(flops_of_conv(1, 3, 8, 3, 1, 1) == 2 * (11 * 7 * 8) * (3 * 3 * 3));
  CHECK(flops_of_conv(4, 3, 8, 3, 1, 1) == 4 * flops_of_conv(1, 3, 8, 3, 1, 1));
  CHECK(flops_of_conv(1, 3, 8, 3, 2, 1) == 2 * (6 * 4 * 8) * (3 * 3 * 3));             // strided
  CHECK(flops_of_conv(1, 3, 8, 3, 1, 0) == 2 * (9 * 5 * 8) * (3 * 3 * 3));             // no border
  CHECK(flops_of_conv(1, 3, 8, 3, 1, 2, 2) == 2 * (11 * 7 * 8) * (3 * 3 * 3));         // dilated
  CHECK(flops_of_conv(1, 32, 64, 3, 1, 1, 1, 2) == 2 * (11 * 7 * 64) * (3 * 3 * 16));  // two groups
  CHECK(flops_of_conv(1, 16, 5, 1, 1, 0) == 2 * (11 * 7 * 5) * 16);  // a product of pixels
  Depthwise each;
  each.channels = 6;
  each.kernel = 3;
  each.padding = 1;
  CHECK(flops_of([&](Count& be) {
          be.depthwise(each, {nullptr, 1, 11, 7, 6, 1}, {nullptr, 1, 11, 7, 6});
        }) == 2 * (11 * 7 * 6) * (3 * 3));
}

TEST_CASE("a transposed convolution takes two operations for each input, tap and output channel") {
  ConvTranspose w;
  w.channels = 5;
  w.kernel = 4;
  w.stride = 2;
  w.padding = 1;
  w.taps = linear_of(4 * 4 * 5, 12);
  const int images = 2, height = 6, width = 7;
  CHECK(flops_of([&](Count& be) {
          be.conv_transpose(w, ConstMatrix{nullptr, images * height * width, 12}, height, width,
                            {nullptr, images * w.out(height) * w.out(width), 5});
        }) == 2 * (images * height * width * 12) * (4 * 4 * 5));
}

TEST_CASE("fewer rows never take more scratch, though they are cut into other pieces") {
  for (const int inner : {1536, 40}) {
    std::size_t before = 0;
    for (int rows = 0; rows < 400; ++rows) {
      CAPTURE(rows);
      Count count;
      feed_forward(count, layer_of(384, inner, true), Activation::none, {{nullptr, rows, 384}, {}},
                   {nullptr, rows, 384}, {});
      CHECK(count.scratch_bytes() >= before);
      before = count.scratch_bytes();
    }
  }
}

TEST_CASE("shorter sequences never take more scratch than those of an LSTM's plan") {
  Lstm w = lstm_of(256, 256);
  w.ih.s8.panels = layer_of(1, 1, true).qkv.s8.panels;
  const auto scratch_of = [&](const TimeSteps& steps) {
    Count count;
    lstm_layer(count, w, steps, {nullptr, steps.rows, 256}, false, {}, {nullptr, steps.rows, 256});
    return count.scratch_bytes();
  };
  test::Random random(5);
  const auto up_to = [&](int most) {
    return 1 + static_cast<int>((random.next() + 1) / 2 * static_cast<float>(most));
  };
  for (int trial = 0; trial < 500; ++trial) {
    const int batch = up_to(70), longest = up_to(9);
    std::vector<std::int32_t> lengths(static_cast<std::size_t>(batch));
    for (std::int32_t& length : lengths) length = up_to(longest);
    test::Memory memory(1 << 12);
    const TimeSteps some = time_steps(memory.arena, batch, longest, lengths.data());
    Arena none;
    CAPTURE(batch);
    CAPTURE(longest);
    CHECK(scratch_of(some) <= scratch_of(time_steps(none, batch, longest, nullptr)));
  }
}
