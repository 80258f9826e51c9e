#include "model_layers.hpp"

#include "file_error.hpp"

namespace kinglet::tools {
namespace {

constexpr std::uint64_t kMostLayers = 4096;

}  // namespace

bool ModelLayers::in_order() const noexcept {
  if (stored != order.size()) return false;
  for (std::uint32_t i = 0; i < stored; ++i)
    if (order[i] != i) return false;
  return true;
}

ModelLayers layers_of(const ModelEdit& model) {
  const std::string count_key = model.architecture() + ".block_count",
                    stored_key = model.architecture() + ".stored_block_count",
                    order_key = model.architecture() + ".block_order";
  const auto fail = [&](const std::string& key, const char* what) {
    throw FileError(model.path(), in_quotes(key), what);
  };
  ModelLayers layers;
  if (model.find_value(count_key) == nullptr) return layers;
  const std::uint64_t count = model.number(count_key);
  const std::uint64_t stored = model.find_value(stored_key) ? model.number(stored_key) : count;
  if (count < 1 || count > kMostLayers) fail(count_key, "is no usable number of layers");
  if (stored < 1 || stored > count) fail(stored_key, "is no usable number of layers");
  layers.stored = static_cast<std::uint32_t>(stored);
  if (model.find_value(order_key) != nullptr) {
    layers.order = model.numbers(order_key);
  } else {
    if (stored != 1 && stored != count) fail(stored_key, "does not say which layers run");
    for (std::uint32_t i = 0; i < count; ++i) layers.order.push_back(stored == 1 ? 0 : i);
  }
  if (layers.order.size() != count) fail(order_key, "has not one entry for each layer");
  for (const std::uint32_t layer : layers.order)
    if (layer >= stored) fail(order_key, "runs a layer that is not stored");
  return layers;
}

std::string layer_name(std::uint32_t l) { return "blk." + std::to_string(l); }

}  // namespace kinglet::tools
