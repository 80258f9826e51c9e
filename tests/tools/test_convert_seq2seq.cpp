#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <kinglet/models/alfred_seq2seq_weights.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "conversion.hpp"
#include "convert_source.hpp"
#include "model_edit.hpp"
#include "nan.hpp"
#include "safetensors_writer.hpp"
#include "samples.hpp"
#include "tool_files.hpp"

using namespace kinglet;
using namespace kinglet::tools;
using kinglet::tests::BasicConversion;
using kinglet::tests::read_text;
using kinglet::tests::says;
using kinglet::tests::ScratchFolder;
using kinglet::tests::write_text;
using Json = nlohmann::json;

namespace {

const std::string kWhole = KINGLET_TEST_DATA "/alfred/seq2seq_im_mask";
const std::string kCore = KINGLET_TEST_DATA "/alfred/seq2seq_wide_core";

struct Conversion : BasicConversion {
  explicit Conversion(const std::string& input = kWhole + "/best_seen.legacy.pth") {
    request.input = input;
  }
};

/// Numbers of the checkpoint.
class Source {
 public:
  explicit Source(const std::string& path) : checkpoint_(read_checkpoint(path)) {}

  std::vector<double> operator()(const std::string& name) const {
    const Tensor* tensor = checkpoint_.find(name);
    REQUIRE(tensor != nullptr);
    return values_of(checkpoint_.path, *tensor).numbers;
  }

 private:
  Checkpoint checkpoint_;
};

/// scale, shift of a batch norm.
std::pair<std::vector<double>, std::vector<double>> batch_norm(const Source& source,
                                                               const std::string& name) {
  const auto gamma = source(name + ".weight"), beta = source(name + ".bias"),
             mean = source(name + ".running_mean"), variance = source(name + ".running_var");
  std::vector<double> scale, shift;
  for (std::size_t i = 0; i < gamma.size(); ++i) {
    scale.push_back(gamma[i] / std::sqrt(variance[i] + 1e-5));
    shift.push_back(beta[i] - mean[i] * scale[i]);
  }
  return {scale, shift};
}

/// An image [channels][size][size].
using Planes = std::vector<double>;

double pseudo_random(std::size_t i) {
  return static_cast<double>(i * 2654435761u % 2001u) / 1000 - 1;
}

/// y [out][size·stride' …] of a transposed convolution w [in][out][4][4], stride 2, padding 1.
Planes conv_transpose(const Planes& x, int in, int size, const std::vector<double>& w, int out) {
  const int wide = 2 * size;
  Planes y(static_cast<std::size_t>(out * wide * wide));
  for (int c = 0; c < in; ++c)
    for (int r = 0; r < size; ++r)
      for (int s = 0; s < size; ++s)
        for (int o = 0; o < out; ++o)
          for (int a = 0; a < 4; ++a)
            for (int b = 0; b < 4; ++b) {
              const int p = 2 * r - 1 + a, q = 2 * s - 1 + b;
              if (p < 0 || q < 0 || p >= wide || q >= wide) continue;
              y[static_cast<std::size_t>((o * wide + p) * wide + q)] +=
                  x[static_cast<std::size_t>((c * size + r) * size + s)] *
                  w[static_cast<std::size_t>(((c * out + o) * 4 + a) * 4 + b)];
            }
  return y;
}

Planes doubled(const Planes& x, int channels, int size) {
  Planes y(x.size() * 4);
  for (int c = 0; c < channels; ++c)
    for (int p = 0; p < 2 * size; ++p)
      for (int q = 0; q < 2 * size; ++q)
        y[static_cast<std::size_t>((c * 2 * size + p) * 2 * size + q)] =
            x[static_cast<std::size_t>((c * size + p / 2) * size + q / 2)];
  return y;
}

void drop(std::vector<Tensor>& tensors, const std::string& part) {
  const auto gone = [&](const Tensor& t) { return t.name.find(part) != std::string::npos; };
  tensors.erase(std::remove_if(tensors.begin(), tensors.end(), gone), tensors.end());
}

}  // namespace

