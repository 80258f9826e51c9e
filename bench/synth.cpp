// synth: a model of published size with made-up weights, for timing and memory where the real one
// cannot be had. The same sizes and seed give the same bytes on every machine.

#include <algorithm>
#include <initializer_list>
#include <iostream>
#include <map>
#include <string>
#include <string_view>

#include "commands.hpp"
#include "convert_bert.hpp"
#include "convert_hitut.hpp"
#include "convert_resnet.hpp"
#include "convert_seq2seq.hpp"
#include "progress.hpp"
#include "sha256.hpp"
#include "text.hpp"

namespace kinglet::tools {
namespace {

struct Size {
  const char* name;
  int layers, hidden, inner, heads;
};
constexpr Size kSizes[] = {{"base", 12, 768, 3072, 12},    // BERT and RoBERTa, as published
                           {"minilm", 6, 384, 1536, 12}};  // all-MiniLM-L6

Size encoder_size(const SynthOptions& wanted) {
  Size size = kSizes[0];
  for (const Size& known : kSizes) {
    if (wanted.size == known.name) size = known;
  }
  if (wanted.layers > 0) size.layers = wanted.layers;
  return size;
}

/// What is not said is left out, so that files of older programs have the same bytes.
std::string recipe_of(const SynthOptions& wanted) {
  std::string recipe = "synth " + wanted.architecture;
  if (!wanted.size.empty() && wanted.size != kSizes[0].name) recipe += " --size " + wanted.size;
  if (wanted.architecture == "hitut" || wanted.architecture == "bert")
    recipe += " --layers " + std::to_string(encoder_size(wanted).layers);
  if (wanted.vocab > 0) recipe += " --vocab " + std::to_string(wanted.vocab);
  if (wanted.actions > 0) recipe += " --actions " + std::to_string(wanted.actions);
  return recipe + " --seed " + std::to_string(wanted.seed);
}

bool is_small(const SynthOptions& wanted) { return wanted.size == "small"; }

/// HiTUT on a RoBERTa; as published with 12 layers of its base size, 6 distilled.
HitutModel hitut_of(const SynthOptions& wanted) {
  const Size size = encoder_size(wanted);
  HitutModel m;
  m.encoder = HitutModel::Encoder::roberta;
  m.layers = m.stored_layers = size.layers;
  m.hidden = m.embedding = size.hidden;
  m.inner = size.inner;
  m.heads = size.heads;
  m.vision = 31;
  m.language = 64;
  m.history = 64;
  m.vocab = wanted.vocab > 0 ? wanted.vocab : 50265;
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
      const int id = (100 + 37 * action + 11 * word) % m.vocab;
      m.action_words.push_back(word <= action % 3 ? id : 1);
    }
  }
  m.high_actions = {3, 4, 5, 6, 7, 8, 9, 10, 11};
  m.low_actions = {12, 13, 14, 15, 16, 4, 5, 6, 17, 18, 19, 20, 11};
  for (int action = 21; action < 127; ++action) m.objects.push_back(action);
  return m;
}

/// A BERT with its pooler.
BertModel bert_of(const SynthOptions& wanted) {
  const Size size = encoder_size(wanted);
  BertModel m;
  m.architecture = "bert";
  for (int layer = 0; layer < size.layers; ++layer) {
    m.stored.push_back(bert_layer("encoder.layer." + std::to_string(layer) + "."));
    m.order.push_back(static_cast<std::uint32_t>(layer));
  }
  m.hidden = m.embedding = size.hidden;
  m.inner = size.inner;
  m.heads = size.heads;
  m.vocab = wanted.vocab > 0 ? wanted.vocab : 30522;
  m.position_rows = 512;
  m.type_rows = 2;
  m.eps = 1e-12;
  m.activation = m.lm_activation = "gelu";
  m.types = kBertTypes;
  m.pooler = "pooler.dense";
  return m;
}

/// ALFRED's agent as published, with progress monitors; or small, for tests.
Seq2SeqModel seq2seq_of(const SynthOptions& wanted) {
  const bool small = is_small(wanted);
  Seq2SeqModel m;
  m.words = wanted.vocab > 0 ? wanted.vocab : 2360;
  m.actions = wanted.actions > 0 ? wanted.actions : 15;
  m.embedding = small ? 20 : 100;
  m.hidden = small ? 24 : 512;
  m.frame = small ? 50 : 2500;
  m.mask_size = small ? 60 : 300;
  m.monitors = m.vision = m.masks = true;
  return m;
}

