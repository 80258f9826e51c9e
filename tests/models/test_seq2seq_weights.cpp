// The weights of the LSTM models: what bind accepts, and what it says of files that lack something.
#include <doctest/doctest.h>

#include <functional>
#include <kinglet/models/alfred_seq2seq_weights.hpp>
#include <kinglet/models/speaker_encoder_weights.hpp>
#include <string>
#include <vector>

#include "convert_plan.hpp"

namespace {

using namespace kinglet;
using tools::GgufWriter;
using tools::MemorySink;
using tools::TensorPlan;

/// Number i of a tensor that begins with 1.
tools::FillRows counted(int k) {
  return [k](std::int64_t first, std::int64_t count, float* out) {
    for (std::int64_t i = 0; i < count * k; ++i) out[i] = static_cast<float>(first * k + i + 1);
  };
}

/// A file put together by hand, one tensor or value left out.
struct Parts {
  std::string without;
  TensorPlan plan{};

  void matrix(const std::string& name, int n, int k, bool bias) {
    if (name != without) plan.matrix(name + ".weight", 1, n, k, counted(k));
    if (bias) plan.bias(name + ".bias", 1, n, counted(1));
  }
  void vector(const std::string& name, int n) {
    if (name != without) plan.vector(name, n, counted(1));
  }
  void lstm(const std::string& begin, int units, int k) {
    matrix(begin + "ih", 4 * padded(units), k, true);
    matrix(begin + "hh", 4 * padded(units), units, false);
  }
  void conv_transpose(const std::string& name, int channels, int k, int kernel) {
    matrix(name, kernel * kernel * channels, k, false);
    vector(name + ".bias", channels);
  }
};

struct Opened {
  MemorySink sink{"made.gguf"};
  ModelFile file;

  Opened(const char* architecture, const TensorPlan& plan,
         const std::function<void(GgufWriter&)>& values) {
    GgufWriter out(sink, architecture);
    values(out);
    plan.write(out, {});
    const Result<ModelFile> opened = ModelFile::open(sink.bytes());
    REQUIRE(opened.ok());
    file = *opened;
  }
};

constexpr int kHidden = 18, kEmbedding = 5, kFrame = 7, kWords = 9, kActions = 4;

struct Agent {
  bool monitors = true, vision = true, masks = true;
  std::string without{};
  int listed_actions = kActions;

  Opened open() const {
    Parts p{without};
    const int d = 2 * kHidden, in = kFrame + d + kEmbedding;
    p.plan.table("token_embd.weight", kWords, kEmbedding, counted(kEmbedding));
    p.lstm("lang.fwd_", kHidden, kEmbedding);
    p.lstm("lang.bwd_", kHidden, kEmbedding);
    p.vector("lang.pool.weight", d);
    if (vision) {
      p.matrix("vis.conv1", 256, 512, true);
      p.matrix("vis.conv2", 64, 256, true);
      p.matrix("vis.fc", kFrame, 3136, true);
    }
    p.matrix("dec.query", d, d, true);
    p.lstm("dec.", d, in);
    p.vector("dec.go.weight", kEmbedding);
    p.matrix("dec.actor", kEmbedding, d + in, true);
    p.matrix("action_embd", kActions, kEmbedding, false);
    if (monitors) p.matrix("dec.monitors", 2, d + in, true);
    if (masks) {
      p.matrix("mask.fc", 3136, d + in, true);
      p.conv_transpose("mask.up3", 32, 64, 6);
      p.conv_transpose("mask.up2", 16, 32, 6);
      p.conv_transpose("mask.up1", 1, 16, 4);
    }
    return {"alfred-seq2seq", p.plan, [this](GgufWriter& out) {
              out.add_u32("alfred-seq2seq.embedding_length", kEmbedding);
              out.add_u32("alfred-seq2seq.hidden_length", kHidden);
              out.add_u32("alfred-seq2seq.frame_length", kFrame);
              out.add_u32("alfred-seq2seq.vocab_size", kWords);
              out.add_u32("alfred-seq2seq.action_count", kActions);
              out.add_u32("alfred-seq2seq.mask_size", masks ? 300 : 0);
              out.add_bool("alfred-seq2seq.monitors", monitors);
              out.add_bool("alfred-seq2seq.vision", vision);
              out.add_bool("alfred-seq2seq.masks", masks);
              std::vector<std::string> names = {"stop", "ahead", "left", "right", "up"};
              names.resize(static_cast<std::size_t>(listed_actions));
              out.add_strings("alfred-seq2seq.action_names", names);
            }};
  }
};

}  // namespace

