#pragma once
// The Seq2Seq agent of ALFRED (Shridhar et al. 2020): its numbers and its weights.
//
//   words ─► token_embd ─► forward and backward LSTM ─► enc [words][D]          D = 2·hidden
//   frame 512×7×7 ─► conv1 512→256, ReLU, conv2 256→64, ReLU, fc ─► vis [F]     F = frame
//   [vis, attended enc, embedding of the last action] ─► LSTM cell ─► h [D]     m = embedding
//   cont = [h, vis, attended enc, embedding of the last action] ─► actions, monitors, mask
//
// A file may lack the visual encoder, the mask decoder or the monitors, each as a whole.

#include <kinglet/backend/ops.hpp>
#include <kinglet/blocks/words.hpp>
#include <kinglet/core/status.hpp>
#include <kinglet/io/model_file.hpp>
#include <kinglet/models/bind.hpp>
#include <string_view>

namespace kinglet::seq2seq {

/// What a frame is: a map of ResNet-18; the visual encoder narrows it in two steps.
inline constexpr int kGrid = 7;  ///< rows, and columns
inline constexpr int kCells = kGrid * kGrid;
inline constexpr int kChannels = 512;
inline constexpr int kNarrow = 256;
inline constexpr int kNarrowest = 64;
inline constexpr int kFlat = kNarrowest * kCells;

/// A mask grows 7 ×4 ×4 ×2, then bilinear to mask_size.
inline constexpr int kMaskGrid = kGrid * 32;

struct Config {
  int words, embedding, hidden, frame, actions;  ///< hidden: of one direction
  int mask_size;                                 ///< rows, and columns, of a mask; 0 without masks
  bool monitors, vision, masks;                  ///< which parts the file has

  constexpr int width() const noexcept { return 2 * hidden; }
  constexpr int cell_in() const noexcept { return frame + width() + embedding; }
  constexpr int cont() const noexcept { return width() + cell_in(); }
};

struct Weights {
  Words words;
  Lstm forward, backward;       ///< of the instruction, embedding → hidden
  const float* pool;            ///< [width]: scores of the words; its bias falls out of the softmax
  Linear conv1, conv2;          ///< 1×1, batch norms folded
  Linear fc;                    ///< flattened pixel by pixel: [7][7][64] → frame
  Linear query;                 ///< h → what the words are compared with
  Lstm cell;                    ///< [vis, lang, e] → width
  const float* go;              ///< [embedding]: in place of the first last action
  Linear actor, actions;        ///< actions: also the embeddings, gathered
  Linear monitors;              ///< subgoal, progress
  Linear mask_fc;               ///< cont → [7][7][64]
  ConvTranspose up3, up2, up1;  ///< 64 → 32 → 16 → 1; the first two ×4, the last ×2
};

constexpr std::string_view kWordsKey = "tokenizer.ggml.tokens";
constexpr std::string_view kActionsKey = "alfred-seq2seq.action_names";

/// The id of a word or an action by its text, −1 where the list has no such text or the file no
/// such list.
inline int id_of(const ModelFile& file, std::string_view key, std::string_view text) noexcept {
  const Result<GgufArray> list = file.array(key);
  if (!list.ok()) return -1;
  int id = 0;
  for (const std::string_view item : list->strings()) {
    if (item == text) return id;
    ++id;
  }
  return -1;
}

inline Result<Config> read_config(const ModelFile& file) noexcept {
  ConfigReader read(file);
  Config c{};
  read.architecture("alfred-seq2seq");
  constexpr int kMost = 65536;  // of what a matrix reads
  constexpr int kMostPixels = 4096;
  c.words = read.integer("alfred-seq2seq.vocab_size", 1, 1 << 24);
  c.embedding = read.integer("alfred-seq2seq.embedding_length", 1, kMost);
  c.hidden = read.integer("alfred-seq2seq.hidden_length", 1, kMost / 4);
  c.frame = read.integer("alfred-seq2seq.frame_length", 1, kMost);
  c.actions = read.integer("alfred-seq2seq.action_count", 1, kMost);
  c.monitors = read.boolean("alfred-seq2seq.monitors");
  c.vision = read.boolean("alfred-seq2seq.vision");
  c.masks = read.boolean("alfred-seq2seq.masks");
  if (c.masks) c.mask_size = read.integer("alfred-seq2seq.mask_size", 1, kMostPixels);
  if (!read.status().ok()) return read.status();
  if (c.cont() > kMost) {
    return Status(Code::unsupported, "the decoder is wider than is supported", Status::kNowhere,
                  "alfred-seq2seq.frame_length");
  }
  const auto fits = [&](std::string_view key, int count) {
    const Result<GgufArray> list = file.array(key);
    return !file.has(key) || (list.ok() && list->type() == GgufType::string &&
                              list->count() == static_cast<std::uint64_t>(count));
  };
  const bool words = fits(kWordsKey, c.words);
  if (words && fits(kActionsKey, c.actions)) return c;
  return Status(Code::mismatch, "has not a text for each id", Status::kNowhere,
                words ? kActionsKey : kWordsKey);
}

/// Views into the file; every shape is checked, nothing is copied.
inline Status bind(const ModelFile& file, const Config& c, Weights& w) noexcept {
  constexpr auto kNone = Binder::Bias::none;
  Binder b(file);
  const int d = c.width(), m = c.embedding;
  w = {};
  w.words = b.words("token_embd", c.words, m);
  w.forward = b.lstm("lang.fwd_", c.hidden, m);
  w.backward = b.lstm("lang.bwd_", c.hidden, m);
  w.pool = b.vector("lang.pool", d);
  if (c.vision) {
    w.conv1 = b.linear("vis.conv1", kNarrow, kChannels);
    w.conv2 = b.linear("vis.conv2", kNarrowest, kNarrow);
    w.fc = b.linear("vis.fc", c.frame, kFlat);
  }
  w.query = b.linear("dec.query", d, d);
  w.cell = b.lstm("dec.", d, c.cell_in());
  w.go = b.vector("dec.go", m);
  w.actor = b.linear("dec.actor", m, c.cont());
  w.actions = b.linear("action_embd", c.actions, m, kNone);
  if (c.monitors) w.monitors = b.linear("dec.monitors", 2, c.cont());
  if (c.masks) {
    w.mask_fc = b.linear("mask.fc", kFlat, c.cont());
    w.up3 = b.conv_transpose("mask.up3", 32, kNarrowest, 6, 4, 1);
    w.up2 = b.conv_transpose("mask.up2", 16, 32, 6, 4, 1);
    w.up1 = b.conv_transpose("mask.up1", 1, 16, 4, 2, 1);
  }
  return b.status();
}

}  // namespace kinglet::seq2seq
