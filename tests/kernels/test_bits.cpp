// The same bits on every ISA with FMA, architecture and compiler: hashes of every kernel's outputs
// on fixed inputs. They were produced by the scalar kernels; a change of the order of additions, of
// a polynomial or of a rounding shows here.

#include "kernels/check.hpp"

using namespace kinglet;
using namespace kinglet::test;
using kernels::Activation;

namespace {

/// FNV-1a, 64 bits, over the bytes of the floats, lowest first.
std::uint64_t hash(const std::vector<float>& x) {
  std::uint64_t h = 14695981039346656037u;
  for (float v : x) {
    std::uint32_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    for (int i = 0; i < 4; ++i, bits >>= 8) h = (h ^ (bits & 255u)) * 1099511628211u;
  }
  return h;
}

std::vector<float> random(std::uint64_t seed, int n, float scale = 1.0f) {
  std::vector<float> x(static_cast<std::size_t>(n));
  Random(seed).fill(x.data(), n, scale);
  return x;
}

template <class Outputs>
void check(std::uint64_t expected, Outputs outputs) {
  for (int i = 0; i < kernels::count(); ++i) {
    if (!has_fma(kernels::at(i))) continue;
    const std::string isa = kernels::at(i).isa;
    CAPTURE(isa);
    CHECK(hash(outputs(kernels::at(i))) == expected);
  }
}

std::vector<float> activated(const Table& table, Activation act) {
  const std::vector<float> x = random(1, 1001, 6.0f);
  std::vector<float> y(x.size());
  table.activate_f32(act, static_cast<int>(x.size()), x.data(), y.data());
  return y;
}

std::vector<float> multiplied(const Table& table, Activation act) {
  const int m = 23, n = 90, k = 101;
  const std::vector<float> a = random(2, m * k), w = random(3, n * k), bias = random(4, 96),
                           residual = random(5, m * n);
  std::vector<float> panels(kernels::panels_size_f32(n, k)), c(static_cast<std::size_t>(m * n));
  kernels::pack_panels_f32(n, k, w.data(), k, panels.data());
  table.gemm_f32(m, n, k, a.data(), k, panels.data(), {bias.data(), act, residual.data(), n},
                 c.data(), n);
  return c;
}

std::vector<float> multiplied_s8(const Table& table, Activation act) {
  const int m = 23, n = 90, k = 101;
  const std::vector<float> a = random(2, m * k), bias = random(4, 96), residual = random(5, m * n),
                           scale = random(17, 96), from = random(3, n * k, 127.0f);
  std::vector<std::int8_t> w(from.size());
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<std::int8_t>(from[i]);
  std::vector<std::int8_t> panels(kernels::panels_size_s8(n, k)),
      q(static_cast<std::size_t>(m * kernels::padded_depth(k)));
  std::vector<std::int32_t> sums(96), negatives(96), zero(23);
  std::vector<float> row_scale(23), c(static_cast<std::size_t>(m * n));
  kernels::pack_panels_s8(n, k, w.data(), k, panels.data(), sums.data(), negatives.data());
  const kernels::QuantizedRows rows{q.data(), kernels::padded_depth(k), row_scale.data(),
                                    zero.data()};
  table.quantize_rows(m, k, a.data(), k, rows);
  table.gemm_s8(m, n, k, rows, {panels.data(), scale.data(), sums.data(), negatives.data()},
                {bias.data(), act, residual.data(), n}, c.data(), n);
  return c;
}

std::vector<float> attended(const Table& table, int m, int n, int d) {
  const std::vector<float> q = random(6, m * d, 2.0f), k = random(7, n * d), v = random(8, n * d);
  std::vector<float> y(static_cast<std::size_t>(m * d + m * n)),
      scratch(kernels::attention_scratch_f32(n, d));
  table.attention_f32(m, n, d, q.data(), d, k.data(), d, v.data(), d, nullptr, 0.3f, y.data(), d,
                      y.data() + m * d, n, scratch.data());
  return y;
}

std::vector<float> attended_s8(const Table& table, int m, int n, int d) {
  const std::vector<float> q = random(6, m * d, 2.0f), k = random(7, n * d), v = random(8, n * d);
  std::vector<float> y(static_cast<std::size_t>(m * d)),
      scratch(kernels::attention_scratch_s8(n, d) / sizeof(float));
  table.attention_s8(m, n, d, q.data(), d, k.data(), d, v.data(), d, nullptr, 0.3f, y.data(), d,
                     scratch.data());
  return y;
}

/// c, then h.
std::vector<float> stepped(const Table& table) {
  const int units = 37, n = kernels::lstm_gates(units), k = 23;
  const std::vector<float> x = random(28, k), h = random(29, units), start = random(30, n, 3.0f),
                           w_x = random(31, n * k), w_h = random(32, n * units);
  std::vector<float> of_x(kernels::panels_size_f32(n, k)), of_h(kernels::panels_size_f32(n, units));
  kernels::pack_panels_f32(n, k, w_x.data(), k, of_x.data());
  kernels::pack_panels_f32(n, units, w_h.data(), units, of_h.data());
  std::vector<float> out = random(33, 2 * units);
  table.lstm_step_f32(0, units, k, x.data(), of_x.data(), units, h.data(), of_h.data(),
                      start.data(), out.data(), out.data() + units, true);
  return out;
}

std::vector<float> gru_stepped(const Table& table) {
  const int units = 37, n = kernels::gru_gates(units);
  const std::vector<float> x = random(34, n, 3.0f), k = random(35, n, 3.0f), h = random(36, units);
  std::vector<float> y(h.size());
  table.gru_cell_f32(1, units, x.data(), k.data(), n, h.data(), units, y.data(), units);
  return y;
}

kernels::ImageView<float> view_of(std::vector<float>& x, int height, int width, int channels) {
  return {x.data(), height, width, channels, width * channels, channels};
}

std::vector<float> convolved(const Table& table) {
  std::vector<float> x = random(18, 9 * 11 * 5), y(4 * 5 * 21);
  const std::vector<float> w = random(19, 21 * 45), bias = random(20, 32);
  std::vector<float> panels(kernels::panels_size_f32(21, 45)), shortcut = random(21, 4 * 5 * 21);
  kernels::pack_panels_f32(21, 45, w.data(), 45, panels.data());
  table.conv_f32({3, 3, 2, 1}, view_of(x, 9, 11, 5), panels.data(),
                 {bias.data(), Activation::relu, view_of(shortcut, 4, 5, 21)}, 0, 20,
                 view_of(y, 4, 5, 21));
  return y;
}

std::vector<float> convolved_s8(const Table& table) {
  const std::vector<float> x = random(29, 9 * 11 * 8), from = random(30, 21 * 72, 127.0f),
                           bias = random(20, 32), scale = random(31, 32);
  std::vector<float> shortcut = random(21, 4 * 5 * 21), y(4 * 5 * 21);
  std::vector<std::int8_t> w, panels(kernels::panels_size_s8(21, 72)), q(x.size());
  for (const float v : from) w.push_back(static_cast<std::int8_t>(v));
  std::vector<std::int32_t> sums(32), negatives(32);
  float image_scale;
  std::int32_t zero;
  kernels::pack_panels_s8(21, 72, w.data(), 72, panels.data(), sums.data(), negatives.data());
  table.quantize_rows(1, 792, x.data(), 792, {q.data(), 792, &image_scale, &zero});
  table.conv_s8({3, 3, 2, 1}, {q.data(), 9, 11, 8, 88, 8}, &image_scale, &zero,
                {panels.data(), scale.data(), sums.data(), negatives.data()},
                {bias.data(), Activation::relu, view_of(shortcut, 4, 5, 21)}, 0, 20,
                view_of(y, 4, 5, 21));
  return y;
}

std::vector<float> convolved_by_channel(const Table& table) {
  std::vector<float> x = random(22, 9 * 11 * 5), y(4 * 5 * 5);
  const std::vector<float> w = random(23, 45), bias = random(24, 5);
  table.depthwise_f32({3, 3, 2, 1}, view_of(x, 9, 11, 5), w.data(), bias.data(), Activation::relu,
                      0, 4, view_of(y, 4, 5, 5));
  return y;
}

std::vector<float> transposed(const Table& table, int channels) {
  const std::vector<float> taps = random(25, 30 * 36 * channels), bias = random(26, channels);
  const int height = 5 * 4 + 2 - 4, width = 6 * 4 + 2 - 4;
  std::vector<float> y(static_cast<std::size_t>(height * width * channels));
  table.overlap_add_f32({taps.data(), 36 * channels, 5, 6, 6, 4, 2}, bias.data(), Activation::relu,
                        0, height, view_of(y, height, width, channels));
  return y;
}

std::vector<float> resized(const Table& table, int channels) {
  std::vector<float> x = random(27, 7 * 9 * channels), scratch = x;
  std::vector<float> y(static_cast<std::size_t>(13 * 20 * channels)), weights(13 + 20);
  std::vector<std::int32_t> places(weights.size());
  const kernels::Between rows{places.data(), weights.data()},
      columns{places.data() + 13, weights.data() + 13};
  kernels::resize_positions(7, 13, rows);
  kernels::resize_positions(9, 20, columns);
  table.resize_bilinear_f32(view_of(x, 7, 9, channels), rows, columns, 0, 13,
                            view_of(y, 13, 20, channels), scratch.data());
  return y;
}

std::vector<float> averaged(const Table& table) {
  std::vector<float> x = random(28, 7 * 9 * 21), y(21);
  table.average_pool_f32(view_of(x, 7, 9, 21), y.data());
  return y;
}

}  // namespace

