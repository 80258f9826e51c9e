#pragma once
// The HiTUT fixtures as model files, converted once a test run, and inputs made up for them.

#include <cstdint>
#include <string>
#include <vector>

#include "hitut_session.hpp"

namespace kinglet::test {

inline constexpr const char* kEncoders[] = {"roberta", "bert", "albert", "scratch"};

/// A file name in a folder of this process that is removed at its end.
std::string temporary_file(const std::string& name);

/// Path of the model file converted from tests/data/alfred/hitut_<encoder>.
std::string hitut_model(const std::string& encoder);

/// Path of the model file converted from models/hitut6_small, with its word pieces.
std::string trained_model();

/// FNV-1a over the bits of x, begun with h.
std::uint64_t hash(const std::vector<float>& x, std::uint64_t h);

/// Made-up prepared tensors: integers from a fixed generator, features exact in binary.
struct MadeUpInput {
  MadeUpInput(const hitut::Config& c, hitut::Task task, int batch, std::uint32_t seed,
              bool all_live = false);
  MadeUpInput(const MadeUpInput&) = delete;
  MadeUpInput& operator=(const MadeUpInput&) = delete;

  /// The same sequence number `b` alone.
  hitut::Input alone(const hitut::Config& c, int b) const;

  std::vector<std::int32_t> words, vision, history, type_position, arg_position, rotation, horizon,
      past;
  std::vector<float> features, past_features;
  std::vector<std::uint8_t> mask;
  hitut::Input in;
};

/// Memory for the heads of one forward.
struct Heads {
  Heads(const hitut::Config& c, hitut::Task task, int batch);

  hitut::Output out() { return {type.data(), arg.data(), mask.data(), monitors.data()}; }
  /// All logits of sequence b, one after the other.
  std::vector<float> row(int b) const;

  int batch;
  std::vector<float> type, arg, mask, monitors;
};

}  // namespace kinglet::test
