// The int8 ops of Cpu on every instruction set: what they do is what the kernels do, for any split
// over threads, in the scratch that Count says.

#include <algorithm>

#include "backend/check.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

/// int8 weights of a Linear with a bias.
struct Weights {
  std::vector<std::int8_t> panels;
  std::vector<std::int32_t> sums, negatives;
  std::vector<float> scale, bias;
  Linear linear;

  Weights(int n, int k, std::uint64_t seed)
      : panels(kernels::panels_size_s8(n, k)),
        sums(static_cast<std::size_t>(padded(n))),
        negatives(sums.size()),
        scale(sums.size()),
        bias(sums.size()) {
    Random random(seed);
    std::vector<std::int8_t> w(Numbers::size(n, k));
    for (auto& v : w) v = static_cast<std::int8_t>(std::lround(random.next() * 127.0f));
    random.fill(bias.data(), n);
    for (int j = 0; j < n; ++j) scale[static_cast<std::size_t>(j)] = 0.01f + 0.005f * random.next();
    kernels::pack_panels_s8(n, k, w.data(), k, panels.data(), sums.data(), negatives.data());
    linear.bias = bias.data();
    linear.n = n;
    linear.k = k;
    linear.s8 = {panels.data(), scale.data(), sums.data(), negatives.data()};
  }
};

}  // namespace

TEST_CASE("an int8 linear is quantize_rows and then gemm_s8, for any rows and threads") {
  const int n = 90, k = 36;
  const Weights w(n, k, 7);
  for (const int m : {1, 5, 160, 161, 330}) {
    CAPTURE(m);
    const Numbers x(m, k, 3), residual(m, n, 4);
    on_each_isa([&](const test::Table& table) {
      Numbers expected(m, n);
      std::vector<std::int8_t> q(Numbers::size(m, padded_depth(k)));
      std::vector<float> scale(static_cast<std::size_t>(m));
      std::vector<std::int32_t> zero(scale.size());
      const QuantizedRows rows{q.data(), padded_depth(k), scale.data(), zero.data()};
      table.quantize_rows(m, k, x.values.data(), k, rows);
      table.gemm_s8(m, n, k, rows, w.linear.s8,
                    {w.bias.data(), Activation::gelu_erf, residual.values.data(), n},
                    expected.values.data(), n);
      for (const Parallel& parallel : {Parallel{}, three_workers()}) {
        Numbers y(m, n);
        run(
            table, [&](auto& be) { be.linear(w.linear, x, y, Activation::gelu_erf, residual); },
            parallel);
        CHECK(same_bits(y.values, expected.values));
      }
    });
  }
}

TEST_CASE("int8 rows that the layer norm wrote give the bits of a linear that quantises itself") {
  const int m = 21, n = 32, k = 52;
  const Weights w(n, k, 5);
  const Numbers x(m, k, 6), gamma(1, k, 7), beta(1, k, 8);
  const Norm norm{gamma.values.data(), beta.values.data(), k, 1e-5f};
  on_each_isa([&](const test::Table& table) {
    Numbers plain(m, k), y(m, n), expected(m, n), from_rows(m, n);
    run(table, [&](auto& be) {
      be.layer_norm(norm, x, plain);
      be.linear(w.linear, plain, expected);
    });
    for (const Parallel& parallel : {Parallel{}, three_workers()}) {
      run(
          table,
          [&](auto& be) {
            ArenaScope scope(be.arena());
            const Activations both = take_activations(be.arena(), m, k, true);
            be.layer_norm(norm, x, both);
            be.linear(w.linear, both, y);
            be.quantize(both);
            be.linear(w.linear.part(1, 16), both.rows_at(2, 3),
                      Matrix(from_rows).rows_at(2, 3).cols_at(16, 16));
          },
          parallel);
      CHECK(same_bits(y.values, expected.values));
      for (int r = 2; r < 5; ++r) {
        for (int j = 16; j < 32; ++j) CHECK(Matrix(from_rows).row(r)[j] == Matrix(y).row(r)[j]);
      }
    }
  });
}

