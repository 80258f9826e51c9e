// synth: a HiTUT model of published size with made-up weights, for timing and memory where the real
// one cannot be had. The same layers and seed give the same bytes on every machine.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "commands.hpp"
#include "convert_hitut.hpp"
#include "progress.hpp"
#include "sha256.hpp"

namespace kinglet::tools {
namespace {

/// HiTUT with roberta-base: 12 layers as published, 6 distilled.
HitutModel published_sizes(int layers) {
  HitutModel m;
  m.encoder = HitutModel::Encoder::roberta;
  m.layers = m.stored_layers = layers;
  m.hidden = m.embedding = 768;
  m.inner = 3072;
  m.heads = 12;
  m.vision = 31;
  m.language = 64;
  m.history = 64;
  m.vocab = 50265;
  m.position_rows = 514;
  m.type_rows = 1;
  m.eps = 1e-5;
  m.posture_eps = 1e-6;
  m.image_size = 300;
  m.activation = "gelu";
  m.pred_head_pos = "cls";
  m.posture = true;
  m.word_table = "encoder.embeddings.word_embeddings.weight";
  m.words_per_action = 6;
  for (int action = 0; action < 127; ++action) {  // one to three words, then RoBERTa's padding
    for (int word = 0; word < 6; ++word) {
      m.action_words.push_back(word <= action % 3 ? 100 + 37 * action + 11 * word : 1);
    }
  }
  m.high_actions = {3, 4, 5, 6, 7, 8, 9, 10, 11};
  m.low_actions = {12, 13, 14, 15, 16, 4, 5, 6, 17, 18, 19, 20, 11};
  for (int action = 21; action < 127; ++action) m.objects.push_back(action);
  return m;
}

/// Weights of about normal distribution, deviation 0.02; gains of norms are 1. Element i of a tensor
/// depends on seed, name and i only, so rows can be made in any order.
class SynthWeights : public WeightSource {
 public:
  explicit SynthWeights(std::uint64_t seed) : seed_(seed) {}

  void require(const std::string& name, const Shape& shape) override { shapes_[name] = shape; }

  void load(const std::string& name, std::int64_t first, std::int64_t count, float* out) override {
    const Shape& shape = shapes_.at(name);
    const std::int64_t row = size_of(shape) / shape[0];
    if (is_gain(name)) {
      std::fill(out, out + count * row, 1.0f);
      return;
    }
    std::uint64_t key = seed_;
    for (const char c : name) key = mix(key ^ static_cast<unsigned char>(c));
    for (std::int64_t i = first * row; i < (first + count) * row; ++i) {
      *out++ = number(key + static_cast<std::uint64_t>(i));
    }
  }

  /// With those that inference never reads, as a published checkpoint has them.
  std::uint64_t parameters(const HitutModel& m) const {
    std::int64_t total = 0;
    for (const auto& [name, shape] : shapes_) total += size_of(shape);
    const std::int64_t classes =
        static_cast<std::int64_t>(m.objects.size() + m.high_actions.size() + m.low_actions.size());
    total += (m.hidden + classes) * (std::int64_t{m.hidden} + 1);  // pooler; three unused heads
    return static_cast<std::uint64_t>(total);
  }

 private:
  static std::int64_t size_of(const Shape& shape) {
    std::int64_t size = 1;
    for (const std::int64_t dim : shape) size *= dim;
    return size;
  }

  static bool is_gain(std::string_view name) {
    for (const std::string_view end : {"LayerNorm.weight", "pos_ln.weight"}) {
      if (name.size() >= end.size() && name.substr(name.size() - end.size()) == end) return true;
    }
    return false;
  }

  /// splitmix64's output function (Steele, Lea & Flood 2014).
  static std::uint64_t mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

  /// The sum of four 16-bit numbers, mean 131070, deviation 65536 / √3, scaled with one rounding.
  static float number(std::uint64_t counter) {
    const std::uint64_t bits = mix(counter);
    int sum = -131070;
    for (int shift = 0; shift < 64; shift += 16) sum += static_cast<int>((bits >> shift) & 0xFFFF);
    return static_cast<float>(sum) * 5.2858e-7f;
  }

  std::uint64_t seed_;
  std::map<std::string, Shape> shapes_;
};

void synthesize(int layers, std::uint64_t seed, const std::string& path) {
  HitutModel model = published_sizes(layers);
  SynthWeights weights(seed);
  const TensorPlan plan = plan_hitut(model, weights);
  model.source_parameters = weights.parameters(model);
  model.recipe =
      "synth hitut --layers " + std::to_string(layers) + " --seed " + std::to_string(seed);
  Sha256 hash;
  hash.update(model.recipe.data(), model.recipe.size());
  model.source_sha256 = hash.hex();
  OutputFile out(path);
  write_hitut(out, model, plan, terminal_progress("synth"));
  out.commit();
  std::cout << path << ": " << layers << " layers, " << model.source_parameters
            << " parameters as published, " << plan.size() << " tensors stored\n";
}

}  // namespace

void add_synth(CLI::App& app) {
  struct Options {
    std::string architecture, output;
    int layers = 12;
    std::uint64_t seed = 1;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("synth", "Make a model file of published size with made-up weights");
  command->add_option("--arch", options->architecture, "Architecture")
      ->required()
      ->check(CLI::IsMember({"hitut"}));
  command->add_option("--layers", options->layers, "Layers (12 as published, 6 distilled)")
      ->check(CLI::Range(1, 48))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Other seeds give other weights")
      ->capture_default_str();
  command->add_option("-o,--output", options->output, "Model file to write (.gguf)")->required();
  command->callback([=] { synthesize(options->layers, options->seed, options->output); });
}

}  // namespace kinglet::tools
