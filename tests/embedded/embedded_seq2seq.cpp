// An agent of LSTMs on a device for thousands of steps: instructions of any length, masks now and
// then. Not one allocation, and memory that does not grow.
// usage: embedded_seq2seq MODEL.gguf STEPS
#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "device.hpp"

namespace {

using namespace kinglet;

constexpr int kMostWords = 64, kMostActions = 32, kMostPixels = 300 * 300;
constexpr int kEpisode = 25;

seq2seq::Weights weights;
std::int32_t words[kMostWords];
float frame[seq2seq::kChannels * seq2seq::kCells], logits[kMostActions], mask[kMostPixels];

/// Kilobytes of this process's own memory, -1 where the system does not tell. Pages of files are not
/// counted, which the system maps and takes back as it likes; nor is statm or status asked, which
/// sum up what each core counted and may be off by some pages.
long own_kilobytes() {
  char text[2048];
  const int fd = open("/proc/self/smaps_rollup", O_RDONLY);
  const ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[size > 0 ? size : 0] = '\0';
  constexpr char kKey[] = "\nAnonymous:";
  const char* line = std::strstr(text, kKey);
  return line ? std::atol(line + sizeof kKey - 1) : -1;
}

/// What an episode takes in all: a state, the instruction, a step, a mask.
template <class B>
void play(B& be, const seq2seq::Config& c, int length, int steps) {
  ArenaScope scope(be.arena());
  seq2seq::State state = seq2seq::take_state(be.arena(), c, 1, length);
  seq2seq::Instruction instruction;
  instruction.longest = length;
  instruction.words = words;
  seq2seq::begin(be, c, weights, instruction, state);
  seq2seq::Output out;
  out.logits = logits;
  for (int t = 0; t < steps; ++t) {
    seq2seq::step(be, c, weights, state, {seq2seq::Frames::Form::channels, frame}, nullptr, out);
    if (t % 8 == 0) seq2seq::mask(be, c, weights, state.cont, mask);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Bytes model = device::read_model(argc, argv);
  const int steps = argc > 2 ? std::atoi(argv[2]) : 0;
  if (steps < 2 * kEpisode) device::fail("at least 50 steps, please");
  const auto file = device::without_allocation("open", [&] { return ModelFile::open(model); });
  const auto config =
      device::without_allocation("config", [&] { return seq2seq::read_config(*file); });
  const seq2seq::Config& c = *config;
  device::done_without_allocation("bind", [&] { return seq2seq::bind(*file, c, weights); });
  if (!c.vision || !c.masks || c.actions > kMostActions ||
      c.mask_size * c.mask_size > kMostPixels) {
    device::fail("another model than this test expects");
  }
  for (int i = 0; i < kMostWords; ++i) words[i] = (i * 7 + 3) % c.words;
  for (int i = 0; i < seq2seq::kChannels * seq2seq::kCells; ++i)
    frame[i] = static_cast<float>(i % 17) * 0.1f;

  Count count;
  play(count, c, kMostWords, 1);
  long before = own_kilobytes(), after = before;
  device::run_as_planned("an agent's steps", count.scratch_bytes(), [&](Cpu<>& cpu) {
    std::uint32_t random = 1;
    for (int done = 0; done < steps; done += kEpisode) {
      random = random * 1664525u + 1013904223u;
      // Every length once, the longest first: from then on all memory was used before.
      const int episode = done / kEpisode;
      const int length = episode < kMostWords ? kMostWords - episode
                                              : 1 + static_cast<int>(random >> 16) % kMostWords;
      play(cpu, c, length, kEpisode);
      after = own_kilobytes();
      if (episode < kMostWords) before = after;
    }
  });
  if (steps <= kMostWords * kEpisode) {
    std::printf("skipped: growing memory: %d steps are not enough\n", steps);
  } else if (before < 0) {
    std::printf("skipped: growing memory: /proc/self/smaps_rollup does not tell\n");
  } else if (after != before) {
    std::fprintf(stderr, "%ld kB of its own, then %ld\n", before, after);
    device::fail("memory grew");
  }
  return 0;
}
