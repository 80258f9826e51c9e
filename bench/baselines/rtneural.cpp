#include <RTNeural/lstm/lstm.h>

#include <memory>
#include <type_traits>

#include "libraries.hpp"

namespace kinglet::tools {
namespace {

template <int Size>
Baseline of_size(const LstmStep& step) {
  using Layer = RTNeural::LSTMLayerT<float, Size, Size>;
  using V = std::decay_t<decltype(Layer::outs[0])>;
  struct State {
    Layer layer;
    V x[Size / V::size];
  };
  const auto state = std::make_shared<State>();
  // Rows of inputs, then the four gates of all units; of what values does not matter.
  std::vector<std::vector<float>> weights(Size, std::vector<float>(4 * Size));
  std::vector<float> bias(4 * Size);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    for (std::size_t j = 0; j < bias.size(); ++j) {
      weights[i][j] = static_cast<float>((37 * i + 11 * j) % 64) / 256.0f - 0.125f;
    }
  }
  state->layer.setWVals(weights);
  state->layer.setUVals(weights);
  state->layer.setBVals(bias);
  state->layer.reset();
  for (int i = 0; i < Size / static_cast<int>(V::size); ++i) {
    state->x[i] = V::load_unaligned(step.x + i * static_cast<int>(V::size));
  }
  return {"rtneural", [=] { state->layer.forward(state->x); }};
}

}  // namespace

std::vector<Baseline> rtneural_lstm(const LstmStep& step) {
  if (step.k != step.units) return {};
  switch (step.units) {
    case 16: return {of_size<16>(step)};
    case 32: return {of_size<32>(step)};
    case 64: return {of_size<64>(step)};
    default: return {};
  }
}

}  // namespace kinglet::tools
