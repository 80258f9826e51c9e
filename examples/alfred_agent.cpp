// ALFRED's agent: an instruction and camera frames in, actions and masks out.
//
//   alfred_agent AGENT.gguf RESNET.gguf "INSTRUCTION" FRAME.ppm FRAME.ppm…
//
// The frames are what the camera saw before each action. The models:
//   kinglet-weights convert best_seen.pth --arch alfred-seq2seq -o AGENT.gguf
//   kinglet-weights convert resnet18.pth --arch resnet -o RESNET.gguf
// either of them perhaps made smaller by `kinglet-weights quantize`.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <kinglet/kinglet.hpp>

#include "map_file.hpp"
#include "picture.hpp"

namespace {

using namespace kinglet;

constexpr int kMostWords = 512;
constexpr int kImage = 224;  ///< what ResNet was trained on
constexpr std::size_t kLargestPicture = std::size_t{8} << 20;

int fail(const char* what, const Status& status) {
  std::fprintf(stderr, "alfred_agent: %s: %s %.*s\n", what, status.what(),
               static_cast<int>(status.subject().size()), status.subject().data());
  return 1;
}

int fail(const char* what, const char* why) {
  return std::fprintf(stderr, "alfred_agent: %s: %s\n", what, why), 1;
}

struct Models {
  resnet::Config eye_config;
  resnet::Weights eye;
  seq2seq::Config config;
  seq2seq::Weights agent;
};

/// What lasts as long as the episode.
struct Memory {
  seq2seq::State state;
  float *features, *mask;

  Memory(Arena& arena, const Models& m, int words)
      : state(seq2seq::take_state(arena, m.config, 1, words)),
        features(arena.take<float>(seq2seq::kChannels * seq2seq::kCells)),
        mask(arena.take<float>(static_cast<std::size_t>(m.config.mask_size * m.config.mask_size))) {
  }
};

/// From a frame to an action. Runs on the processor, or only counts what it takes.
template <class B>
std::int32_t decide(B& be, const Models& m, const CameraFrame& frame, Memory& memory) {
  ArenaScope scope(be.arena());
  const Image image = resnet::take_input(be.arena(), 1, kImage, kImage);
  prepare_frame(be, frame, image);
  resnet::forward(be, m.eye_config, m.eye, {image}, {memory.features, nullptr});
  std::int32_t action = 0;
  seq2seq::Output out;
  out.action = &action;
  seq2seq::step(be, m.config, m.agent, memory.state,
                {seq2seq::Frames::Form::pixels, memory.features}, nullptr, out);
  return action;
}

/// The known words of a text. The published agent, too, leaves out those that it does not know.
int words_of(const ModelFile& file, std::string_view text, std::int32_t* ids) {
  int count = 0;
  for (std::size_t at = 0; at < text.size() && count < kMostWords;) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const int id = seq2seq::id_of(file, seq2seq::kWordsKey, text.substr(at, end - at));
    if (id >= 0) ids[count++] = id;
    at = end + 1;
  }
  return count;
}

/// Memory of this process in kB, where the system tells.
long resident_kb() {
  static char text[4096];
  const int fd = open("/proc/self/status", O_RDONLY);
  const ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[size > 0 ? size : 0] = '\0';
  const char* found = std::strstr(text, "VmRSS:");
  return found ? std::atol(found + 6) : 0;
}

