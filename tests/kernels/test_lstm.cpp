#include <algorithm>

#include "kernels/quantized.hpp"
#include "reference/lstm.hpp"

using namespace kinglet;
using namespace kinglet::test;
using kernels::Epilogue;
using kernels::kPanel;

namespace {

/// σ and tanh, see kernels/math.hpp; of σ·tanh less than that of both.
constexpr double kEps = 3.5e-7;

const std::vector<int> kUnits = {1, 3, 4, 8, 15, 16, 17, 31, 32, 33, 48, 100};

/// Gates of `unit`, `each` to a unit, as the panels hold them.
int place(int each, int unit, int gate) {
  return (unit / kPanel * each + gate) * kPanel + unit % kPanel;
}

void check_cell(int rows, int units) {
  CAPTURE(units);
  const int n = kernels::lstm_gates(units);
  const Guarded gates(rows, n, n + 5, Random(1), 6.0f), c(rows, units, units + 3, Random(2), 3.0f);
  for (bool want_c : {true, false}) {
    on_every_isa(
        [&](const Table& table) {
          Guarded cell(rows, units, units + 3), h(rows, units, units + 2);
          cell.copy_from(c);
          table.lstm_cell_f32(rows, units, gates.data(), gates.ld(), cell.data(), cell.ld(),
                              h.data(), h.ld());
          CHECK(cell.guards_intact());
          CHECK(h.guards_intact());
          return want_c ? cell.values() : h.values();
        },
        [&](const Table&, const std::vector<float>& values) {
          int wrong = 0;
          for (int r = 0; r < rows; ++r) {
            for (int u = 0; u < units; ++u) {
              double g[4];
              for (int gate = 0; gate < 4; ++gate)
                g[gate] = static_cast<double>(gates.row(r)[place(4, u, gate)]);
              const auto unit =
                  reference::lstm_unit(g, static_cast<double>(c.row(r)[u]), 0, kEps, kU);
              const auto value =
                  static_cast<double>(values[static_cast<std::size_t>(r * units + u)]);
              wrong += want_c ? !within(value, unit.c, unit.c_error)
                              : !within(value, unit.h, unit.h_error);
            }
          }
          CHECK(wrong == 0);
        });
  }
}

/// One row of input and state, and weights of both precisions.
struct Step {
  Step(int units_, int kx_, int kh_)
      : units(units_),
        kx(kx_),
        kh(kh_),
        n(kernels::lstm_gates(units)),
        x(1, kx, kx, Random(1)),
        h(1, kh, kh, Random(2)),
        c(1, units, units, Random(3)),
        start(1, n, n, Random(4)),
        w_x(static_cast<std::size_t>(n * kx)),
        w_h(static_cast<std::size_t>(n * kh)) {
    Random random(5);
    random.fill(w_x.data(), n * kx, 0.5f);
    random.fill(w_h.data(), n * kh, 0.5f);
  }
  int units, kx, kh, n;
  Guarded x, h, c, start;
  std::vector<float> w_x, w_h;  ///< rows in the order of the gates
};

std::vector<float> packed(int n, int k, const std::vector<float>& w) {
  std::vector<float> panels(kernels::panels_size_f32(n, k));
  kernels::pack_panels_f32(n, k, w.data(), k, panels.data());
  return panels;
}

struct PackedS8 {
  PackedS8(int n, int k, const std::vector<float>& w)
      : panels(kernels::panels_size_s8(n, k)),
        scale(static_cast<std::size_t>(n), 1.0f / 254),
        sums(scale.size()),
        negatives(scale.size()) {
    if (k == 0) return;
    std::vector<std::int8_t> q(w.size());
    std::transform(w.begin(), w.end(), q.begin(),
                   [](float v) { return static_cast<std::int8_t>(std::lround(v * 254.0f)); });
    kernels::pack_panels_s8(n, k, q.data(), k, panels.data(), sums.data(), negatives.data());
  }
  kernels::WeightsS8 weights() const {
    return {panels.data(), scale.data(), sums.data(), negatives.data()};
  }
  std::vector<std::int8_t> panels;
  std::vector<float> scale;
  std::vector<std::int32_t> sums, negatives;
};

/// c, then h.
template <class F>
std::vector<float> outcome(const Step& in, F run) {
  Guarded c(1, in.units, in.units), y(1, in.units, in.units);
  c.copy_from(in.c);
  run(c.data(), y.data());
  CHECK(c.guards_intact());
  CHECK(y.guards_intact());
  std::vector<float> out = c.values();
  const std::vector<float> h = y.values();
  out.insert(out.end(), h.begin(), h.end());
  return out;
}

std::vector<float> step_f32(const Table& table, const Step& in, bool backwards) {
  const auto x = packed(in.n, in.kx, in.w_x), h = packed(in.n, in.kh, in.w_h);
  return outcome(in, [&](float* c, float* y) {
    table.lstm_step_f32(0, in.units, in.kx, in.x.data(), x.data(), in.kh, in.h.data(), h.data(),
                        in.start.data(), c, y, backwards);
  });
}

std::vector<float> products_f32(const Table& table, const Step& in) {
  const auto x = packed(in.n, in.kx, in.w_x), h = packed(in.n, in.kh, in.w_h);
  std::vector<float> gates = in.start.values();
  if (in.kx > 0) {
    Epilogue epilogue;
    epilogue.bias = in.start.data();
    table.gemm_f32(1, in.n, in.kx, in.x.data(), in.kx, x.data(), epilogue, gates.data(), in.n);
  }
  Epilogue epilogue;
  epilogue.residual = gates.data();
  epilogue.ld_residual = in.n;
  table.gemm_f32(1, in.n, in.kh, in.h.data(), in.kh, h.data(), epilogue, gates.data(), in.n);
  return outcome(in, [&](float* c, float* y) {
    table.lstm_cell_f32(1, in.units, gates.data(), in.n, c, in.units, y, in.units);
  });
}

std::vector<float> step_s8(const Table& table, const Step& in, bool fused) {
  Quantized x(table, 1, std::max(in.kx, 1)), h(table, 1, in.kh);
  const PackedS8 w_x(in.n, in.kx, in.w_x), w_h(in.n, in.kh, in.w_h);
  if (in.kx > 0) table.quantize_rows(1, in.kx, in.x.data(), in.kx, x.rows());
  table.quantize_rows(1, in.kh, in.h.data(), in.kh, h.rows());
  if (fused) {
    return outcome(in, [&](float* c, float* y) {
      table.lstm_step_s8(0, in.units, in.kx, x.rows(), w_x.weights(), in.kh, h.rows(),
                         w_h.weights(), in.start.data(), c, y, true);
    });
  }
  std::vector<float> gates = in.start.values();
  if (in.kx > 0) {
    Epilogue epilogue;
    epilogue.bias = in.start.data();
    table.gemm_s8(1, in.n, in.kx, x.rows(), w_x.weights(), epilogue, gates.data(), in.n);
  }
  Epilogue epilogue;
  epilogue.residual = gates.data();
  epilogue.ld_residual = in.n;
  table.gemm_s8(1, in.n, in.kh, h.rows(), w_h.weights(), epilogue, gates.data(), in.n);
  return outcome(in, [&](float* c, float* y) {
    table.lstm_cell_f32(1, in.units, gates.data(), in.n, c, in.units, y, in.units);
  });
}

void check_step(const Step& in) {
  CAPTURE(in.units);
  CAPTURE(in.kx);
  CAPTURE(in.kh);
  on_every_isa(
      [&](const Table& table) {
        const auto values = step_f32(table, in, false);
        CHECK(same_bits(values, products_f32(table, in)));
        CHECK(same_bits(values, step_f32(table, in, true)));
        return values;
      },
      [&](const Table&, const std::vector<float>& values) {
        int wrong = 0;
        for (int u = 0; u < in.units; ++u) {
          double gates[4], error = 0;
          for (int g = 0; g < 4; ++g) {
            const int row = place(4, u, g);
            double sum = static_cast<double>(in.start.data()[row]), size = std::fabs(sum);
            const auto add = [&](const Guarded& from, const std::vector<float>& w, int k) {
              for (int j = 0; j < k; ++j) {
                const double product =
                    static_cast<double>(from.data()[j]) *
                    static_cast<double>(w[static_cast<std::size_t>(row * k + j)]);
                sum += product;
                size += std::fabs(product);
              }
            };
            add(in.x, in.w_x, in.kx);
            add(in.h, in.w_h, in.kh);
            gates[g] = sum;
            error = std::max(error, roundings(std::max(in.kx, in.kh) + 3) * size);
          }
          const auto unit =
              reference::lstm_unit(gates, static_cast<double>(in.c.data()[u]), error, kEps, kU);
          const auto at = static_cast<std::size_t>(u);
          wrong += !within(static_cast<double>(values[at]), unit.c, unit.c_error);
          wrong += !within(static_cast<double>(values[at + static_cast<std::size_t>(in.units)]),
                           unit.h, unit.h_error);
        }
        CHECK(wrong == 0);
      });
}

}  // namespace

