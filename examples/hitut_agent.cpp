// An agent's control loop: map the model file, plan the memory, allocate once, decide step after
// step.
//
//   hitut_agent MODEL.gguf EPISODE.bin
//
// The episode is a flat file of observations (format: episode.hpp), so that this program needs
// nothing but the headers.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <kinglet/kinglet.hpp>

#include "episode.hpp"
#include "map_file.hpp"

namespace {

using namespace kinglet;
using hitut::Task;

int fail(const char* what, const Status& status) {
  std::fprintf(stderr, "hitut_agent: %s: %s %.*s\n", what, status.what(),
               static_cast<int>(status.subject().size()), status.subject().data());
  return 1;
}

/// The memory is planned, so what is missing is missing at the start.
Arena allocate(std::size_t bytes) {
  void* const memory = std::aligned_alloc(Arena::kAlignment, bytes);
  if (memory == nullptr) {
    std::fprintf(stderr, "hitut_agent: there are no %zu bytes of memory\n", bytes);
    std::exit(1);
  }
  return Arena(memory, bytes);
}

/// What lasts as long as the program, from an arena that may only count.
struct Lasting {
  Lasting(Arena& arena, const hitut::Config& c, std::size_t index_size)
      : index(arena.take<std::uint32_t>(index_size), index_size) {
    const auto floats = [&](int n) { return arena.take<float>(static_cast<std::size_t>(n)); };
    out = {floats(std::max(c.low_count, c.high_count)), floats(c.object_count), floats(c.vision),
           floats(3)};
    ids = arena.take<std::int32_t>(static_cast<std::size_t>(c.language));
  }

  Span<std::uint32_t> index;  ///< of the words
  hitut::Output out;
  std::int32_t* ids;
};

void print(const char* label, std::string_view name, float probability) {
  std::printf("  %s %.*s %.3f", label, static_cast<int>(name.size()), name.data(),
              static_cast<double>(probability));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: hitut_agent MODEL.gguf EPISODE.bin\n"), 2;

  // The model: views into the mapped file.
  const Result<ModelFile> file = ModelFile::open(map_file(argv[1]));
  if (!file.ok()) return fail(argv[1], file.status());
  const Result<hitut::Config> config = hitut::read_config(*file);
  if (!config.ok()) return fail(argv[1], config.status());
  static hitut::Weights weights;
  const Status bound = hitut::bind(*file, *config, weights);
  if (!bound.ok()) return fail(argv[1], bound);

  // The memory: what the largest decision takes, counted by the code that will run, then taken
  // once.
  const std::size_t scratch = hitut::step_bytes(*config, weights);
  const std::size_t index_size = Wordpiece::index_size(*file);
  Arena counted;
  Lasting(counted, *config, index_size);
  Arena arena = allocate(scratch);
  Arena lasting_arena = allocate(counted.peak());
  const Lasting lasting(lasting_arena, *config, index_size);
  const hitut::Output& out = lasting.out;
  const Result<Wordpiece> words = Wordpiece::bind(*file, lasting.index);
  if (!words.ok()) return fail(argv[1], words.status());

  // The loop. From here on nothing is allocated.
  Cpu<> cpu(arena);
  const hitut::Names names(*file);
  episode::Reader episode(map_file(argv[2]));
  episode::Step step;
  int number = 0;
  for (; episode.next(step); ++number) {
    hitut::Observation seen = step.observation;
    const Result<int> count =
        words->encode(step.text, {lasting.ids, static_cast<std::size_t>(config->language)});
    if (!count.ok()) return fail("instruction", count.status());
    seen.words = {lasting.ids, static_cast<std::size_t>(std::min(*count, config->language))};
    const Status decided = hitut::step(cpu, *config, weights, seen, out);
    if (!decided.ok()) return fail("step", decided);

    const auto best = [&](const float* logits, int n) {
      hitut::Choice choice{-1, 0};  // of logits that are no numbers
      hitut::top_k(cpu, logits, n, 1, &choice);
      return choice;
    };
    const hitut::Choice type = best(out.type_logits, hitut::type_count(*config, seen.task));
    const hitut::Choice object = best(out.arg_logits, config->object_count);
    std::printf("%3d", number);
    print(seen.task == Task::high ? "sub-goal" : "action  ", names.type(seen.task, type.index),
          type.probability);
    if (seen.task != Task::low_navi)
      print("object", names.object(object.index), object.probability);
    if (seen.task == Task::low_mani) {
      const hitut::Choice slot = best(out.mask_logits, config->vision);
      std::printf("  detection %d %.3f", slot.index - 1, static_cast<double>(slot.probability));
    }
    std::printf("\n");
  }
  if (!episode.complete())
    return std::fprintf(stderr, "hitut_agent: %s: not an episode\n", argv[2]), 1;
  std::printf("%d decisions, %zu of %zu bytes of scratch used at most\n", number, arena.peak(),
              scratch);
  return 0;
}
