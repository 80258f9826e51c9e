#pragma once
// BERT and its relatives (Devlin et al. 2019): RoBERTa, DistilBERT, DistilRoBERTa and ALBERT are
// configs of one model. This file: its numbers and its weights.
//
//   what differs            BERT       RoBERTa         DistilBERT    ALBERT
//   position of a token     its place  see below       its place     its place
//   token types             2          folded          none          2
//   width of the tokens     hidden     hidden          hidden        embedding, then a Linear
//   layers                  each       each            each          groups, run several times
//   classes come from       pooled     tanh(Linear)    relu(Linear)  pooled
//
// RoBERTa counts the tokens that are not padding, from padding id + 1; a padding token, wherever it
// stands, has position "padding id".

#include <cstdint>
#include <kinglet/backend/ops.hpp>
#include <kinglet/blocks/encoder_layer.hpp>
#include <kinglet/core/status.hpp>
#include <kinglet/io/model_file.hpp>
#include <kinglet/models/bind.hpp>

namespace kinglet::bert {

inline constexpr int kMaxLayers = 64;

/// What a run is asked for; or'ed.
enum Wanted : unsigned {
  kLastHidden = 1,     ///< the state after the last layer
  kPooled = 2,         ///< tanh(Linear) of token 0
  kClasses = 4,        ///< of the sequence
  kMaskedLm = 8,       ///< words at positions
  kNextSentence = 16,  ///< does the second sentence follow the first?
  kSentenceOrder = 32,
  kAnswer = 64,      ///< start and end of an answer in the text
  kEmbedding = 128,  ///< mean of the live states, scaled to unit length
};

struct Config {
  int layers, stored_layers;
  std::uint8_t stored_of[kMaxLayers];  ///< the stored layer that runs as layer i
  int heads, hidden, embedding, inner;
  int vocab, position_rows, types;  ///< ids that each may have; types 0: added to the positions
  int lm_words;                     ///< that are predicted: the vocabulary, or what is kept of it
  int padding_id;
  int labels;  ///< classes of a sequence, 0 where there are none
  float norm_eps;
  Activation activation, lm_activation, class_activation;
  bool positions_from_ids;
  bool mapped_embeddings;  ///< ALBERT: a Linear from the width of the tokens to that of the layers
  bool pooler, masked_lm;
  bool tied_lm;             ///< the decoder is the word table, stored once
  bool classes_from_token;  ///< classes come from a Linear of their own on token 0, not from pooled
  bool next_sentence, sentence_order, answer;
};

struct Weights {
  Words words;
  Table positions, types;
  Norm input_norm;
  Linear embedding_to_hidden;       ///< ALBERT only
  EncoderLayer layers[kMaxLayers];  ///< the stored ones
  Linear pooler, class_in, classes, next_sentence, sentence_order, answer;
  Linear lm_in, lm_decoder;
  Norm lm_norm;
};

/// Everything that a model can be asked for.
constexpr unsigned heads_of(const Config& c) noexcept {
  return kLastHidden | kEmbedding | (c.pooler ? kPooled : 0u) | (c.labels > 0 ? kClasses : 0u) |
         (c.masked_lm ? kMaskedLm : 0u) | (c.next_sentence ? kNextSentence : 0u) |
         (c.sentence_order ? kSentenceOrder : 0u) | (c.answer ? kAnswer : 0u);
}

/// Positions that a sequence without padding can have.
constexpr int longest_sequence(const Config& c) noexcept {
  return c.positions_from_ids ? c.position_rows - c.padding_id - 1 : c.position_rows;
}

/// architecture: the prefix of the keys, for models that are built on this one.
inline Result<Config> read_config(const ModelFile& file,
                                  std::string_view architecture = "bert") noexcept {
  ConfigReader read(file);
  Config c{};
  const auto key = [=](std::string_view rest) { return Name(architecture).append(rest); };
  const auto fault = [&](Code code, const char* what, std::string_view rest) {
    return Status(code, what, Status::kNowhere, key(rest).view());
  };
  read.architecture(architecture);
  constexpr int kMost = 65536;
  c.layers = read.integer(key(".block_count").view(), 1, kMaxLayers);
  c.stored_layers = read.integer(key(".stored_block_count").view(), 1, c.layers);
  c.hidden = read.integer(key(".embedding_length").view(), 1, kMost);
  c.embedding = read.integer(key(".word_embedding_length").view(), 1, kMost);
  c.inner = read.integer(key(".feed_forward_length").view(), 1, kMost);
  c.heads = read.integer(key(".attention.head_count").view(), 1, c.hidden);
  c.position_rows = read.integer(key(".position_count").view(), 1, kMost);
  c.vocab = read.integer(key(".vocab_size").view(), 1, 1 << 24);
  c.types = read.integer(key(".token_type_count").view(), 0, kMost);
  c.padding_id = read.integer("tokenizer.ggml.padding_token_id", 0, c.vocab - 1);
  c.labels = read.integer(key(".label_count").view(), 0, kMost);
  c.norm_eps = read.positive(key(".attention.layer_norm_epsilon").view());
  c.activation = read.activation(key(".activation").view());
  c.positions_from_ids = read.boolean(key(".positions_from_ids").view());
  if (!read.status().ok()) return read.status();

  c.mapped_embeddings = file.tensor("embd_to_hidden.weight").ok();
  c.pooler = file.tensor("pooler.weight").ok();
  c.masked_lm = file.tensor("masked_lm_in.weight").ok();
  c.tied_lm = c.masked_lm && !file.tensor("masked_lm.weight").ok();
  c.next_sentence = file.tensor("next_sentence.weight").ok();
  c.sentence_order = file.tensor("sentence_order.weight").ok();
  c.answer = file.tensor("answer.weight").ok();
  c.classes_from_token = file.tensor("classes_in.weight").ok();
  c.lm_words = c.vocab;
  if (file.has("kinglet.vocab.kept")) {
    const Result<GgufArray> kept = file.array("kinglet.vocab.kept");
    if (!kept.ok() || kept->count() < 1 || kept->count() > static_cast<std::uint64_t>(c.vocab)) {
      return Status(Code::mismatch, "is not a part of the vocabulary", Status::kNowhere,
                    "kinglet.vocab.kept");
    }
    c.lm_words = static_cast<int>(kept->count());
  }
  if (c.masked_lm) c.lm_activation = read.activation(key(".masked_lm.activation").view());
  if (c.classes_from_token) c.class_activation = read.activation(key(".classes.activation").view());
  if (!read.status().ok()) return read.status();

  if (c.hidden % c.heads != 0) {
    return fault(Code::mismatch, "the heads do not divide the width", ".attention.head_count");
  }
  if (!c.mapped_embeddings && c.embedding != c.hidden) {
    return fault(Code::mismatch, "these embeddings are as wide as the layers",
                 ".word_embedding_length");
  }
  if (longest_sequence(c) < 1) {
    return fault(Code::mismatch, "there is no position behind the padding's", ".position_count");
  }
  const bool reads_pooled =
      c.next_sentence || c.sentence_order || (c.labels > 0 && !c.classes_from_token);
  if (reads_pooled && !c.pooler) {
    return Status(Code::missing, "a head reads the pooled state", Status::kNowhere,
                  "pooler.weight");
  }

  const Name order = key(".block_order");
  if (!file.has(order.view())) {
    if (c.stored_layers != 1 && c.stored_layers != c.layers) {
      return fault(Code::missing, "which layers run is not said", ".block_order");
    }
    for (int l = 0; l < c.layers; ++l)
      c.stored_of[l] = static_cast<std::uint8_t>(c.stored_layers == 1 ? 0 : l);
    return c;
  }
  const Result<GgufArray> listed = file.array(order.view());
  if (!listed.ok()) return listed.status();
  if (listed->count() != static_cast<std::uint64_t>(c.layers)) {
    return fault(Code::mismatch, "needs one entry a layer", ".block_order");
  }
  for (int l = 0; l < c.layers; ++l) {
    const Result<std::uint64_t> stored = listed->number(static_cast<std::uint64_t>(l));
    if (!stored.ok() || *stored >= static_cast<std::uint64_t>(c.stored_layers)) {
      return fault(Code::mismatch, "names a layer that is not stored", ".block_order");
    }
    c.stored_of[l] = static_cast<std::uint8_t>(*stored);
  }
  return c;
}

/// Views into the file; every shape is checked, nothing is copied.
inline Status bind(const ModelFile& file, const Config& c, Weights& w,
                   std::string_view architecture = "bert") noexcept {
  Binder b(file);
  const int e = c.embedding, h = c.hidden;
  w = {};
  if (c.tied_lm) {
    w.lm_decoder = b.linear("token_embd", c.lm_words, e);
    w.words.rows = table_of_panels(w.lm_decoder);
    w.words.row_of = b.row_of(c.vocab, c.lm_words);
  } else {
    w.words = b.words("token_embd", c.vocab, e);
  }
  // Ids without a map are rows, so all of them are stored.
  const bool all_kept = w.words.row_of != nullptr || c.lm_words == c.vocab;
  if (c.masked_lm && b.status().ok() && (w.words.rows.rows != c.lm_words || !all_kept)) {
    return Status(Code::mismatch, "has not an id for each word that is stored", Status::kNowhere,
                  "kinglet.vocab.kept");
  }
  w.positions = b.table("position_embd", c.position_rows, e);
  if (c.types > 0) w.types = b.table("token_types", c.types, e);
  w.input_norm = b.norm("token_embd_norm", e, c.norm_eps);
  if (c.mapped_embeddings) w.embedding_to_hidden = b.linear("embd_to_hidden", h, e);

  for (int l = 0; l < c.stored_layers; ++l) {
    w.layers[l] = b.encoder_layer(l, h, c.inner, c.norm_eps, Binder::Bias::required);
  }
  if (!b.status().ok()) return b.status();
  const Status status = bind_s8_attention(
      file, Name(architecture).append(".attention.s8_layers").view(), c.stored_layers, w.layers);
  if (!status.ok()) return status;

  if (c.pooler) w.pooler = b.linear("pooler", h, h);
  if (c.classes_from_token) w.class_in = b.linear("classes_in", h, h);
  if (c.labels > 0) w.classes = b.linear("classes", c.labels, h);
  if (c.masked_lm) {
    w.lm_in = b.linear("masked_lm_in", e, h);
    w.lm_norm = b.norm("masked_lm_norm", e, c.norm_eps);
    if (!c.tied_lm) w.lm_decoder = b.linear("masked_lm", c.lm_words, e);
  }
  if (c.next_sentence) w.next_sentence = b.linear("next_sentence", 2, h);
  if (c.sentence_order) w.sentence_order = b.linear("sentence_order", 2, h);
  if (c.answer) w.answer = b.linear("answer", 2, h);
  return b.status();
}

}  // namespace kinglet::bert
