// Calls kernels of the AVX2 set under callgrind, which counts the instructions of each call. Prints
// for each what the counts are divided by; the counts go to callgrind's files. See
// instructions.sh.

#include <valgrind/callgrind.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "dispatch/dispatch.hpp"

namespace kinglet::kernels {
template <>
const Kernels<isa::runtime>& table<isa::avx2>() noexcept;
}

namespace {

using namespace kinglet;
using kernels::Activation;
using kernels::kPanel;

const auto& table = kernels::table<isa::avx2>();

/// `size` numbers between −1 and 1, never 0.
std::vector<float> floats(int size) {
  std::vector<float> x(static_cast<std::size_t>(size));
  std::uint32_t state = 1;
  for (float& value : x) {
    state = state * 1664525u + 1013904223u;
    value = (static_cast<float>(state >> 9) + 0.5f) / 4194304.0f - 1.0f;
  }
  return x;
}

std::vector<std::int8_t> bytes(int size) {
  std::vector<std::int8_t> x;
  for (float value : floats(size)) x.push_back(static_cast<std::int8_t>(value * 127.0f));
  return x;
}

/// Counts one call; callgrind names its file's trigger after it.
template <class Call>
void count(const std::string& name, double units, const char* unit, Call call) {
  CALLGRIND_ZERO_STATS;
  call();
  CALLGRIND_DUMP_STATS_AT(name.c_str());
  std::printf("%s\t%.0f\t%s\n", name.c_str(), units, unit);
}

struct QuantizedStore {
  std::vector<std::int8_t> q;
  std::vector<float> scale;
  std::vector<std::int32_t> zero;
  int ld;

