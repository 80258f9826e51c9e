#include "models/hitut_fixture.hpp"

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <sstream>

#include "convert.hpp"

namespace kinglet::test {
namespace {

struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("kinglet_test_" + std::to_string(getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : state_(seed) {}
  std::int32_t below(int n) {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<std::int32_t>((state_ >> 8) % static_cast<std::uint32_t>(n));
  }

 private:
  std::uint32_t state_;
};

}  // namespace

std::string temporary_file(const std::string& name) {
  static const Folder folder;
  return (folder.path / name).string();
}

namespace {

std::string converted(const std::string& folder, const std::string& name,
                      const std::string& vocab) {
  static std::map<std::string, std::string> made;
  std::string& path = made[name];
  if (path.empty()) {
    tools::ConvertRequest request;
    request.input = folder + "/model_best_seen.pth";
    request.config = folder + "/config.json";
    request.tables = folder + "/tables.safetensors";
    request.vocab = vocab;
    request.output = temporary_file(name + ".gguf");
    std::ostringstream report;
    tools::convert("hitut", request, report);
    path = request.output;
  }
  return path;
}

}  // namespace

std::string hitut_model(const std::string& encoder) {
  return converted(KINGLET_TEST_DATA "/alfred/hitut_" + encoder, encoder, "");
}

std::string trained_model() {
  const std::string folder = KINGLET_MODELS_DIR "/hitut6_small";
  return converted(folder, "trained", folder + "/vocab.txt");
}

MadeUpInput::MadeUpInput(const hitut::Config& c, hitut::Task task, int batch, std::uint32_t seed,
                         bool all_live) {
  Generator random(seed);
  const auto size = [&](int each) {
    return static_cast<std::size_t>(batch) * static_cast<std::size_t>(each);
  };
  const auto ids = [&](std::vector<std::int32_t>& out, int each, int n) {
    for (std::size_t i = 0; i < size(each); ++i) out.push_back(random.below(n));
    return out.data();
  };
  const auto numbers = [&](std::vector<float>& out, int each) {
    for (std::size_t i = 0; i < size(each); ++i)
      out.push_back(static_cast<float>(random.below(256)) / 256.0f);
    return out.data();
  };
  in.task = task;
  in.batch = batch;
  in.words = ids(words, c.language, c.vocab);
  in.vision = ids(vision, c.vision, c.actions);
  in.features = numbers(features, c.vision * hitut::kFeatures);
  in.history = ids(history, c.history, c.actions);
  for (int b = 0; b < batch; ++b) {
    std::int32_t last = 0;
    for (int p = 0; p < c.seq; ++p) {
      mask.push_back(p == 0 || all_live || random.below(2) == 0 ? 1 : 0);
      if (mask.back() != 0) last = p;
    }
    arg_position.push_back(last);
    type_position.push_back(last - 1);
  }
  in.mask = mask.data();
  in.arg_position = arg_position.data();
  in.type_position = type_position.data();
  if (task != hitut::Task::low_navi) return;
  in.rotation = ids(rotation, 1, hitut::kRotations);
  in.horizon = ids(horizon, 1, hitut::kHorizons);
  const int slots = hitut::past_steps(c) * hitut::kPastSlots;
  in.past = ids(past, slots, c.actions);
  in.past_features = numbers(past_features, slots * hitut::kFeatures);
}

hitut::Input MadeUpInput::alone(const hitut::Config& c, int b) const {
  hitut::Input one = in;
  const int slots = hitut::past_steps(c) * hitut::kPastSlots;
  one.batch = 1;
  one.words += b * c.language;
  one.vision += b * c.vision;
  one.features += b * c.vision * hitut::kFeatures;
  one.history += b * c.history;
  one.mask += b * c.seq;
  one.type_position += b;
  one.arg_position += b;
  if (one.rotation == nullptr) return one;
  one.rotation += b;
  one.horizon += b;
  one.past += b * slots;
  one.past_features += b * slots * hitut::kFeatures;
  return one;
}

Heads::Heads(const hitut::Config& c, hitut::Task task, int n)
    : batch(n),
      type(static_cast<std::size_t>(n * hitut::type_count(c, task))),
      arg(static_cast<std::size_t>(n * c.object_count)),
      mask(static_cast<std::size_t>(n * c.vision)),
      monitors(static_cast<std::size_t>(n * 3)) {}

std::vector<float> Heads::row(int b) const {
  std::vector<float> out;
  for (const auto* head : {&type, &arg, &mask, &monitors}) {
    const auto each = static_cast<std::ptrdiff_t>(head->size()) / batch;
    out.insert(out.end(), head->begin() + b * each, head->begin() + (b + 1) * each);
  }
  return out;
}

std::uint64_t hash(const std::vector<float>& x, std::uint64_t h) {
  for (const float value : x) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 4; ++i) h = (h ^ ((bits >> (8 * i)) & 0xff)) * 1099511628211u;
  }
  return h;
}

}  // namespace kinglet::test