TEST_CASE("a Seq2Seq checkpoint says all that its model needs") {
  Conversion c;
  CHECK(architecture_of(c.request) == "alfred-seq2seq");
  c.run();
  const Result<seq2seq::Config> config = seq2seq::read_config(c.file);
  REQUIRE(config.ok());
  CHECK(config->words == 82);
  CHECK(config->embedding == 3);
  CHECK(config->hidden == 3);
  CHECK(config->frame == 4);
  CHECK(config->actions == 15);
  CHECK(config->mask_size == 72);
  CHECK(config->monitors);
  CHECK(config->vision);
  CHECK(config->masks);
  seq2seq::Weights w;
  CHECK(seq2seq::bind(c.file, *config, w).ok());
  CHECK(seq2seq::id_of(c.file, seq2seq::kWordsKey, "pick") == 3);
  CHECK(seq2seq::id_of(c.file, seq2seq::kActionsKey, "MoveAhead_25") == 4);
  CHECK(*c.file.u64("kinglet.source.parameters") == 266184);
  CHECK(*c.file.u64("tokenizer.ggml.padding_token_id") == 0);
  CHECK(says(c.report, "masks 72 x 72"));
  c.request.mask_size = 300;
  c.run();
  CHECK(*c.file.u64("alfred-seq2seq.mask_size") == 300);
}

TEST_CASE("a plain state dict of Seq2Seq with its config gives the same tensors") {
  Conversion checkpoint, plain;
  checkpoint.run();
  plain.edit_weights([](auto&) {});
  plain.request.config = kWhole + "/config.json";
  plain.run();
  const auto without_hash = [](const Conversion& c) {
    std::string text = read_text(c.request.output);
    const std::string hash(*c.file.string("kinglet.source.sha256"));
    return text.replace(text.find(hash), hash.size(), hash.size(), '0');
  };
  CHECK(without_hash(checkpoint) == without_hash(plain));
}

TEST_CASE("what nobody says of a Seq2Seq is assumed, and reported") {
  Conversion c;
  c.edit_weights([](auto&) {});
  c.run();
  CHECK(says(c.report, "masks are assumed to be 300 x 300"));
  CHECK(says(c.report, "nobody says what the words are"));
  CHECK_FALSE(c.file.has(seq2seq::kWordsKey));
  c.request.vocab = c.scratch.file("words.txt");
  std::string words;
  for (int i = 0; i < 82; ++i) words += "w" + std::to_string(i) + "\n";
  write_text(c.request.vocab, words);
  c.run();
  CHECK(seq2seq::id_of(c.file, seq2seq::kWordsKey, "w81") == 81);
}

TEST_CASE("the core of a Seq2Seq has neither eyes nor masks") {
  Conversion c(kCore + "/core.safetensors");
  c.request.config = kCore + "/config.json";
  c.run();
  const Result<seq2seq::Config> config = seq2seq::read_config(c.file);
  REQUIRE(config.ok());
  CHECK_FALSE(config->vision);
  CHECK_FALSE(config->masks);
  CHECK(config->mask_size == 0);
  CHECK(config->hidden == 18);
  CHECK(config->frame == 20);
  CHECK(says(c.report, "no visual encoder"));
  CHECK(says(c.report, "no mask decoder"));
}

TEST_CASE("gates of 16 units stand side by side, units that are missing are zero") {
  Conversion c(kCore + "/core.safetensors");
  c.run();
  const Source source(kCore + "/core.safetensors");
  const ModelEdit model(c.request.output);
  constexpr int kUnits = 18, kRows = 4 * 32;
  const auto check = [&](const std::string& name, const std::string& from, int k) {
    const DenseMatrix w = model.matrix(name);
    const std::vector<double> wanted = source(from);
    REQUIRE(w.n == kRows);
    REQUIRE(w.k == k);
    int different = 0;
    for (int r = 0; r < kRows; ++r) {
      const int unit = r / 64 * 16 + r % 16, gate = r / 16 % 4;
      for (int i = 0; i < k; ++i) {
        const auto at = static_cast<std::size_t>((gate * kUnits + unit) * k + i);
        const double number = unit < kUnits ? wanted[at] : 0.0;
        different += static_cast<double>(w.row(static_cast<std::size_t>(r))[i]) != number ? 1 : 0;
      }
    }
    CHECK(different == 0);
  };
  check("lang.fwd_ih.weight", "enc.weight_ih_l0", 20);
  check("lang.bwd_hh.weight", "enc.weight_hh_l0_reverse", 18);
  const std::vector<float> bias = model.vector("lang.bwd_ih.bias");
  const auto ih = source("enc.bias_ih_l0_reverse"), hh = source("enc.bias_hh_l0_reverse");
  CHECK(bias[64 + 16 + 1] ==
        static_cast<float>(ih[kUnits + 17]) + static_cast<float>(hh[kUnits + 17]));
  CHECK(bias[64 + 16 + 2] == 0.0f);
}

