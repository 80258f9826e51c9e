// Matrix products: fp32, int8 rows that are quantised already (gemm_s8), and int8 from fp32 rows to
// fp32 rows (linear_s8), which is what a layer of a model does.

#include <cmath>
#include <kinglet/backend/count.hpp>
#include <kinglet/backend/cpu.hpp>
#include <memory>
#include <stdexcept>

#include "limits.hpp"
#include "operands.hpp"

namespace kinglet::tools {
namespace {

struct Sizes {
  int m, n, k;
  explicit Sizes(const CaseId& id)
      : m(id.shape.sizes[0]), n(id.shape.sizes[1]), k(id.shape.sizes[2]) {}
  double operations() const { return 2.0 * m * n * k; }
};

/// What is measured is right: some elements of c against sums in double.
/// slack: error for each unit of Σ |w|, beside rounding; |a| ≤ 1.
void check(const CaseId& id, const float* a, const float* w, const float* bias, const float* c,
           double slack) {
  const Sizes s(id);
  slack += (s.k + 4) * std::ldexp(1.0, -24);
  for (const int i : {0, s.m / 2, s.m - 1}) {
    for (const int j : {0, s.n / 3, s.n - 1}) {
      double sum = bias[j], magnitude = std::fabs(sum);
      for (int kk = 0; kk < s.k; ++kk) {
        const double weight = w[area(j, s.k) + area(kk, 1)];
        sum += a[area(i, s.k) + area(kk, 1)] * weight;
        magnitude += std::fabs(weight);
      }
      const double error = std::fabs(c[area(i, s.n) + area(j, 1)] - sum);
      if (!(error <= slack * magnitude)) throw std::runtime_error(id.name() + ": wrong result");
    }
  }
}

/// fp32 rows and outputs, the weights as their source has them.
struct Rows {
  Buffer<float> a, w, bias, c;
  explicit Rows(const Sizes& s)
      : a(numbers(area(s.m, s.k))),
        w(numbers(area(s.n, s.k))),
        bias(numbers(area(padded(s.n), 1))),
        c(make_buffer<float>(area(s.m, s.n))) {}
};

struct RowsS8 : Rows {
  Buffer<std::int8_t> weights, panels, q;
  Buffer<std::int32_t> sums, negatives, zero;
  Buffer<float> scales, a_scale;
  kernels::QuantizedRows rows;

