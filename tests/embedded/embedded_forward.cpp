// A control loop as on a device: after the one allocation that the plan asked for, steps allocate
// nothing, and take exactly the scratch that was planned.
// usage: embedded_forward MODEL.gguf
#include <cstdio>
#include <cstdlib>
#include <kinglet/kinglet.hpp>

#include "allocator_trap.hpp"

namespace {

using namespace kinglet;

int fail(const char* what) {
  std::fprintf(stderr, "embedded_forward: %s\n", what);
  return 1;
}

constexpr std::size_t kLargestModel = std::size_t{16} << 20;
alignas(64) unsigned char flash[kLargestModel];  // stands for memory-mapped flash
hitut::Weights weights;

constexpr int kMost = 512;
std::int32_t words[kMost];
std::int32_t history[kMost];
hitut::Detection detections[kMost];
float type_logits[kMost], arg_logits[kMost], mask_logits[kMost], monitor_logits[3];

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return fail("one model file, please");
  std::FILE* in = std::fopen(argv[1], "rb");
  if (in == nullptr) return fail("cannot open the model");
  const std::size_t size = std::fread(flash, 1, sizeof flash, in);
  std::fclose(in);
  if (size == sizeof flash) return fail("the model is larger than this test expects");

  const long before_open = trap::allocations();
  const auto file = ModelFile::open({flash, size});
  if (!file.ok()) return fail(file.status().what());
  const auto config = hitut::read_config(*file);
  if (!config.ok()) return fail(config.status().what());
  const hitut::Config& c = *config;
  const Status bound = hitut::bind(*file, c, weights);
  if (!bound.ok()) return fail(bound.what());
  if (trap::allocations() != before_open) return fail("open or bind allocated");
  if (c.language > kMost || c.history > kMost || c.vision > kMost || c.object_count > kMost) {
    return fail("the model is larger than this test expects");
  }

  // The largest observation there can be: nothing is masked.
  for (auto& word : words) word = 2;
  for (auto& word : history) word = 2;
  for (auto& seen : detections) seen = {10, 20, 110, 220, 0.5f, 2};
  hitut::Observation observation;
  observation.words = {words, static_cast<std::size_t>(c.language)};
  observation.history = {history, static_cast<std::size_t>(c.history)};
  observation.detections = {detections, static_cast<std::size_t>(c.vision - 1)};
  const hitut::Output output{type_logits, arg_logits, mask_logits, monitor_logits};

  const hitut::Task tasks[] = {hitut::Task::high, hitut::Task::low_mani, hitut::Task::low_navi};
  for (const hitut::Task task : tasks) {
    observation.task = task;
    Count count;
    if (!hitut::step(count, c, weights, observation, {}).ok()) return fail("the plan failed");
    const std::size_t planned = count.scratch_bytes();
    const long before_plan = trap::allocations();
    void* memory = std::aligned_alloc(Arena::kAlignment, planned);
    if (memory == nullptr) return fail("no memory for the plan");
    if (trap::allocations() != before_plan + 1) return fail("the trap does not see allocations");

    Arena arena(memory, planned);
    Cpu<> cpu(arena);
    const long before = trap::allocations();
    for (int i = 0; i < 3; ++i) {
      hitut::Choice best[3];
      if (!hitut::step(cpu, c, weights, observation, output).ok()) return fail("a step failed");
      hitut::top_k(cpu, type_logits, hitut::type_count(c, task), 3, best);
    }
    if (trap::allocations() != before) return fail("a step allocated");
    if (arena.overflowed() || arena.peak() != planned) {
      std::fprintf(stderr, "planned %zu bytes, used %zu\n", planned, arena.peak());
      return fail("the plan and the use differ");
    }
    std::printf("task %d, %s: %zu bytes planned and used, no allocation\n", static_cast<int>(task),
                isa::best::name, planned);
  }
  return 0;
}