TEST_CASE("lstm_cell_f32 is within the rounding bound") {
  for (int units : kUnits) check_cell(3, units);
}

TEST_CASE("lstm_step_f32 is within the rounding bound, with the bits of two products and a cell") {
  for (int units : kUnits) check_step({units, units + 3, units});
  for (int kx : {0, 1, 40, 129}) check_step({32, kx, 7});
}

TEST_CASE("lstm_step_s8 has the bits of two products and a cell") {
  for (int units : kUnits) {
    for (int kx : {0, 5, 64}) {
      CAPTURE(units);
      CAPTURE(kx);
      const Step in(units, kx, units);
      on_every_isa(
          [&](const Table& table) {
            const auto values = step_s8(table, in, true);
            CHECK(same_bits(values, step_s8(table, in, false)));
            return values;
          },
          [&](const Table&, const std::vector<float>&) {});
    }
  }
}

TEST_CASE("gates that saturate give a cell that is kept or lost, and no NaN") {
  const int n = kernels::lstm_gates(1);
  std::vector<float> gates(static_cast<std::size_t>(n), -200.0f);
  gates[kPanel] = 200.0f;  // forgets nothing, takes nothing, shows nothing
  on_every_isa(
      [&](const Table& table) {
        std::vector<float> out = {2.5f, 9.0f};
        table.lstm_cell_f32(1, 1, gates.data(), n, &out[0], 1, &out[1], 1);
        return out;
      },
      [&](const Table&, const std::vector<float>& out) {
        CHECK(out[0] == 2.5f);
        CHECK(std::fabs(out[1]) < 1e-30f);
      });
}