TEST_CASE("the weights of Seq2Seq bind, with any of its parts left out") {
  for (int parts = 0; parts < 8; ++parts) {
    const Agent agent{(parts & 1) != 0, (parts & 2) != 0, (parts & 4) != 0};
    const Opened made = agent.open();
    const Result<seq2seq::Config> c = seq2seq::read_config(made.file);
    REQUIRE(c.ok());
    CHECK(c->width() == 36);
    CHECK(c->cell_in() == 48);
    CHECK(c->cont() == 84);
    CHECK(c->mask_size == (agent.masks ? 300 : 0));
    seq2seq::Weights w;
    REQUIRE(seq2seq::bind(made.file, *c, w).ok());
    CHECK(w.forward.units == kHidden);
    CHECK(w.forward.ih.n == 4 * 32);
    CHECK(w.forward.hh.k == kHidden);
    CHECK(w.forward.ih.bias != nullptr);
    CHECK(w.forward.hh.bias == nullptr);
    CHECK(w.cell.units == 36);
    CHECK(w.cell.ih.k == 48);
    CHECK(w.go[4] == 5.0f);
    CHECK(bool(w.conv1) == agent.vision);
    CHECK(bool(w.monitors) == agent.monitors);
    CHECK(bool(w.up3.taps) == agent.masks);
    if (!agent.masks) continue;
    CHECK(w.up3.taps.n == 6 * 6 * 32);
    CHECK(w.up3.bias[31] == 32.0f);
    CHECK(w.up1.channels == 1);
  }
}

TEST_CASE("a Seq2Seq that lacks a tensor of a part it claims does not bind") {
  for (const char* name : {"lang.bwd_hh", "lang.pool.weight", "vis.fc", "dec.ih", "dec.go.weight",
                           "action_embd", "dec.monitors", "mask.up2", "mask.up1.bias"}) {
    const Opened made = Agent{true, true, true, name}.open();
    const Result<seq2seq::Config> c = seq2seq::read_config(made.file);
    REQUIRE(c.ok());
    seq2seq::Weights w;
    const Status status = seq2seq::bind(made.file, *c, w);
    CHECK(status.code() == Code::missing);
    CHECK(status.subject().substr(0, std::string_view(name).size()) == name);
  }
}

TEST_CASE("a Seq2Seq's actions have names, one each, that can be looked up") {
  const Opened made = Agent{}.open();
  CHECK(seq2seq::id_of(made.file, seq2seq::kActionsKey, "left") == 2);
  CHECK(seq2seq::id_of(made.file, seq2seq::kActionsKey, "down") == -1);
  CHECK(seq2seq::id_of(made.file, seq2seq::kWordsKey, "left") == -1);
  Agent wrong;
  wrong.listed_actions = 5;
  const Opened five = wrong.open();
  const Result<seq2seq::Config> c = seq2seq::read_config(five.file);
  REQUIRE(!c.ok());
  CHECK(c.status().subject() == seq2seq::kActionsKey);
}

TEST_CASE("the weights of a speaker encoder bind") {
  static constexpr int kUnits = 20, kBands = 8;
  const auto open = [&](std::uint32_t layers) {
    Parts p;
    p.lstm("lstm.0_", kUnits, kBands);
    p.lstm("lstm.1_", kUnits, kUnits);
    p.matrix("embedding", 6, kUnits, true);
    return Opened("speaker-encoder", p.plan, [layers](GgufWriter& out) {
      out.add_u32("speaker-encoder.input_length", kBands);
      out.add_u32("speaker-encoder.hidden_length", kUnits);
      out.add_u32("speaker-encoder.block_count", layers);
      out.add_u32("speaker-encoder.embedding_length", 6);
    });
  };
  speaker::Weights w;
  const Opened made = open(2);
  const Result<speaker::Config> c = speaker::read_config(made.file);
  REQUIRE(c.ok());
  REQUIRE(speaker::bind(made.file, *c, w).ok());
  CHECK(w.layers[0].ih.k == kBands);
  CHECK(w.layers[1].ih.k == kUnits);
  CHECK(w.embedding.n == 6);
  const Opened three = open(3);
  CHECK(!speaker::bind(three.file, *speaker::read_config(three.file), w).ok());
  CHECK(!speaker::read_config(open(17).file).ok());
}