TEST_CASE("a smoothed linear is that of the products, whoever quantises them") {
  const int m = 9, n = 32, k = 52;
  Weights w(n, k, 5);
  const Numbers x(m, k, 6), gamma(1, k, 7), beta(1, k, 8), smooth(1, k, 9);
  const Norm norm{gamma.values.data(), beta.values.data(), k, 1e-5f};
  on_each_isa([&](const test::Table& table) {
    Numbers plain(m, k), product(m, k), expected(m, n), dynamic(m, n), fused(m, n);
    run(table, [&](auto& be) { be.layer_norm(norm, x, plain); });
    for (std::size_t i = 0; i < plain.values.size(); ++i) {
      product.values[i] = plain.values[i] * smooth.values[i % static_cast<std::size_t>(k)];
    }
    run(table, [&](auto& be) { be.linear(w.linear, product, expected); });
    Linear smoothed = w.linear;
    smoothed.smooth = smooth.values.data();
    run(table, [&](auto& be) {
      ArenaScope scope(be.arena());
      const Activations both = take_activations(be.arena(), m, k, true).read_by(smoothed);
      be.layer_norm(norm, x, both);
      be.linear(smoothed, both, fused);
      be.linear(smoothed, both.x, dynamic);
    });
    CHECK(same_bits(fused.values, expected.values));
    CHECK(same_bits(dynamic.values, expected.values));
  });
}

TEST_CASE("an int8 table gives its rows times their scales") {
  const std::int8_t rows[3][5] = {{1, -2, 3, -4, 5}, {127, -127, 0, 1, 2}, {9, 8, 7, 6, 5}};
  const float scale[] = {0.5f, 0.25f, 2.0f};
  const kinglet::Table table{nullptr, 3, 5, 5, rows[0], scale};
  const std::int32_t ids[] = {2, 0};
  on_each_isa([&](const test::Table& kernels) {
    Numbers y(2, 5);
    run(kernels, [&](auto& be) {
      be.embed(table, ids, y);
      be.embed(table, ids + 1, Matrix(y).rows_at(1, 1), true);
    });
    for (int j = 0; j < 5; ++j) {
      CHECK(Matrix(y).row(0)[j] == 2.0f * static_cast<float>(rows[2][j]));
      CHECK(Matrix(y).row(1)[j] == static_cast<float>(rows[0][j]));
    }
  });
}

TEST_CASE("attention_s8 of ragged sequences is the kernel for every sequence and head") {
  const int heads = 2, d = 20, width = heads * d, rows = 30;
  const Numbers q(rows, width, 1), k(rows, width, 2), v(rows, width, 3);
  const std::int32_t start[] = {0, 7, 8}, length[] = {7, 1, 22}, live[] = {5, 1, 22};
  const Ragged queries{3, 22, start, length}, keys{3, 22, start, live};
  on_each_isa([&](const test::Table& table) {
    Numbers expected(rows, width);
    std::vector<float> scratch(kernels::attention_scratch_s8(22, d) / sizeof(float) + 1);
    for (int s = 0; s < 3; ++s) {
      for (int h = 0; h < heads; ++h) {
        const auto at = [&](const Numbers& x) { return ConstMatrix(x).row(start[s]) + h * d; };
        table.attention_s8(length[s], live[s], d, at(q), width, at(k), width, at(v), width, nullptr,
                           0.3f, Matrix(expected).row(start[s]) + h * d, width, scratch.data());
      }
    }
    for (const Parallel& parallel : {Parallel{}, three_workers()}) {
      Numbers y(rows, width);
      run(
          table, [&](auto& be) { be.attention_s8(q, k, v, queries, keys, heads, 0.3f, y); },
          parallel);
      CHECK(same_bits(y.values, expected.values));
    }
  });
}