/// ResNet-18 as published; or a narrower look of 512 channels too, for tests.
ResnetModel resnet_of(const SynthOptions& wanted) {
  const bool small = is_small(wanted);
  ResnetModel m;
  m.planes = 64;
  m.classes = small ? 0 : 1000;
  m.blocks.fill(small ? 1 : 2);
  return m;
}

/// Weights of about normal distribution, deviation 0.02; gains and variances of norms are 1. Element i of a tensor
/// depends on seed, name and i only, so rows can be made in any order.
class SynthWeights : public WeightSource {
 public:
  explicit SynthWeights(std::uint64_t seed) : seed_(seed) {}

  void require(const std::string& name, const Shape& shape) override { shapes_[name] = shape; }

  void load(const std::string& name, std::int64_t first, std::int64_t count, float* out) override {
    const Shape& shape = shapes_.at(name);
    const std::int64_t row = size_of(shape) / shape[0];
    if (is_one(name)) {
      std::fill(out, out + count * row, 1.0f);
      return;
    }
    std::uint64_t key = seed_;
    for (const char c : name) key = mix(key ^ static_cast<unsigned char>(c));
    for (std::int64_t i = first * row; i < (first + count) * row; ++i) {
      *out++ = number(key + static_cast<std::uint64_t>(i));
    }
  }

  std::int64_t parameters() const {
    std::int64_t total = 0;
    for (const auto& [name, shape] : shapes_) {
      if (!ends_in(name, {"running_mean", "running_var"})) total += size_of(shape);
    }
    return total;
  }

 private:
  static std::int64_t size_of(const Shape& shape) {
    std::int64_t size = 1;
    for (const std::int64_t dim : shape) size *= dim;
    return size;
  }

  static bool ends_in(std::string_view name, std::initializer_list<std::string_view> ends) {
    for (const std::string_view end : ends) {
      if (name.size() >= end.size() && name.substr(name.size() - end.size()) == end) return true;
    }
    return false;
  }

  static bool is_one(std::string_view name) {
    return ends_in(name, {"LayerNorm.weight", "pos_ln.weight", "bn1.weight", "bn2.weight",
                          "downsample.1.weight", "running_var"});
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

/// A published checkpoint has tensors that inference never reads: pooler, three unused heads; the
/// bias of Seq2Seq's pooling.
std::int64_t unread_parameters(const HitutModel& m) {
  const auto classes =
      static_cast<std::int64_t>(m.objects.size() + m.high_actions.size() + m.low_actions.size());
  return (m.hidden + classes) * (std::int64_t{m.hidden} + 1);
}
std::int64_t unread_parameters(const BertModel&) { return 0; }
std::int64_t unread_parameters(const Seq2SeqModel&) { return 1; }
std::int64_t unread_parameters(const ResnetModel&) { return 0; }

template <class Model, class PlanOf, class Write>
void synthesize(Model model, const SynthOptions& wanted, PlanOf plan_of, Write write) {
  SynthWeights weights(wanted.seed);
  const TensorPlan plan = plan_of(model, weights);
  model.source_parameters =
      static_cast<std::uint64_t>(weights.parameters() + unread_parameters(model));
  model.recipe = recipe_of(wanted);
  Sha256 hash;
  hash.update(model.recipe.data(), model.recipe.size());
  model.source_sha256 = hash.hex();
  OutputFile out(wanted.output);
  write(out, model, plan, terminal_progress("synth"));
  out.commit();
  std::cout << printable(wanted.output, 1000) << ": " << model.source_parameters
            << " parameters as published, " << plan.size() << " tensors stored\n";
}

}  // namespace

void run_synth(const SynthOptions& options) {
  const std::string& architecture = options.architecture;
  if (architecture == "alfred-seq2seq")
    return synthesize(seq2seq_of(options), options, plan_seq2seq, write_seq2seq);
  if (architecture == "resnet")
    return synthesize(resnet_of(options), options, plan_resnet, write_resnet);
  if (architecture == "hitut")
    return synthesize(hitut_of(options), options, plan_hitut, write_hitut);
  synthesize(bert_of(options), options, plan_bert, write_bert);
}

}  // namespace kinglet::tools
