// Text after text as on a device: after the one allocation that the plan asked for, a BERT allocates
// nothing, and takes exactly the scratch that was planned.
// usage: embedded_bert MODEL.gguf
#include <cstdio>
#include <cstdlib>
#include <kinglet/kinglet.hpp>

#include "allocator_trap.hpp"

namespace {

using namespace kinglet;

int fail(const char* what) {
  std::fprintf(stderr, "embedded_bert: %s\n", what);
  return 1;
}

constexpr std::size_t kLargestModel = std::size_t{1} << 20;
alignas(64) unsigned char flash[kLargestModel];  // stands for memory-mapped flash
bert::Weights weights;

constexpr int kBatch = 2, kSeq = 32, kMost = 128;
std::int32_t ids[kBatch * kSeq];
float last_hidden[kBatch * kSeq * kMost], pooled[kBatch * kMost], classes[kBatch * kMost],
    embedding[kBatch * kMost];

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
  const auto config = bert::read_config(*file);
  if (!config.ok()) return fail(config.status().what());
  const bert::Config& c = *config;
  const Status bound = bert::bind(*file, c, weights);
  if (!bound.ok()) return fail(bound.what());
  if (trap::allocations() != before_open) return fail("open or bind allocated");
  if (c.hidden > kMost || c.labels > kMost || c.masked_lm || c.answer) {
    return fail("another model than this test expects");
  }

  for (int i = 0; i < kBatch * kSeq; ++i) ids[i] = (i * 7 + 3) % c.vocab;
  bert::Output output;
  output.last_hidden = last_hidden;
  output.pooled = pooled;
  output.classes = classes;
  output.embedding = embedding;
  for (const unsigned wanted : {unsigned{bert::kClasses}, bert::heads_of(c)}) {
    bert::Input input;
    input.wanted = wanted;
    input.batch = kBatch;
    input.seq = kSeq;
    Count count;
    bert::forward(count, c, weights, input, {});
    const std::size_t planned = count.scratch_bytes();
    const long before_plan = trap::allocations();
    void* memory = std::aligned_alloc(Arena::kAlignment, planned);
    if (memory == nullptr) return fail("no memory for the plan");
    if (trap::allocations() != before_plan + 1) return fail("the trap does not see allocations");

    Arena arena(memory, planned);
    Cpu<> cpu(arena);
    input.ids = ids;
    const long before = trap::allocations();
    for (int i = 0; i < 3; ++i) {
      if (!bert::check(c, input).ok()) return fail("the input does not fit the model");
      bert::forward(cpu, c, weights, input, output);
    }
    if (trap::allocations() != before) return fail("a run allocated");
    if (arena.overflowed() || arena.peak() != planned) {
      std::fprintf(stderr, "planned %zu bytes, used %zu\n", planned, arena.peak());
      return fail("the plan and the use differ");
    }
    std::printf("heads %u, %s: %zu bytes planned and used, no allocation\n", wanted,
                isa::best::name, planned);
  }
  return 0;
}