  RowsS8(const Sizes& s, int copies) : Rows(s) {
    const std::size_t columns = area(padded(s.n), 1), size = kernels::panels_size_s8(s.n, s.k);
    const int ld = kernels::padded_depth(s.k);
    constexpr float kScale = 1.0f / 127;
    weights = make_buffer<std::int8_t>(area(s.n, s.k));
    for (std::size_t i = 0; i < area(s.n, s.k); ++i) {
      weights[i] = static_cast<std::int8_t>(std::lround(w[i] * 127));
      w[i] = static_cast<float>(weights[i]) * kScale;
    }
    panels = make_buffer<std::int8_t>(size * area(copies, 1));
    sums = make_buffer<std::int32_t>(columns);
    negatives = make_buffer<std::int32_t>(columns);
    scales = make_buffer<float>(columns);
    for (std::size_t j = 0; j < columns; ++j) scales[j] = kScale;
    for (int i = 0; i < copies; ++i) {
      kernels::pack_panels_s8(s.n, s.k, weights.get(), s.k, panels.get() + area(i, 1) * size,
                              sums.get(), negatives.get());
    }
    q = make_buffer<std::int8_t>(area(s.m, ld));
    a_scale = make_buffer<float>(area(s.m, 1));
    zero = make_buffer<std::int32_t>(area(s.m, 1));
    rows = {q.get(), ld, a_scale.get(), zero.get()};
  }
};

}  // namespace

Case gemm_f32_case(const CaseId& id, const Parallel& parallel, const BaselineModule* baselines) {
  const Sizes s(id);
  const std::size_t size = kernels::panels_size_f32(s.n, s.k);
  const auto copies = std::make_shared<Copies>(id, size * sizeof(float));
  struct Operands : Rows {
    Buffer<float> panels;
    Arena arena;
    Cpu<isa::runtime> cpu;
    Operands(const Sizes& sizes, const Parallel& p, const kernels::Kernels<isa::runtime>& kernels)
        : Rows(sizes), cpu(arena, p, kernels) {}
  };
  const auto o = std::make_shared<Operands>(s, parallel, *id.kernels);
  o->panels = make_buffer<float>(size * area(copies->count, 1));
  for (int i = 0; i < copies->count; ++i) {
    kernels::pack_panels_f32(s.n, s.k, o->w.get(), s.k, o->panels.get() + area(i, 1) * size);
  }
  Case c;
  c.unit = "GFLOP/s";
  c.operations = s.operations();
  c.bytes = 4.0 * static_cast<double>(size + area(s.m, s.k) + area(s.m, s.n));
  c.call = [=] {
    const Linear w{o->panels.get() + area(copies->take(), 1) * size, o->bias.get(), s.n, s.k, {}};
    o->cpu.linear(w, {o->a.get(), s.m, s.k}, {o->c.get(), s.m, s.n});
  };
  c.call();
  check(id, o->a.get(), o->w.get(), o->bias.get(), o->c.get(), 0);
  if (s.m == 1) {
    limit_by_reading(o->panels.get(), panels_of(s.n), area(kPanel, s.k) * sizeof(float), copies,
                     parallel, c);
  } else {
    limit_by_burst(Limit::f32, f32_burst(id.kernels->isa), parallel, c);
  }
  if (baselines)
    c.baselines = baselines->f32({s.m, s.n, s.k, o->a.get(), o->w.get(), copies->count});
  return c;
}

Case gemm_s8_case(const CaseId& id, const Parallel& parallel, const BaselineModule* baselines) {
  const Sizes s(id);
  const bool quantizes = id.kernel.compare(0, 6, "linear") == 0;
  const std::size_t size = kernels::panels_size_s8(s.n, s.k);
  const auto copies = std::make_shared<Copies>(id, size);
  struct Operands : RowsS8 {
    Buffer<unsigned char> scratch;
    Arena arena;
    Cpu<isa::runtime> cpu;
    Operands(const Sizes& sizes, int copies_of_w, const Parallel& p,
             const kernels::Kernels<isa::runtime>& kernels)
        : RowsS8(sizes, copies_of_w), cpu(arena, p, kernels) {}
  };
  const auto o = std::make_shared<Operands>(s, copies->count, parallel, *id.kernels);
  const ConstMatrix a{o->a.get(), s.m, s.k};
  const Matrix y{o->c.get(), s.m, s.n};
  const auto weights = [=](int copy) {
    Linear w{nullptr, o->bias.get(), s.n, s.k, {}};
    w.s8 = {o->panels.get() + area(copy, 1) * size, o->scales.get(), o->sums.get(),
            o->negatives.get()};
    return w;
  };
  Count count(parallel.threads);
  count.linear(weights(0), a, y);
  o->scratch = make_buffer<unsigned char>(count.scratch_bytes());
  o->arena = Arena(o->scratch.get(), count.scratch_bytes());
  const Activations rows{{o->a.get(), s.m, s.k}, o->rows};
  o->cpu.quantize(rows);
  Case c;
  c.unit = "GOP/s";
  c.operations = s.operations();
  c.bytes = static_cast<double>(size + area(s.m, s.k) * (quantizes ? 4 : 1) + 4 * area(s.m, s.n));
  c.call = [=] {
    const Linear w = weights(copies->take());
    if (quantizes) {
      o->cpu.linear(w, a, y);
    } else {
      o->cpu.linear(w, rows, y);
    }
  };
  c.call();
  check(id, o->a.get(), o->w.get(), o->bias.get(), o->c.get(), 2.0 / 254);
  if (s.m == 1) {
    limit_by_reading(o->panels.get(), panels_of(s.n), area(kPanel, kernels::padded_depth(s.k)),
                     copies, parallel, c);
  } else {
    limit_by_burst(Limit::s8, s8_burst(id.kernels->isa), parallel, c);
  }
  if (baselines) {
    c.baselines = baselines->s8({s.m, s.n, s.k, o->a.get(), o->w.get(), copies->count});
    // Our own fp32 kernel: int8 has to be worth it.
    c.baselines.push_back({"our_f32", gemm_f32_case(id, parallel, nullptr).call});
  }
  return c;
}

}  // namespace kinglet::tools