  QuantizedStore(int rows, int n)
      : q(static_cast<std::size_t>(rows) * static_cast<std::size_t>(kernels::padded_depth(n))),
        scale(static_cast<std::size_t>(rows)),
        zero(static_cast<std::size_t>(rows)),
        ld(kernels::padded_depth(n)) {}
  kernels::QuantizedRows rows() { return {q.data(), ld, scale.data(), zero.data()}; }
};

void products(int n, int k) {
  const std::vector<float> panels = floats(static_cast<int>(kernels::panels_size_f32(n, k)));
  const std::vector<std::int8_t> w = bytes(n * k);
  std::vector<std::int8_t> panels_s8(kernels::panels_size_s8(n, k));
  std::vector<std::int32_t> sums(static_cast<std::size_t>(kernels::panels_of(n) * kPanel));
  std::vector<std::int32_t> negatives(sums.size());
  kernels::pack_panels_s8(n, k, w.data(), k, panels_s8.data(), sums.data(), negatives.data());
  const std::vector<float> bias = floats(static_cast<int>(sums.size()));
  const kernels::WeightsS8 weights{panels_s8.data(), bias.data(), sums.data(), negatives.data()};
  const kernels::Epilogue epilogue{bias.data()};
  for (int m : {1, 4, 160}) {
    const std::vector<float> a = floats(m * k);
    std::vector<float> c(static_cast<std::size_t>(m * n));
    QuantizedStore q(m, k);
    const std::string sizes =
        " m:" + std::to_string(m) + " n:" + std::to_string(n) + " k:" + std::to_string(k);
    const double multiply_adds = static_cast<double>(m) * n * k;
    count("gemm_f32" + sizes, multiply_adds, "multiply-add",
          [&] { table.gemm_f32(m, n, k, a.data(), k, panels.data(), epilogue, c.data(), n); });
    table.quantize_rows(m, k, a.data(), k, q.rows());
    count("gemm_s8" + sizes, multiply_adds, "multiply-add",
          [&] { table.gemm_s8(m, n, k, q.rows(), weights, epilogue, c.data(), n); });
  }
}

void attention(int n, int d) {
  const std::vector<float> q = floats(n * d), k = floats(n * d), v = floats(n * d);
  std::vector<float> y(q.size());
  std::vector<float> scratch(kernels::attention_scratch_f32(n, d)),
      scratch_s8(kernels::attention_scratch_s8(n, d) / sizeof(float));
  const std::string sizes = " n:" + std::to_string(n) + " d:" + std::to_string(d);
  const double multiply_adds = 2.0 * n * n * d;
  count("attention_f32" + sizes, multiply_adds, "multiply-add", [&] {
    table.attention_f32(n, n, d, q.data(), d, k.data(), d, v.data(), d, nullptr, 0.125f, y.data(),
                        d, nullptr, 0, scratch.data());
  });
  count("attention_s8" + sizes, multiply_adds, "multiply-add", [&] {
    table.attention_s8(n, n, d, q.data(), d, k.data(), d, v.data(), d, nullptr, 0.125f, y.data(), d,
                       scratch_s8.data());
  });
}

void rows_of(int rows, int n) {
  const std::vector<float> x = floats(rows * n), gamma = floats(n), beta = floats(n);
  std::vector<float> y(x.size());
  QuantizedStore q(rows, n);
  const int size = rows * n;
  const std::string sizes = " rows:" + std::to_string(rows) + " n:" + std::to_string(n);
  const auto each = [&](const char* name, auto call) { count(name + sizes, size, "number", call); };

  each("quantize_rows", [&] { table.quantize_rows(rows, n, x.data(), n, q.rows()); });
  each("softmax_f32", [&] { table.softmax_f32(rows, n, x.data(), n, y.data(), n); });
  each("layer_norm_f32", [&] {
    table.layer_norm_f32(rows, n, x.data(), n, gamma.data(), beta.data(), 1e-5f, y.data(), n);
  });
  each("layer_norm_s8", [&] {
    table.layer_norm_s8(rows, n, x.data(), n, gamma.data(), beta.data(), 1e-5f, y.data(), n,
                        q.rows());
  });
  each("add_f32", [&] { table.add_f32(size, x.data(), x.data(), y.data()); });
  const auto activate = [&](const char* name, Activation act) {
    each(name, [&] { table.activate_f32(act, size, x.data(), y.data()); });
  };
  activate("relu", Activation::relu);
  activate("gelu_erf", Activation::gelu_erf);
  activate("gelu_tanh", Activation::gelu_tanh);
  activate("tanh", Activation::tanh);

  std::vector<std::int32_t> ids;
  for (int r = rows; r-- > 0;) ids.push_back(r);
  const std::vector<std::int8_t> words = bytes(size);
  each("embedding_f32",
       [&] { table.embedding_f32(rows, n, ids.data(), x.data(), n, y.data(), n, false); });
  each("embedding_s8", [&] {
    table.embedding_s8(rows, n, ids.data(), words.data(), n, gamma.data(), y.data(), n, false);
  });
}

void images(int size, int channels) {
  const int padded = size + 2, pixels = size * size, k = 9 * channels;
  const std::vector<float> x = floats(padded * padded * channels), bias = floats(channels);
  const std::vector<float> panels = floats(static_cast<int>(kernels::panels_size_f32(channels, k)));
  std::vector<float> y(static_cast<std::size_t>(pixels * channels));
  const kernels::ImageView<const float> from{x.data(),          size,    size, channels,
                                             padded * channels, channels};
  const kernels::ImageView<float> to{y.data(), size, size, channels, size * channels, channels};
  const std::string sizes =
      " " + std::to_string(size) + "x" + std::to_string(size) + "x" + std::to_string(channels);
  count("conv_f32 3x3" + sizes, static_cast<double>(pixels) * channels * k, "multiply-add", [&] {
    table.conv_f32({3, 3, 1, 1}, from, panels.data(), {bias.data(), Activation::relu, to}, 0,
                   pixels, to);
  });
  count("depthwise_f32 3x3" + sizes, pixels * k, "multiply-add", [&] {
    table.depthwise_f32({3, 3, 1, 1}, from, panels.data(), bias.data(), Activation::relu, 0, size,
                        to);
  });
  count("max_pool_f32 3x3" + sizes, pixels * channels, "number", [&] {
    table.max_pool_f32({3, 3, 1, 1}, 1, from, 0, size, to);
  });
}

/// From size × size to twice the size, kernel 4.
void enlarged(int size, int channels) {
  const int to = 2 * size;
  const std::vector<float> taps = floats(size * size * 16 * channels), bias = floats(channels);
  std::vector<float> y(static_cast<std::size_t>(to * to * channels));
  const kernels::ImageView<float> view{y.data(), to, to, channels, to * channels, channels};
  count("overlap_add_f32 to " + std::to_string(to) + "x" + std::to_string(to) + "x" +
            std::to_string(channels),
        to * to * channels, "number", [&] {
          table.overlap_add_f32({taps.data(), 16 * channels, size, size, 4, 2, 1}, bias.data(),
                                Activation::none, 0, to, view);
        });
}

void resized(int from, int to) {
  const std::vector<float> x = floats(from * from);
  std::vector<float> y(static_cast<std::size_t>(to * to)), weight(static_cast<std::size_t>(to)),
      scratch(static_cast<std::size_t>(from));
  std::vector<std::int32_t> first(weight.size());
  const kernels::Between at{first.data(), weight.data()};
  kernels::resize_positions(from, to, at);
  count("resize_bilinear_f32 " + std::to_string(from) + " to " + std::to_string(to), to * to,
        "number", [&] {
          table.resize_bilinear_f32({x.data(), from, from, 1, from, 1}, at, at, 0, to,
                                    {y.data(), to, to, 1, to, 1}, scratch.data());
        });
}

}  // namespace

int main() {
  products(768, 768);
  attention(160, 64);
  rows_of(160, 768);
  images(14, 64);
  enlarged(56, 1);
  enlarged(28, 16);
  resized(112, 150);
}