TEST_CASE("gru_cell_f32 is within the rounding bound, in place too") {
  const int rows = 3;
  for (int units : kUnits) {
    CAPTURE(units);
    const int n = kernels::gru_gates(units);
    const Guarded x(rows, n, n + 5, Random(1), 3.0f), k(rows, n, n + 5, Random(2), 3.0f),
        h(rows, units, units + 2, Random(3));
    for (bool in_place : {false, true}) {
      on_every_isa(
          [&](const Table& table) {
            Guarded y(rows, units, units + 2);
            if (in_place) y.copy_from(h);
            const Guarded& from = in_place ? y : h;
            table.gru_cell_f32(rows, units, x.data(), k.data(), x.ld(), from.data(), from.ld(),
                               y.data(), y.ld());
            CHECK(y.guards_intact());
            return y.values();
          },
          [&](const Table&, const std::vector<float>& values) {
            int wrong = 0;
            for (int r = 0; r < rows; ++r) {
              for (int u = 0; u < units; ++u) {
                double from_x[3], from_h[3];
                for (int gate = 0; gate < 3; ++gate) {
                  from_x[gate] = static_cast<double>(x.row(r)[place(3, u, gate)]);
                  from_h[gate] = static_cast<double>(k.row(r)[place(3, u, gate)]);
                }
                const auto unit =
                    reference::gru_unit(from_x, from_h, static_cast<double>(h.row(r)[u]), kEps, kU);
                wrong +=
                    !within(static_cast<double>(values[static_cast<std::size_t>(r * units + u)]),
                            unit.h, unit.error);
              }
            }
            CHECK(wrong == 0);
          });
    }
  }
}
