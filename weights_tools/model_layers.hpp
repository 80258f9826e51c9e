#pragma once
// The layers of a model, as its file counts them.

#include <cstdint>
#include <string>
#include <vector>

#include "model_edit.hpp"

namespace kinglet::tools {

struct ModelLayers {
  std::uint32_t stored = 0;          ///< "blk.0" and so on
  std::vector<std::uint32_t> order;  ///< the stored layer that runs as each layer

  /// Each runs once, one after the other.
  bool in_order() const noexcept;
};

/// None where the file counts none. Throws FileError when its numbers cannot be.
ModelLayers layers_of(const ModelEdit& model);

/// "blk.<l>"
std::string layer_name(std::uint32_t l);

}  // namespace kinglet::tools
