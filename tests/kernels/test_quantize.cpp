#include <limits>

#include "kernels/quantized.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

/// On every instruction set these integers, scales and zero points; padding zeros.
void check(int n, const Guarded& x, const std::vector<reference::QuantizedRow>& expected) {
  CAPTURE(n);
  const int rows = static_cast<int>(expected.size());
  for (int i = 0; i < kernels::count(); ++i) {
    const Table& table = kernels::at(i);
    const std::string isa = table.isa;
    CAPTURE(isa);
    Quantized y(table, rows, n);
    table.quantize_rows(rows, n, x.data(), x.ld(), y.rows());
    CHECK(y.guards_intact());
    int wrong = 0;
    for (int r = 0; r < rows; ++r) {
      const auto& row = expected[static_cast<std::size_t>(r)];
      CHECK(y.scale(r) == row.scale);
      CHECK(y.zero(r) == row.zero);
      for (int j = 0; j < n; ++j) wrong += y.at(r, j) != row.q[static_cast<std::size_t>(j)];
    }
    CHECK(wrong == 0);
  }
}

/// Those of the reference.
void check(int rows, int n, const Guarded& x) {
  std::vector<reference::QuantizedRow> expected;
  for (int r = 0; r < rows; ++r) expected.push_back(reference::quantize(n, x.row(r)));
  check(n, x, expected);
}

}  // namespace

TEST_CASE("quantize_rows gives the integers of the reference on every instruction set") {
  for (int n : kEdges) check(3, n, Guarded(3, n, n + 3, Random(1)));
  check(2, 768, Guarded(2, 768, 770, Random(2), 40.0f));
}

TEST_CASE("quantize_rows takes rows of one sign, zeros, ties and large values") {
  const std::vector<std::vector<float>> rows = {
      {0.0f, 0.0f, 0.0f},      {1.0f, 2.0f, 3.0f},      {-5.0f, -1.0f, -0.25f},
      {-127.0f, 127.0f, 0.5f}, {-127.0f, 127.0f, 1.5f}, {-127.0f, 127.0f, -2.5f},
      {3e38f, -3e38f, 1e38f},  {1e-30f, -1e-31f, 0.0f}, {1e-40f, -1e-39f, 1e-45f},
      {0.0f, 254.0f, 253.5f},  {-254.0f, 0.0f, -0.5f},  {1000.0f, 1000.0f, 1000.0f},
  };
  for (const auto& values : rows) {
    Guarded x(1, 3, 3);
    std::copy(values.begin(), values.end(), x.data());
    CAPTURE(values[0]);
    check(1, 3, x);
  }
}

TEST_CASE("quantize_rows loses at most one step") {
  const int n = 500;
  const Guarded x(1, n, n, Random(4), 3.0f);
  const auto row = reference::quantize(n, x.data());
  for (int j = 0; j < n; ++j) {
    const float back =
        row.scale * static_cast<float>(row.q[static_cast<std::size_t>(j)] - row.zero);
    CHECK(std::fabs(back - x.data()[j]) <= row.scale);
  }
}

TEST_CASE("quantize_rows of smoothed rows is that of the products") {
  for (const int n : kEdges) {
    CAPTURE(n);
    const Guarded x(3, n, n + 5, Random(1), 3.0f), smooth(1, n, n, Random(2), 2.0f);
    Guarded product(3, n, n);
    for (int r = 0; r < 3; ++r) {
      for (int j = 0; j < n; ++j) product.row(r)[j] = x.row(r)[j] * smooth.row(0)[j];
    }
    for (int i = 0; i < kernels::count(); ++i) {
      const Table& table = kernels::at(i);
      const std::string isa = table.isa;
      CAPTURE(isa);
      Quantized y(table, 3, n), expected(table, 3, n);
      kernels::QuantizedRows rows = y.rows();
      rows.smooth = smooth.data();
      table.quantize_rows(3, n, x.data(), x.ld(), rows);
      table.quantize_rows(3, n, product.data(), product.ld(), expected.rows());
      CHECK(y == expected);
      CHECK(y.guards_intact());
    }
  }
}

