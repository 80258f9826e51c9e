// One step of an LSTM, one row a call, state in and out: fp32, and int8 from fp32 rows, which are
// quantised first, as in a model.

#include <cmath>
#include <kinglet/backend/count.hpp>
#include <kinglet/backend/cpu.hpp>
#include <memory>
#include <stdexcept>

#include "limits.hpp"
#include "operands.hpp"

namespace kinglet::tools {
namespace {

constexpr float kStepOfWeights = 1.0f / 127;

/// Weights and state. The panels of both matrices lie side by side, those of W_ih first.
struct Operands {
  int k, units, gates;
  Buffer<float> x, bias, c, h;  ///< h: two rows, in and out in turn
  Buffer<float> w_ih, w_hh;     ///< rows in the order of kernels/lstm.hpp, as int8 can have them
  Buffer<unsigned char> panels;
  std::size_t panel_bytes;  ///< of both matrices together, for one panel of outputs
  Buffer<std::int32_t> sums, negatives;
  Buffer<float> scales;
  Buffer<unsigned char> scratch;
  Arena arena;
  Cpu<isa::runtime> cpu;
  Lstm lstm;
  int in = 0;

  Operands(const CaseId& id, const Parallel& parallel, bool s8);
  void step() {
    cpu.lstm_step(lstm, {x.get(), 1, k}, row(in), {c.get(), 1, units}, row(1 - in));
    in = 1 - in;
  }
  Matrix row(int i) { return {h.get() + area(i, padded(units)), 1, units}; }

