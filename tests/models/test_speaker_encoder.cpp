// The speaker encoder over utterances that arrive piece by piece.
#include <algorithm>
#include <kinglet/models/speaker_encoder.hpp>

#include "backend/check.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

constexpr int kBatch = 2, kFrames = 6;
constexpr speaker::Config kConfig{8, 20, 2, 6};

/// Weights of −0.5 … 0.5.
class Encoder {
 public:
  Encoder() {
    for (int l = 0; l < kConfig.layers; ++l) {
      const int gates = 4 * padded(kConfig.hidden);
      weights.layers[l] = {linear(gates, l == 0 ? kConfig.input : kConfig.hidden),
                           linear(gates, kConfig.hidden), kConfig.hidden};
      weights.layers[l].hh.bias = nullptr;
    }
    weights.embedding = linear(kConfig.embedding, kConfig.hidden);
  }
  speaker::Weights weights;

 private:
  Linear linear(int n, int k) {
    const auto filled = [&](std::size_t size) {
      std::vector<float> values(size);
      Random(memory_.size() + 1).fill(values.data(), static_cast<int>(size), 0.5f);
      return values;
    };
    Linear w;
    w.n = n;
    w.k = k;
    w.bias = memory_.emplace_back(filled(Numbers::size(1, padded(n)))).data();
    const std::vector<float> rows = filled(Numbers::size(n, k));
    std::vector<float>& panels = memory_.emplace_back(kernels::panels_size_f32(n, k));
    kernels::pack_panels_f32(n, k, rows.data(), k, panels.data());
    w.weight = panels.data();
    return w;
  }
  std::vector<std::vector<float>> memory_;
};

/// Frames `first` … of each utterance of a batch of kFrames.
Numbers frames(const Numbers& mel, int first, int count) {
  Numbers out(kBatch * count, kConfig.input);
  for (int b = 0; b < kBatch; ++b) {
    const auto from = mel.values.begin() + (b * kFrames + first) * kConfig.input;
    std::copy_n(from, count * kConfig.input, out.values.begin() + b * count * kConfig.input);
  }
  return out;
}

std::vector<float> embedded(const test::Table& table, const Encoder& encoder, const Numbers& mel,
                            const speaker::State* state = nullptr) {
  Numbers out(kBatch, kConfig.embedding);
  const speaker::Input in{kBatch, mel.rows / kBatch, mel.values.data()};
  REQUIRE(speaker::check(kConfig, in).ok());
  run(table, [&](auto& be) {
    speaker::forward(be, kConfig, encoder.weights, in, out.values.data(), state);
  });
  return out.values;
}

}  // namespace

TEST_CASE("a speaker encoder gives the same bits frame by frame as for the frames at once") {
  const Encoder encoder;
  const Numbers mel(kBatch * kFrames, kConfig.input, 9);
  Count count;
  speaker::take_state(count.arena(), kConfig, kBatch);
  Memory memory(count.scratch_bytes());
  const speaker::State state = speaker::take_state(memory.arena, kConfig, kBatch);
  CHECK_FALSE(memory.arena.overflowed());
  on_each_isa([&](const test::Table& table) {
    for (const int piece : {1, 2, 3}) {
      CAPTURE(piece);
      run(table, [&](auto& be) { speaker::reset(be, kConfig, state); });
      for (int t = 0; t < kFrames; t += piece) {
        const auto whole = embedded(table, encoder, frames(mel, 0, t + piece));
        CHECK(same_bits(embedded(table, encoder, frames(mel, t, piece), &state), whole));
        CHECK(std::any_of(whole.begin(), whole.end(), [](float x) { return x > 0; }));
      }
    }
  });
}
