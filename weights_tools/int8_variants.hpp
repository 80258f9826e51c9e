#pragma once
// Int8Variants: one model with any of its weights in int8, the rest in fp32.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "channel_watch.hpp"
#include "model_edit.hpp"

namespace kinglet::tools {

/// A matrix or a table that can be int8.
struct QuantizableWeight {
  std::string name;  ///< of its tensor
  bool is_table = false;
  std::uint64_t rows = 0, depth = 0;
  std::uint64_t f32_bytes = 0, s8_bytes = 0;  ///< with scales and sums
};

/// Which of the weights stay in fp32, by number, and which layers' attention is int8.
struct Precisions {
  std::vector<bool> f32;
  std::vector<std::uint32_t> s8_attention;
};

/// Rows of word embeddings: in a masked LM a matrix too, but neither its columns nor its rounding may be changed for that.
bool is_gathered(const std::string& tensor);

/// By the tensor of a matrix: factors of the columns that it reads, see smooth.hpp.
using ColumnFactors = std::map<std::string, std::vector<float>>;

class Int8Variants {
 public:
  /// Quantises every weight at once; matrices whose inputs were seen are rounded for these (rounding.hpp). What is int8 in the
  /// model stays so. Throws FileError.
  explicit Int8Variants(const ModelEdit& model, const ColumnFactors& smooth = {},
                        const ChannelWatch* seen = nullptr);

  const ModelEdit& f32() const noexcept { return f32_; }

  const std::vector<QuantizableWeight>& weights() const noexcept { return weights_; }
  /// Layers whose attention may be int8.
  const std::vector<std::uint32_t>& attention_layers() const noexcept { return layers_; }

  Precisions all_f32() const { return {std::vector<bool>(weights_.size(), true), {}}; }
  Precisions all_int8() const { return {std::vector<bool>(weights_.size(), false), {}}; }

  ModelEdit model(const Precisions& wanted) const;

 private:
  ModelEdit f32_, s8_;
  std::vector<QuantizableWeight> weights_;
  std::vector<std::uint32_t> layers_;
};

}  // namespace kinglet::tools
