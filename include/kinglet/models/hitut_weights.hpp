#pragma once
// HiTUT: one transformer that chooses an agent's sub-goals, manipulations and movements
// (Zhang & Chai 2021, "Hierarchical Task Learning from Language Instructions with Unified
// Transformers and Self-Monitoring"). Four published encoders differ in data only: RoBERTa, BERT,
// ALBERT and HiTUT's own ("scratch"). This file: its numbers and its weights.

#include <cstdint>
#include <kinglet/backend/ops.hpp>
#include <kinglet/blocks/encoder_layer.hpp>
#include <kinglet/core/status.hpp>
#include <kinglet/io/model_file.hpp>
#include <kinglet/models/bind.hpp>

namespace kinglet::hitut {

inline constexpr int kMaxLayers = 48;
/// x1, y1, x2, y2 (fractions of the image), width, height, score.
inline constexpr int kFeatures = 7;
inline constexpr int kPastSlots = 10;  ///< detections kept of a past step
inline constexpr int kRotations = 4;
inline constexpr int kHorizons = 12;

enum class Task : std::uint8_t { high, low_mani, low_navi };

struct Config {
  int layers, stored_layers;  ///< ALBERT stores one layer and runs it `layers` times
  int heads, hidden, embedding, inner;
  int seq, vision, language, history;  ///< S = 1 + V + L + A positions
  int vocab, actions;                  ///< ids of words and of actions
  int high_count, low_count, object_count;
  float norm_eps, posture_eps, image_size;
  Activation activation;
  /// Scratch encoder: every kind of token passes a Linear and a norm of its own.
  bool projected_inputs;
  /// ALBERT: a Linear from the width of the embeddings to that of the layers.
  bool mapped_embeddings;
  bool posture, past_vision, monitors;
  /// pred_head_pos: navigation heads read [CLS], else the type and argument positions.
  bool navigation_reads_cls;
};

struct Weights {
  Words words;
  Table actions, positions;
  Norm input_norm;
  Linear embedding_to_hidden;  ///< ALBERT only
  Linear vision_in, word_in, action_in, past_in;
  Norm vision_norm, word_norm, action_norm, past_norm;
  Table rotation, horizon;
  Norm posture_norm;
  EncoderLayer layers[kMaxLayers];
  Linear high_proj, low_proj, arg_proj;  ///< h → e, absent where h = e in the checkpoint
  Linear high_candidates, low_candidates, object_candidates;  ///< E(candidate) as rows
  Linear monitors;                                            ///< rows: visible, reached, progress
};

constexpr int type_count(const Config& c, Task task) noexcept {
  return task == Task::high ? c.high_count : c.low_count;
}
constexpr bool has_mask(Task task) noexcept { return task != Task::high; }
constexpr bool has_monitors(const Config& c, Task task) noexcept {
  return task == Task::low_navi && c.monitors;
}
constexpr int past_steps(const Config& c) noexcept { return c.history / 2 - 1; }

inline Result<Config> read_config(const ModelFile& file) noexcept {
  ConfigReader read(file);
  Config c{};
  read.architecture("hitut");
  constexpr int kMost = 65536;
  c.layers = read.integer("hitut.block_count", 1, kMaxLayers);
  c.stored_layers = read.integer("hitut.stored_block_count", 1, c.layers);
  c.hidden = read.integer("hitut.embedding_length", 1, kMost);
  c.embedding = read.integer("hitut.word_embedding_length", 1, kMost);
  c.inner = read.integer("hitut.feed_forward_length", 1, kMost);
  c.heads = read.integer("hitut.attention.head_count", 1, c.hidden);
  c.seq = read.integer("hitut.context_length", 4, kMost);
  c.vision = read.integer("hitut.vision_length", 1, c.seq);
  c.language = read.integer("hitut.language_length", 1, c.seq);
  c.history = read.integer("hitut.history_length", 2, c.seq);
  c.vocab = read.integer("hitut.vocab_size", 1, 1 << 24);
  c.actions = read.integer("hitut.action_vocab_size", 1, kMost);
  c.norm_eps = read.positive("hitut.attention.layer_norm_epsilon");
  c.image_size = read.positive("hitut.image_size");
  c.posture = read.boolean("hitut.posture");
  c.posture_eps = c.posture ? read.positive("hitut.posture_layer_norm_epsilon") : 1;
  c.past_vision = read.boolean("hitut.history_vision");
  c.monitors = read.boolean("hitut.navigation_monitors");
  const std::string_view encoder = read.string("hitut.encoder");
  c.projected_inputs = encoder == "scratch";
  c.mapped_embeddings = encoder == "albert";

  c.activation = read.activation("hitut.activation");
  const std::string_view head_position = read.string("hitut.pred_head_pos");
  const auto count = [&](std::string_view key) {
    const auto ids = file.array(key);
    if (!read.take(ids.status())) return 1;
    if (ids->count() < 1 || ids->count() > kMost) {
      read.take(Status(Code::mismatch, "the list has no usable length", Status::kNowhere, key));
      return 1;
    }
    return static_cast<int>(ids->count());
  };
  c.high_count = count("hitut.high_actions");
  c.low_count = count("hitut.low_actions");
  c.object_count = count("hitut.objects");
  if (!read.status().ok()) return read.status();

  if (head_position != "cls" && head_position != "sep") {
    return Status(Code::unsupported, "must be 'cls' or 'sep'", Status::kNowhere,
                  "hitut.pred_head_pos");
  }
  c.navigation_reads_cls = head_position == "cls";
  if (c.seq != 1 + c.vision + c.language + c.history || c.history % 2 != 0) {
    return Status(Code::mismatch, "the parts of the sequence do not add up", Status::kNowhere,
                  "hitut.context_length");
  }
  if (c.hidden % c.heads != 0) {
    return Status(Code::mismatch, "the heads do not divide the width", Status::kNowhere,
                  "hitut.attention.head_count");
  }
  if (c.stored_layers != 1 && c.stored_layers != c.layers) {
    return Status(Code::unsupported, "layers are stored once or each", Status::kNowhere,
                  "hitut.stored_block_count");
  }
  if (!c.projected_inputs && !c.mapped_embeddings && c.embedding != c.hidden) {
    return Status(Code::mismatch, "this encoder's embeddings are as wide as its layers",
                  Status::kNowhere, "hitut.word_embedding_length");
  }
  if (c.posture && !c.projected_inputs && c.embedding != c.hidden) {
    return Status(Code::unsupported, "posture needs tokens as wide as the layers", Status::kNowhere,
                  "hitut.posture");
  }
  return c;
}

/// Views into the file; every shape is checked, nothing is copied.
inline Status bind(const ModelFile& file, const Config& c, Weights& w) noexcept {
  Binder b(file);
  const int e = c.embedding, h = c.hidden;
  const int token = c.projected_inputs ? h : e;
  w = {};
  w.words = b.words("token_embd", c.vocab, e);
  w.actions = b.table("action_embd", c.actions, e);
  w.positions = b.table("position_embd", c.seq, token);
  w.input_norm = b.norm("token_embd_norm", token, c.norm_eps);
  if (c.mapped_embeddings) w.embedding_to_hidden = b.linear("embd_to_hidden", h, e);

  if (c.projected_inputs) {
    w.vision_in = b.linear("vision_in", h, e + kFeatures);
    w.vision_norm = b.norm("vision_in_norm", h, c.norm_eps);
    w.word_in = b.linear("word_in", h, e);
    w.word_norm = b.norm("word_in_norm", h, c.norm_eps);
    w.action_in = b.linear("action_in", h, e);
    w.action_norm = b.norm("action_in_norm", h, c.norm_eps);
    if (c.past_vision) {
      w.past_in = b.linear("history_in", h, e + kFeatures);
      w.past_norm = b.norm("history_in_norm", h, c.norm_eps);
    }
  } else {
    w.vision_in = b.linear("vision_in", e, kFeatures);
  }
  if (c.posture) {
    w.rotation = b.table("rotation_embd", kRotations, h);
    w.horizon = b.table("horizon_embd", kHorizons, h);
    w.posture_norm = b.norm("posture_norm", h, c.posture_eps);
  }

  // The scratch encoder has no biases here, unless quantize moved constants into them.
  const auto bias = c.projected_inputs ? Binder::Bias::optional : Binder::Bias::required;
  for (int l = 0; l < c.stored_layers; ++l) {
    w.layers[l] = b.encoder_layer(l, h, c.inner, c.norm_eps, bias);
  }
  for (int l = c.stored_layers; l < c.layers; ++l) w.layers[l] = w.layers[0];
  // The last layer's probabilities are an output.
  if (b.status().ok()) {
    const Status status =
        bind_s8_attention(file, "hitut.attention.s8_layers", c.layers - 1, w.layers);
    if (!status.ok()) return status;
  }

  if (h != e) {
    w.high_proj = b.linear("high_proj", e, h);
    w.low_proj = b.linear("low_proj", e, h);
    w.arg_proj = b.linear("arg_proj", e, h);
  }
  w.high_candidates = b.linear("high_actions", c.high_count, e, Binder::Bias::none);
  w.low_candidates = b.linear("low_actions", c.low_count, e, Binder::Bias::none);
  w.object_candidates = b.linear("objects", c.object_count, e, Binder::Bias::none);
  if (c.monitors) w.monitors = b.linear("monitors", 3, h);
  return b.status();
}

}  // namespace kinglet::hitut
