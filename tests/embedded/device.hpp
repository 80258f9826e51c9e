#pragma once
// The frame of the programs that stand for a device: a model in flash, one allocation as large as
// planned, and none after it.

#include <cstdio>
#include <cstdlib>
#include <kinglet/kinglet.hpp>

#include "allocator_trap.hpp"

namespace kinglet::device {

[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

inline constexpr std::size_t kLargestModel = std::size_t{16} << 20;
alignas(64) inline unsigned char flash[kLargestModel];  // stands for memory-mapped flash

/// The model that the command line names, in flash.
inline Bytes read_model(int argc, char** argv) {
  if (argc < 2) fail("a model file, please");
  std::FILE* in = std::fopen(argv[1], "rb");
  if (in == nullptr) fail("cannot open the model");
  const std::size_t size = std::fread(flash, 1, sizeof flash, in);
  std::fclose(in);
  if (size == sizeof flash) fail("the model is larger than this test expects");
  return {flash, size};
}

/// f() gives a Result that is ok, and allocates nothing.
template <class F>
auto without_allocation(const char* what, F f) {
  const long before = trap::allocations();
  const auto result = f();
  if (!result.ok()) fail(what);
  if (trap::allocations() != before) fail("open or bind allocated");
  return result;
}

/// The same of a Status, which then says nothing more.
template <class F>
void done_without_allocation(const char* what, F f) {
  static_cast<void>(without_allocation(what, f));
}

/// f(cpu) in scratch of exactly the planned size: takes all of it, and allocates nothing.
template <class F>
void run_as_planned(const char* what, std::size_t planned, F f) {
  const long before_plan = trap::allocations();
  void* const memory = std::aligned_alloc(Arena::kAlignment, planned);
  if (memory == nullptr) fail("no memory for the plan");
  if (trap::allocations() != before_plan + 1) fail("the trap does not see allocations");
  Arena arena(memory, planned);
  Cpu<> cpu(arena);
  const long before = trap::allocations();
  f(cpu);
  if (trap::allocations() != before) fail("a run allocated");
  if (arena.overflowed() || arena.peak() != planned) {
    std::fprintf(stderr, "planned %zu bytes, used %zu\n", planned, arena.peak());
    fail("the plan and the use differ");
  }
  std::printf("%s, %s: %zu bytes planned and used, no allocation\n", what, isa::best::name,
              planned);
}

}  // namespace kinglet::device