TEST_CASE("quantize_rows makes ±127 of what is not a number, which changes nothing else") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const int n : {1, 9, 37, 130}) {
    for (int at = 0; at < n; at += 1 + n / 9) {
      for (const float bad : {nan, -nan}) {
        Guarded x(1, n, n, Random(8), 3.0f), zero = x;
        x.data()[at] = bad;
        zero.data()[at] = 0.0f;
        reference::QuantizedRow expected = reference::quantize(n, zero.data());
        expected.q[static_cast<std::size_t>(at)] = std::signbit(bad) ? -127 : 127;
        check(n, x, {expected});
      }
    }
  }
}

TEST_CASE("quantize_rows of an infinity has an infinite scale, products with it are not finite") {
  const float inf = std::numeric_limits<float>::infinity();
  const int n = 37, columns = kernels::kPanel;
  const std::vector<std::int8_t> w(static_cast<std::size_t>(columns * n), 1);
  std::vector<std::int8_t> panels(kernels::panels_size_s8(columns, n));
  std::vector<std::int32_t> sums(columns), negatives(columns);
  const std::vector<float> scale(columns, 0.5f), bias(columns, 1.0f);
  kernels::pack_panels_s8(columns, n, w.data(), n, panels.data(), sums.data(), negatives.data());
  for (int i = 0; i < kernels::count(); ++i) {
    const Table& table = kernels::at(i);
    const std::string isa = table.isa;
    CAPTURE(isa);
    for (int at = 0; at < n; ++at) {
      for (const float bad : {inf, -inf}) {
        Guarded x(1, n, n, Random(9)), c(1, columns, columns);
        x.data()[at] = bad;
        Quantized y(table, 1, n);
        table.quantize_rows(1, n, x.data(), n, y.rows());
        CHECK(y.guards_intact());
        CHECK(y.scale(0) == inf);
        CHECK(y.zero(0) == (bad < 0 ? 127 : -127));
        int wrong = 0;
        for (int j = 0; j < n; ++j) wrong += j == at ? y.at(0, j) < -127 : y.at(0, j) != y.zero(0);
        CHECK(wrong == 0);
        table.gemm_s8(1, columns, n, y.rows(),
                      {panels.data(), scale.data(), sums.data(), negatives.data()}, {bias.data()},
                      c.data(), columns);
        for (const float v : c.values()) CHECK_FALSE(std::isfinite(v));
      }
    }
  }
}

TEST_CASE("layer_norm_s8 is layer_norm_f32 and then quantize_rows") {
  for (int n : {1, 7, 32, 100, 768}) {
    CAPTURE(n);
    const int rows = 3;
    const Guarded x(rows, n, n + 1, Random(5), 2.0f), gamma(1, n, n, Random(6)),
        beta(1, n, n, Random(7));
    for (int i = 0; i < kernels::count(); ++i) {
      const Table& table = kernels::at(i);
      const std::string isa = table.isa;
      CAPTURE(isa);
      Guarded apart(rows, n, n), y(rows, n, n + 2);
      Quantized expected(table, rows, n), q(table, rows, n);
      table.layer_norm_f32(rows, n, x.data(), x.ld(), gamma.data(), beta.data(), 1e-5f,
                           apart.data(), apart.ld());
      table.quantize_rows(rows, n, apart.data(), apart.ld(), expected.rows());
      table.layer_norm_s8(rows, n, x.data(), x.ld(), gamma.data(), beta.data(), 1e-5f, y.data(),
                          y.ld(), q.rows());
      CHECK(same_bits(y.values(), apart.values()));
      CHECK(y.guards_intact());
      CHECK(q.guards_intact());
      CHECK(q == expected);
    }
  }
}
