#include "limits.hpp"

#include "operands.hpp"

namespace kinglet::tools {

void limit_by_burst(Limit limit, const Burst& burst, const Parallel& parallel, Case& c) {
  const int bursts = parallel.threads == 1 ? 1 : 8 * parallel.threads;
  c.limit = limit;
  c.limited_work = c.operations;
  c.limit_work = bursts * burst.operations;
  c.limit_call = [=] {
    parallel.for_each(bursts, [&](int, int) {
      volatile float sink = burst.run();
      static_cast<void>(sink);
    });
  };
}

Copies::Copies(const CaseId& id, std::size_t weight_bytes) {
  constexpr std::size_t kBeyondCaches = std::size_t{128} << 20;
  if (id.shape.op == "gemm_cold") count = static_cast<int>(kBeyondCaches / weight_bytes) + 2;
}

int Copies::take() noexcept {
  const int taken = next;
  next = (next + 1) % count;
  return taken;
}

void limit_by_reading(const void* panels, int count, std::size_t panel_bytes,
                      const std::shared_ptr<Copies>& copies, const Parallel& parallel, Case& c) {
  c.limit = Limit::read;
  c.limited_work = c.limit_work = static_cast<double>(panel_bytes) * count;
  const auto* const bytes = static_cast<const char*>(panels);
  c.limit_call = [=] {
    const char* from = bytes + area(copies->take(), count) * panel_bytes;
    parallel.split(count, 4, [&](int first, int some) {
      volatile float sink = read_pass(from + static_cast<std::size_t>(first) * panel_bytes,
                                      static_cast<std::size_t>(some) * panel_bytes);
      static_cast<void>(sink);
    });
  };
}

void limit_by_copying(Case& c) {
  struct Memory {
    Buffer<float> from, to;
  };
  const std::size_t floats = static_cast<std::size_t>(c.bytes) / 8;
  const auto memory = std::make_shared<Memory>();
  memory->from = numbers(floats);
  memory->to = make_buffer<float>(floats);
  c.limit = Limit::copy;
  c.limited_work = c.bytes;
  c.limit_work = static_cast<double>(floats) * 8;
  c.limit_call = [=] { copy_pass(memory->from.get(), memory->to.get(), 4 * floats); };
}

}  // namespace kinglet::tools