 private:
  void pack(bool s8);
};

Operands::Operands(const CaseId& id, const Parallel& parallel, bool s8)
    : k(id.shape.sizes[0]),
      units(id.shape.sizes[1]),
      gates(kernels::lstm_gates(units)),
      x(numbers(area(k, 1))),
      bias(numbers(area(gates, 1))),
      c(make_buffer<float>(area(padded(units), 1))),
      h(make_buffer<float>(area(2, padded(units)))),
      w_ih(numbers(area(gates, k))),
      w_hh(numbers(area(gates, units))),
      cpu(arena, parallel, *id.kernels) {
  // Sums of about 1, so that the gates are neither open nor shut.
  const float scale = 1 / std::sqrt(static_cast<float>(k + units));
  for (auto* w : {&w_ih, &w_hh}) {
    const std::size_t size = area(gates, w == &w_ih ? k : units);
    for (std::size_t i = 0; i < size; ++i)
      (*w)[i] = std::rint((*w)[i] * 127) * kStepOfWeights * scale;
  }
  pack(s8);
  if (s8) {
    for (int i = 0; i < 2 * gates; ++i) scales[area(i, 1)] = kStepOfWeights * scale;
  }
  Count count(parallel.threads);
  count.lstm_step(lstm, {nullptr, 1, k}, {nullptr, 1, units}, {nullptr, 1, units},
                  {nullptr, 1, units});
  scratch = make_buffer<unsigned char>(count.scratch_bytes());
  arena = Arena(scratch.get(), count.scratch_bytes());
}

void Operands::pack(bool s8) {
  lstm.units = units;
  lstm.ih = {nullptr, bias.get(), gates, k, {}};
  lstm.hh = {nullptr, nullptr, gates, units, {}};
  if (!s8) {
    const std::size_t first = kernels::panels_size_f32(gates, k);
    const std::size_t all = first + kernels::panels_size_f32(gates, units);
    panels = make_buffer<unsigned char>(all * sizeof(float));
    auto* const at = reinterpret_cast<float*>(panels.get());
    kernels::pack_panels_f32(gates, k, w_ih.get(), k, at);
    kernels::pack_panels_f32(gates, units, w_hh.get(), units, at + first);
    lstm.ih.weight = at;
    lstm.hh.weight = at + first;
    panel_bytes = all * sizeof(float) / area(panels_of(gates), 1);
    return;
  }
  const std::size_t first = kernels::panels_size_s8(gates, k);
  const std::size_t all = first + kernels::panels_size_s8(gates, units);
  panels = make_buffer<unsigned char>(all);
  sums = make_buffer<std::int32_t>(area(2, gates));
  negatives = make_buffer<std::int32_t>(area(2, gates));
  scales = make_buffer<float>(area(2, gates));
  std::size_t at = 0;
  std::ptrdiff_t column = 0;
  for (Linear* part : {&lstm.ih, &lstm.hh}) {
    const float* const w = part == &lstm.ih ? w_ih.get() : w_hh.get();
    Buffer<std::int8_t> rows = make_buffer<std::int8_t>(area(gates, part->k));
    const float scale = std::sqrt(static_cast<float>(k + units)) / kStepOfWeights;
    for (std::size_t i = 0; i < area(gates, part->k); ++i)
      rows[i] = static_cast<std::int8_t>(std::lround(w[i] * scale));
    auto* const to = reinterpret_cast<std::int8_t*>(panels.get()) + at;
    kernels::pack_panels_s8(gates, part->k, rows.get(), part->k, to, sums.get() + column,
                            negatives.get() + column);
    part->s8 = {to, scales.get() + column, sums.get() + column, negatives.get() + column};
    at = first;
    column = gates;
  }
  panel_bytes = all / area(panels_of(gates), 1);
}

/// What is measured is right: a step against one in double. slack: error of a gate for each unit of Σ |w|.
void check(const CaseId& id, Operands& o, double slack) {
  std::vector<double> c(area(o.units, 1)), before(area(o.units, 1));
  for (int i = 0; i < o.units; ++i) {
    c[area(i, 1)] = o.c[area(i, 1)];
    before[area(i, 1)] = o.row(o.in).data[i];
  }
  o.step();
  for (int i = 0; i < o.units; ++i) {
    double gate[4], error = 0;
    for (int g = 0; g < 4; ++g) {
      const int row = i / kPanel * 4 * kPanel + g * kPanel + i % kPanel;
      double sum = o.bias[area(row, 1)], magnitude = std::fabs(sum);
      const auto add = [&](double x, float w) {
        sum += x * static_cast<double>(w);
        magnitude += std::fabs(static_cast<double>(w));
      };
      for (int j = 0; j < o.k; ++j)
        add(static_cast<double>(o.x[area(j, 1)]), o.w_ih[area(row, o.k) + area(j, 1)]);
      for (int j = 0; j < o.units; ++j)
        add(before[area(j, 1)], o.w_hh[area(row, o.units) + area(j, 1)]);
      gate[g] = sum;
      error += magnitude * (slack + (o.k + o.units + 4) * std::ldexp(1.0, -24)) + 1e-6;
    }
    const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
    const double cell = sigmoid(gate[1]) * c[area(i, 1)] + sigmoid(gate[0]) * std::tanh(gate[2]);
    const double expected = sigmoid(gate[3]) * std::tanh(cell);
    if (!(std::fabs(static_cast<double>(o.row(o.in).data[i]) - expected) <= error))
      throw std::runtime_error(id.name() + ": wrong result");
  }
}

}  // namespace

Case lstm_case(const CaseId& id, const Parallel& parallel, const BaselineModule* baselines) {
  const bool s8 = id.kernel == "lstm_s8";
  const auto o = std::make_shared<Operands>(id, parallel, s8);
  for (int step = 0; step < 3; ++step) check(id, *o, s8 ? 2.0 / 254 : 0);
  const int panels = panels_of(o->gates);
  Case c;
  c.unit = s8 ? "GOP/s" : "GFLOP/s";
  c.operations = 2.0 * static_cast<double>(area(o->gates, o->k + o->units));
  c.bytes = static_cast<double>(o->panel_bytes * area(panels, 1));
  c.call = [=] { o->step(); };
  limit_by_reading(o->panels.get(), panels, o->panel_bytes, std::make_shared<Copies>(id, 0),
                   parallel, c);
  if (baselines && s8) {
    const CaseId f32{"lstm_f32", id.shape, id.kernels, id.threads};
    c.baselines.push_back({"our_f32", lstm_case(f32, parallel, nullptr).call});
  } else if (baselines) {
    c.baselines = baselines->lstm({o->k, o->units, o->x.get()});
  }
  return c;
}

}  // namespace kinglet::tools
