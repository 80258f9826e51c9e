// Attention, and the kernels that go over their numbers once or a few times.

#include <kinglet/backend/count.hpp>
#include <kinglet/backend/cpu.hpp>
#include <memory>

#include "limits.hpp"
#include "operands.hpp"

namespace kinglet::tools {
namespace {

kernels::Activation activation_named(const std::string& op) {
  if (op == "relu") return kernels::Activation::relu;
  if (op == "gelu_erf") return kernels::Activation::gelu_erf;
  if (op == "gelu_tanh") return kernels::Activation::gelu_tanh;
  return kernels::Activation::tanh;
}

/// Rows as int8.
struct Quantized {
  Buffer<std::int8_t> q;
  Buffer<float> scale;
  Buffer<std::int32_t> zero;
  kernels::QuantizedRows rows;

  Quantized(int m, int n)
      : q(make_buffer<std::int8_t>(area(m, kernels::padded_depth(n)))),
        scale(make_buffer<float>(area(m, 1))),
        zero(make_buffer<std::int32_t>(area(m, 1))),
        rows{q.get(), kernels::padded_depth(n), scale.get(), zero.get()} {}
};

}  // namespace

Case attention_case(const CaseId& id, const Parallel& parallel, const BaselineModule* baselines) {
  const int seq = id.shape.sizes[0], d = id.shape.sizes[1], heads = id.shape.sizes[2];
  const int hidden = d * heads;
  const Ragged one{1, seq};
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(d));
  Count count(parallel.threads);
  count.attention({}, {}, {}, one, one, heads, scale, {nullptr, seq, hidden}, nullptr);
  const std::size_t scratch_s8 = kernels::attention_scratch_s8(seq, d);
  struct Operands {
    Buffer<float> qkv, y;
    Buffer<unsigned char> scratch;
    Arena arena;
  };
  const bool s8 = id.kernel == "attention_s8";
  const std::size_t scratch = s8 ? scratch_s8 * area(parallel.threads, 1) : count.scratch_bytes();
  const auto o = std::make_shared<Operands>();
  o->qkv = numbers(area(seq, 3, hidden));
  o->y = make_buffer<float>(area(seq, hidden));
  o->scratch = make_buffer<unsigned char>(scratch);
  o->arena = Arena(o->scratch.get(), scratch);
  const auto* const table = id.kernels;
  const float* const q = o->qkv.get();
  Case c;
  c.unit = s8 ? "GOP/s" : "GFLOP/s";
  c.operations = static_cast<double>(count.flops());
  c.bytes = static_cast<double>(count.bytes_moved());
  if (s8) {
    c.call = [=] {
      parallel.for_each(heads, [&](int h, int worker) {
        const float* head = q + h * d;
        table->attention_s8(seq, seq, d, head, 3 * hidden, head + hidden, 3 * hidden,
                            head + 2 * hidden, 3 * hidden, nullptr, scale, o->y.get() + h * d,
                            hidden, o->scratch.get() + area(worker, 1) * scratch_s8);
      });
    };
    limit_by_burst(Limit::s8, s8_burst(table->isa), parallel, c);
    if (baselines) {
      const CaseId f32{"attention_f32", id.shape, table, id.threads};
      c.baselines.push_back({"our_f32", attention_case(f32, parallel, nullptr).call});
    }
  } else {
    c.call = [=] {
      Cpu<isa::runtime> cpu(o->arena, parallel, *table);
      const auto part = [&](int i) { return ConstMatrix{q + i * hidden, seq, hidden, 3 * hidden}; };
      cpu.attention(part(0), part(1), part(2), one, one, heads, scale, {o->y.get(), seq, hidden},
                    nullptr);
    };
    limit_by_burst(Limit::f32, f32_burst(table->isa), parallel, c);
  }
  return c;
}

Case rows_case(const CaseId& id) {
  const int rows = id.shape.sizes[0], n = id.shape.sizes[1];
  struct Operands {
    Buffer<float> x, y, gamma, beta;
    Quantized q;
  };
  const std::size_t size = area(rows, n);
  const auto o = std::make_shared<Operands>(Operands{numbers(size), make_buffer<float>(size),
                                                     numbers(area(n, 1)), numbers(area(n, 1)),
                                                     Quantized(rows, n)});
  const auto* const table = id.kernels;
  Case c;
  c.bytes = 8.0 * static_cast<double>(size);
  if (id.kernel == "layer_norm_f32") {
    c.call = [=] {
      table->layer_norm_f32(rows, n, o->x.get(), n, o->gamma.get(), o->beta.get(), 1e-5f,
                            o->y.get(), n);
    };
  } else if (id.kernel == "layer_norm_s8") {
    c.bytes = 9.0 * static_cast<double>(size);
    c.call = [=] {
      table->layer_norm_s8(rows, n, o->x.get(), n, o->gamma.get(), o->beta.get(), 1e-5f, o->y.get(),
                           n, o->q.rows);
    };
  } else if (id.kernel == "quantize_rows") {
    c.bytes = 5.0 * static_cast<double>(size);
    c.call = [=] { table->quantize_rows(rows, n, o->x.get(), n, o->q.rows); };
  } else if (id.kernel == "softmax_f32") {
    c.call = [=] { table->softmax_f32(rows, n, o->x.get(), n, o->y.get(), n); };
  } else {
    const auto act = activation_named(id.shape.op);
    c.call = [=] { table->activate_f32(act, rows * n, o->x.get(), o->y.get()); };
  }
  limit_by_copying(c);
  return c;
}

Case embedding_case(const CaseId& id) {
  const int rows = id.shape.sizes[0], n = id.shape.sizes[1], vocabulary = id.shape.sizes[2];
  struct Operands {
    Buffer<float> f32, y, scale;
    Buffer<std::int8_t> s8;
    std::vector<std::int32_t> ids;
  };
  const auto o = std::make_shared<Operands>();
  for (int r = 0; r < rows; ++r) {
    o->ids.push_back(static_cast<std::int32_t>(r * 7919ll % vocabulary));
  }
  o->y = make_buffer<float>(area(rows, n));
  const auto* const table = id.kernels;
  Case c;
  if (id.kernel == "embedding_f32") {
    o->f32 = numbers(area(vocabulary, n));
    c.bytes = 8.0 * static_cast<double>(area(rows, n));
    c.call = [=] {
      table->embedding_f32(rows, n, o->ids.data(), o->f32.get(), n, o->y.get(), n, false);
    };
  } else {
    o->s8 = make_buffer<std::int8_t>(area(vocabulary, n));
    o->scale = numbers(area(vocabulary, 1));
    c.bytes = 5.0 * static_cast<double>(area(rows, n));
    c.call = [=] {
      table->embedding_s8(rows, n, o->ids.data(), o->s8.get(), n, o->scale.get(), o->y.get(), n,
                          false);
    };
  }
  limit_by_copying(c);
  return c;
}

}  // namespace kinglet::tools