Arena allocate(std::size_t bytes) {
  return Arena(std::aligned_alloc(Arena::kAlignment, bytes), bytes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: alfred_agent AGENT.gguf RESNET.gguf \"INSTRUCTION\" FRAME.ppm…\n");
    return 2;
  }
  // The models: views into the mapped files.
  static Models m;
  const Result<ModelFile> file = ModelFile::open(map_file(argv[1]));
  if (!file.ok()) return fail(argv[1], file.status());
  const Result<seq2seq::Config> config = seq2seq::read_config(*file);
  if (!config.ok()) return fail(argv[1], config.status());
  m.config = *config;
  const Status bound = seq2seq::bind(*file, m.config, m.agent);
  if (!bound.ok()) return fail(argv[1], bound);
  if (!m.config.vision) return fail(argv[1], "was stored without its visual encoder");
  const Result<ModelFile> eye = ModelFile::open(map_file(argv[2]));
  if (!eye.ok()) return fail(argv[2], eye.status());
  const Result<resnet::Config> eye_config = resnet::read_config(*eye);
  if (!eye_config.ok()) return fail(argv[2], eye_config.status());
  m.eye_config = *eye_config;
  const Status eye_bound = resnet::bind(*eye, m.eye_config, m.eye);
  if (!eye_bound.ok()) return fail(argv[2], eye_bound);
  if (m.eye_config.features() != seq2seq::kChannels)
    return fail(argv[2], "has not the 512 channels that the agent looks at");
  const Result<GgufArray> names = file->array(seq2seq::kActionsKey);
  if (!names.ok()) return fail(argv[1], names.status());

  static std::int32_t words[kMostWords];
  seq2seq::Instruction instruction;
  instruction.longest = words_of(*file, argv[3], words);
  instruction.words = words;
  const Status readable = seq2seq::check(m.config, instruction);
  if (!readable.ok()) return fail("instruction", readable);
  static unsigned char picture_memory[kLargestPicture];
  const CameraFrame first = picture::read(argv[4], picture_memory, kLargestPicture);
  if (first.rgb == nullptr) return fail(argv[4], "no PPM picture, or too large");

  // The memory is counted by the code that will run, and taken once.
  Count lasting, scratch;
  Memory nothing(lasting.arena(), m, instruction.longest);
  seq2seq::begin(scratch, m.config, m.agent, instruction, nothing.state);
  decide(scratch, m, first, nothing);
  if (m.config.masks) seq2seq::mask(scratch, m.config, m.agent, nothing.state.cont, nullptr);
  Arena lasting_arena = allocate(lasting.scratch_bytes());
  Arena arena = allocate(scratch.scratch_bytes());
  Memory memory(lasting_arena, m, instruction.longest);
  Cpu<> cpu(arena);

  // Once for nothing, so that all pages of the files are there: what is resident then stays so.
  seq2seq::begin(cpu, m.config, m.agent, instruction, memory.state);
  decide(cpu, m, first, memory);
  if (m.config.masks) seq2seq::mask(cpu, m.config, m.agent, memory.state.cont, memory.mask);
  seq2seq::restart(cpu, m.agent, memory.state);
  std::printf("%d words, %.2f MB of scratch\n", instruction.longest,
              static_cast<double>(scratch.scratch_bytes()) * 1e-6);

  for (int i = 4; i < argc; ++i) {
    const CameraFrame frame = picture::read(argv[i], picture_memory, kLargestPicture);
    if (frame.rgb == nullptr) return fail(argv[i], "no PPM picture, or too large");
    if (frame.height != first.height || frame.width != first.width)
      return fail(argv[i], "has another size than the first frame");
    const auto begin = std::chrono::steady_clock::now();
    const std::int32_t action = decide(cpu, m, frame, memory);
    const std::string_view name = names->string(static_cast<std::uint64_t>(action)).value_or("?");
    // Only what is done to an object needs to know where it is.
    const bool acts = name.find("Object") != std::string_view::npos && m.config.masks;
    if (acts) seq2seq::mask(cpu, m.config, m.agent, memory.state.cont, memory.mask);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    std::printf("%3d  %-16.*s  %7.2f ms  %ld kB", i - 4, static_cast<int>(name.size()), name.data(),
                took.count(), resident_kb());
    if (acts) {
      int pixels = 0;
      double x = 0, y = 0;
      for (int p = 0; p < m.config.mask_size * m.config.mask_size; ++p) {
        if (!(memory.mask[p] > 0)) continue;
        ++pixels;
        x += p % m.config.mask_size;
        y += p / m.config.mask_size;
      }
      std::printf("  mask of %d pixels", pixels);
      if (pixels > 0) std::printf(" around (%.0f, %.0f)", x / pixels, y / pixels);
    }
    std::printf("\n");
    if (name == "<<stop>>") break;
  }
  std::printf("%zu of %zu bytes of scratch used at most\n", arena.peak(), arena.size());
  return 0;
}
