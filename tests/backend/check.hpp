#pragma once
// What the backend tests share: matrices, lent threads, scratch exactly as large as Count says.

#include <kinglet/backend/count.hpp>
#include <kinglet/backend/cpu.hpp>
#include <memory>

#include "kernels/check.hpp"

namespace kinglet::test {

/// Numbers in rows without gaps.
struct Numbers {
  std::vector<float> values;
  int rows, cols;

  Numbers(int r, int c, std::uint64_t seed = 0) : values(size(r, c)), rows(r), cols(c) {
    if (seed != 0) Random(seed).fill(values.data(), r * c);
  }
  static std::size_t size(int r, int c) {
    return static_cast<std::size_t>(r) * static_cast<std::size_t>(c);
  }
  operator Matrix() { return {values.data(), rows, cols}; }
  operator ConstMatrix() const { return {values.data(), rows, cols}; }
};

/// Tasks one after the other, last first, each as another worker's: what threads must not change.
inline Parallel three_workers() {
  return {3,
          [](void*, int tasks, Parallel::Task task, void* argument) {
            for (int i = tasks; i-- > 0;) task(argument, i, i % 3);
          },
          nullptr};
}

struct Memory {
  explicit Memory(std::size_t bytes)
      : owned(new unsigned char[bytes + Arena::kAlignment]),
        arena(reinterpret_cast<void*>(
                  (reinterpret_cast<std::uintptr_t>(owned.get()) + Arena::kAlignment - 1) /
                  Arena::kAlignment * Arena::kAlignment),
              bytes) {}
  std::unique_ptr<unsigned char[]> owned;
  Arena arena;
};

/// ops(backend) with the scratch that Count says, on one and on three workers; all of it is used.
template <class Ops>
void run(const test::Table& table, Ops ops, const Parallel& parallel = {}) {
  Count count(parallel.threads);
  ops(count);
  Memory memory(count.scratch_bytes());
  Cpu<isa::runtime> cpu(memory.arena, parallel, table);
  ops(cpu);
  CHECK(memory.arena.peak() == count.scratch_bytes());
  CHECK_FALSE(memory.arena.overflowed());
}

template <class F>
void on_each_isa(F f) {
  for (int i = 0; i < kernels::count(); ++i) {
    const std::string isa = kernels::at(i).isa;
    CAPTURE(isa);
    f(kernels::at(i));
  }
}

}  // namespace kinglet::test