TEST_CASE("batch norms are in the convolutions, and cells come before channels") {
  Conversion c;
  c.run();
  const Source source(c.request.input);
  const ModelEdit model(c.request.output);
  const auto [scale, shift] = batch_norm(source, "dec.vis_encoder.bn2");
  const auto w = source("dec.vis_encoder.conv2.weight"), b = source("dec.vis_encoder.conv2.bias");
  const DenseMatrix conv = model.matrix("vis.conv2.weight");
  const std::vector<float> bias = model.vector("vis.conv2.bias");
  for (const std::size_t r : {0u, 17u, 63u}) {
    CHECK(static_cast<double>(conv.row(r)[5]) == doctest::Approx(w[r * 256 + 5] * scale[r]));
    CHECK(static_cast<double>(bias[r]) == doctest::Approx(b[r] * scale[r] + shift[r]));
  }
  const auto fc = source("dec.vis_encoder.fc.weight"), d1 = source("dec.mask_dec.d1.weight"),
             d1_bias = source("dec.mask_dec.d1.bias");
  const DenseMatrix reads = model.matrix("vis.fc.weight"), writes = model.matrix("mask.fc.weight");
  const std::vector<float> writes_bias = model.vector("mask.fc.bias");
  int different = 0;
  for (std::size_t channel = 0; channel < 64; ++channel) {
    for (std::size_t cell = 0; cell < 49; ++cell) {
      const std::size_t ours = cell * 64 + channel, theirs = channel * 49 + cell;
      different += static_cast<double>(reads.row(3)[ours]) != fc[3 * 3136 + theirs] ? 1 : 0;
      different += static_cast<double>(writes.row(ours)[7]) != d1[theirs * 19 + 7] ? 1 : 0;
      different += static_cast<double>(writes_bias[ours]) != d1_bias[theirs] ? 1 : 0;
    }
  }
  CHECK(different == 0);
}

TEST_CASE("a doubling, a transposed convolution and a batch norm are one product and a sum") {
  Conversion c;
  c.run();
  const Source source(c.request.input);
  const ModelEdit model(c.request.output);
  constexpr int kIn = 64, kOut = 32, kSize = 7, kWide = 4 * kSize, kKernel = 6;
  Planes x(kIn * kSize * kSize);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = pseudo_random(i);

  Planes wanted = conv_transpose(doubled(x, kIn, kSize), kIn, 2 * kSize,
                                 source("dec.mask_dec.dconv3.weight"), kOut);
  const auto [scale, shift] = batch_norm(source, "dec.mask_dec.bn2");
  const auto bias = source("dec.mask_dec.dconv3.bias");
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::size_t channel = i / (kWide * kWide);
    wanted[i] = (wanted[i] + bias[channel]) * scale[channel] + shift[channel];
  }

  const DenseMatrix taps = model.matrix("mask.up3.weight");
  REQUIRE(taps.n == kKernel * kKernel * kOut);
  REQUIRE(taps.k == kIn);
  const std::vector<float> shifted = model.vector("mask.up3.bias");
  Planes y(wanted.size());
  for (std::size_t i = 0; i < y.size(); ++i)
    y[i] = static_cast<double>(shifted[i / (kWide * kWide)]);
  for (int r = 0; r < kSize; ++r)
    for (int s = 0; s < kSize; ++s)
      for (int tap = 0; tap < taps.n; ++tap) {
        const int channel = tap % kOut, place = tap / kOut;
        const int p = 4 * r - 1 + place / kKernel, q = 4 * s - 1 + place % kKernel;
        if (p < 0 || q < 0 || p >= kWide || q >= kWide) continue;
        double sum = 0;
        for (int i = 0; i < kIn; ++i)
          sum += static_cast<double>(taps.row(static_cast<std::size_t>(tap))[i]) *
                 x[static_cast<std::size_t>((i * kSize + r) * kSize + s)];
        y[static_cast<std::size_t>((channel * kWide + p) * kWide + q)] += sum;
      }
  double worst = 0;
  for (std::size_t i = 0; i < y.size(); ++i)
    worst = tools::max_or_nan(worst, std::abs(y[i] - wanted[i]));
  CHECK(worst < 1e-6);
  // The last one is neither doubled nor normalised.
  const DenseMatrix last = model.matrix("mask.up1.weight");
  const auto dconv1 = source("dec.mask_dec.dconv1.weight");
  CHECK(last.n == 16);
  CHECK(static_cast<double>(last.row(6)[9]) == dconv1[9 * 16 + 6]);
}

