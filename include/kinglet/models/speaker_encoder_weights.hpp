#pragma once
// The speaker encoder of Resemblyzer (Wan et al. 2018, "Generalized end-to-end loss for speaker
// verification"): its numbers and its weights.
//
//   mel bands [frames][input] ─► LSTM ─► … ─► LSTM ─► last h ─► Linear, ReLU ─► unit length

#include <kinglet/backend/ops.hpp>
#include <kinglet/core/status.hpp>
#include <kinglet/io/model_file.hpp>
#include <kinglet/models/bind.hpp>

namespace kinglet::speaker {

inline constexpr int kMostLayers = 16;

struct Config {
  int input, hidden, layers, embedding;
};

struct Weights {
  Lstm layers[kMostLayers];
  Linear embedding;
};

inline Result<Config> read_config(const ModelFile& file) noexcept {
  ConfigReader read(file);
  Config c{};
  read.architecture("speaker-encoder");
  constexpr int kMost = 65536;
  c.input = read.integer("speaker-encoder.input_length", 1, kMost);
  c.hidden = read.integer("speaker-encoder.hidden_length", 1, kMost);
  c.layers = read.integer("speaker-encoder.block_count", 1, kMostLayers);
  c.embedding = read.integer("speaker-encoder.embedding_length", 1, kMost);
  if (!read.status().ok()) return read.status();
  return c;
}

/// Views into the file; every shape is checked, nothing is copied.
inline Status bind(const ModelFile& file, const Config& c, Weights& w) noexcept {
  Binder b(file);
  w = {};
  for (int l = 0; l < c.layers; ++l) {
    w.layers[l] =
        b.lstm(Name("lstm.").append(l).append("_").view(), c.hidden, l == 0 ? c.input : c.hidden);
  }
  w.embedding = b.linear("embedding", c.embedding, c.hidden);
  return b.status();
}

}  // namespace kinglet::speaker