TEST_CASE("activations have the recorded bits") {
  check(0x66b106d63ab3a071, [](const Table& t) { return activated(t, Activation::relu); });
  check(0x30e1887e54fbbe81, [](const Table& t) { return activated(t, Activation::gelu_erf); });
  check(0x0d893e7b111ac734, [](const Table& t) { return activated(t, Activation::gelu_tanh); });
  check(0x9e65688464bfb2bc, [](const Table& t) { return activated(t, Activation::tanh); });
}

TEST_CASE("matrix products and their epilogues have the recorded bits") {
  check(0x6256d04926d67143, [](const Table& t) { return multiplied(t, Activation::none); });
  check(0x0077444c3324df8f, [](const Table& t) { return multiplied(t, Activation::relu); });
  check(0x762b49aee81b2011, [](const Table& t) { return multiplied(t, Activation::gelu_erf); });
  check(0xee260e0efe0b7e9b, [](const Table& t) { return multiplied(t, Activation::gelu_tanh); });
  check(0x415e41ff19ae9ba3, [](const Table& t) { return multiplied(t, Activation::tanh); });
}

TEST_CASE("int8 products of rows quantised on the way have the recorded bits") {
  check(0xca7759bc8b42702c, [](const Table& t) { return multiplied_s8(t, Activation::none); });
  check(0xe8682aee0b97595b, [](const Table& t) { return multiplied_s8(t, Activation::gelu_erf); });
}