TEST_CASE("a Seq2Seq that does not fit together is refused by name") {
  const auto broken = [](const std::function<void(std::vector<Tensor>&)>& damage) {
    Conversion c;
    c.architecture = "alfred-seq2seq";
    c.edit_weights(damage);
    return c.error();
  };
  const auto without = [&](const char* part) {
    return broken([=](std::vector<Tensor>& tensors) { drop(tensors, part); });
  };
  // A part is there as a whole, or not at all.
  for (const char* name :
       {"dec.vis_encoder.conv1.bias", "dec.vis_encoder.bn2.running_var",
        "dec.vis_encoder.fc.weight", "dec.mask_dec.d1.bias", "dec.mask_dec.bn1.running_mean",
        "dec.mask_dec.dconv1.weight", "dec.subgoal.weight", "dec.progress.bias",
        "enc.weight_hh_l0_reverse", "dec.go", "dec.cell.bias_hh", "dec.h_tm1_fc.bias",
        "enc_att.scorer.weight"}) {
    CAPTURE(name);
    CHECK(says(without(name), "tensor '" + std::string(name) + "': is missing"));
  }
  CHECK(without("dec.vis_encoder.") == "no error");
  CHECK(without("dec.mask_dec.") == "no error");
  const auto reshaped = [&](const char* name, const Shape& shape) {
    return broken([=](std::vector<Tensor>& tensors) {
      for (Tensor& tensor : tensors) {
        if (tensor.name != name) continue;
        tensor.shape = shape;
        tensor.stride.assign(shape.size(), 1);
        for (std::size_t i = shape.size() - 1; i > 0; --i)
          tensor.stride[i - 1] = tensor.stride[i] * shape[i];
      }
    });
  };
  CHECK(says(reshaped("dec.mask_dec.dconv2.weight", {32, 8, 4, 4}), "needed is [32, 16, 4, 4]"));
  CHECK(says(reshaped("enc.weight_ih_l0", {6, 6}), "has the shape [6, 6], needed is [12, 3]"));
  CHECK(says(reshaped("dec.cell.weight_ih", {24, 9}), "too narrow for words of 6"));
  CHECK(says(reshaped("dec.go", {1, 3}), "needed is [3]"));
  CHECK(says(broken([](std::vector<Tensor>& tensors) {
               Tensor more = tensors.front();
               more.name = "dec.second_opinion.weight";
               tensors.push_back(more);
             }),
             "'dec.second_opinion.weight': has no place in this model"));
  static float negative[32];
  std::fill(std::begin(negative), std::end(negative), -1.0f);
  CHECK(says(broken([](std::vector<Tensor>& tensors) {
               for (Tensor& tensor : tensors)
                 if (tensor.name == "dec.mask_dec.bn2.running_var")
                   tensor.storage = reinterpret_cast<const unsigned char*>(negative);
             }),
             "'dec.mask_dec.bn2.running_var': holds a negative number"));
  static float huge[32];
  std::fill(std::begin(huge), std::end(huge), 3e38f);
  CHECK(says(broken([](std::vector<Tensor>& tensors) {
               for (Tensor& tensor : tensors)
                 if (tensor.name == "dec.mask_dec.bn2.weight")
                   tensor.storage = reinterpret_cast<const unsigned char*>(huge);
             }),
             "leaves the range of float32"));
}

TEST_CASE("a config that contradicts a Seq2Seq checkpoint is refused") {
  const auto broken = [](const std::function<void(Json&)>& damage) {
    Conversion c;
    c.architecture = "alfred-seq2seq";
    c.request.config = kWhole + "/config.json";
    c.edit_config(damage);
    return c.error();
  };
  CHECK(says(broken([](Json& root) { root["vocab_words"]["word"][5] = "an"; }),
             "vocab_words.word: differs from what is in the checkpoint"));
  CHECK(says(broken([](Json& root) { root["vocab_words"]["action_low"].erase(3); }),
             "vocab_words.action_low: 14 texts for 15 ids"));
  Conversion large;
  large.edit_weights([](auto&) {});
  large.architecture = "alfred-seq2seq";
  large.request.config = kWhole + "/config.json";
  large.edit_config([](Json& root) { root["args"]["pframe"] = 5000; });
  CHECK(says(large.error(), "args.pframe: is no size of a mask"));
  large.architecture = "speaker-encoder";
  CHECK(says(large.error(), "'lstm.weight_ih_l0': is missing"));
}