TEST_CASE("attention and its probabilities have the recorded bits") {
  check(0xed4c2145c88d8a83, [](const Table& t) { return attended(t, 1, 37, 11); });
  check(0x3ee5ee5ba7b21651, [](const Table& t) { return attended(t, 30, 70, 32); });
  check(0x75f7e2cfbd1ce4ea, [](const Table& t) { return attended(t, 65, 70, 32); });
}

TEST_CASE("int8 attention has the recorded bits") {
  check(0x73cb6f4e1a0e85e7, [](const Table& t) { return attended_s8(t, 1, 37, 11); });
  check(0xea57d06f1db9a254, [](const Table& t) { return attended_s8(t, 40, 70, 32); });
}

TEST_CASE("softmax has the recorded bits") {
  check(0x9dba7c5705aa42fb, [](const Table& t) {
    std::vector<float> y = random(9, 7 * 77, 12.0f);
    t.softmax_f32(7, 77, y.data(), 77, y.data(), 77);
    return y;
  });
}

TEST_CASE("layer normalisation has the recorded bits") {
  check(0x6f7cc27b5e88d9e3, [](const Table& t) {
    std::vector<float> y = random(10, 5 * 205, 3.0f);
    const std::vector<float> gamma = random(11, 205), beta = random(12, 205);
    t.layer_norm_f32(5, 205, y.data(), 205, gamma.data(), beta.data(), 1e-5f, y.data(), 205);
    return y;
  });
}

TEST_CASE("embeddings and sums have the recorded bits") {
  check(0x4b7bd9f21a8abf5e, [](const Table& t) {
    const std::vector<std::int32_t> ids = {3, 0, 2, 3};
    const std::vector<float> table = random(13, 4 * 45), x = random(15, 4 * 45);
    std::vector<float> y = random(14, 4 * 45);
    t.embedding_f32(4, 45, ids.data(), table.data(), 45, y.data(), 45, true);
    t.add_f32(4 * 45, x.data(), y.data(), y.data());
    return y;
  });
}

TEST_CASE("convolutions have the recorded bits") {
  check(0xd7e4f7925880e51c, convolved);
  check(0x870dbeb2cf3c9df5, convolved_by_channel);
  check(0x4d9126f0f072f525, convolved_s8);
}

TEST_CASE("what changes the size of images has the recorded bits") {
  check(0xaa87b6e5a819a516, [](const Table& t) { return transposed(t, 1); });
  check(0x76fe32ec960eed2f, [](const Table& t) { return transposed(t, 18); });
  check(0x40521d2fbb66304b, [](const Table& t) { return resized(t, 1); });
  check(0xf8ea671e1252d983, [](const Table& t) { return resized(t, 3); });
  check(0x3791d2c2d4b59a8a, averaged);
}

TEST_CASE("LSTM and GRU cells have the recorded bits") {
  check(0xd08eba74637ab000, [](const Table& t) { return stepped(t); });
  check(0xe7faa84a06d4dcd7, [](const Table& t) { return gru_stepped(t); });
}
