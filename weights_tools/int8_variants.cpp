#include "int8_variants.hpp"

#include <kinglet/kernels/quantize.hpp>
#include <stdexcept>

#include "file_error.hpp"
#include "model_layers.hpp"
#include "rounding.hpp"
#include "smooth.hpp"

namespace kinglet::tools {
namespace {

/// The product of a row with so few weights takes less time than making the row int8.
constexpr std::uint64_t kTooFew = 256;

std::uint64_t bytes_of(const ModelEdit& model, const std::string& name) {
  std::uint64_t bytes = model.tensor(name).bytes.size();
  for (const char* suffix : kBesideS8) {
    if (const ModelEdit::Tensor* beside = model.find_tensor(name + suffix))
      bytes += beside->bytes.size();
  }
  return bytes;
}

std::string attention_key(const ModelEdit& model) {
  return model.architecture() + ".attention.s8_layers";
}

/// HiTUT runs stored layers by number and gives away the probabilities of the last; others name the stored
/// ones, any of which may be int8.
std::vector<std::uint32_t> attention_layers_of(const ModelEdit& model) {
  std::vector<std::uint32_t> layers;
  if (model.find_tensor("blk.0.attn_qkv.weight") == nullptr) return layers;
  const ModelLayers all = layers_of(model);
  const std::size_t count = model.architecture() != "hitut" ? all.stored
                            : all.order.empty()             ? 0
                                                            : all.order.size() - 1;
  for (std::uint32_t l = 0; l < count; ++l) layers.push_back(l);
  return layers;
}

/// A convolution reads runs of its input's channels, which must not end within a group of int8.
bool can_be_int8(const ModelEdit& model, const std::string& tensor) {
  if (model.architecture() != "resnet" || tensor == "classes.weight") return true;
  return tensor != "conv1.weight" && model.number("resnet.base_planes") % kernels::kDepth == 0;
}

}  // namespace

bool is_gathered(const std::string& tensor) {
  return tensor == "token_embd.weight" || tensor == "action_embd.weight";
}

Int8Variants::Int8Variants(const ModelEdit& model, const ColumnFactors& smooth,
                           const ChannelWatch* seen)
    : f32_(model), s8_(model), layers_(attention_layers_of(model)) {
  for (const ModelEdit::Tensor& tensor : f32_.tensors()) {
    if (!tensor.is_f32() || !(tensor.is_matrix() || tensor.is_table())) continue;
    const std::string& name = tensor.name;
    if (!can_be_int8(model, name)) continue;
    QuantizableWeight weight;
    weight.name = name;
    weight.is_table = tensor.is_table();
    DenseMatrix dense = weight.is_table ? f32_.table(name) : f32_.matrix(name);
    weight.rows = dense.rows();
    weight.depth = static_cast<std::uint64_t>(dense.k);
    if (!weight.is_table && weight.rows * weight.depth <= kTooFew) continue;
    try {
      if (weight.is_table) {
        s8_.put_table_s8(name, quantize_rows(dense));
      } else {
        const auto factors = smooth.find(name);
        const std::vector<float> f =
            factors != smooth.end() ? factors->second : std::vector<float>{};
        if (!f.empty()) divide_columns(dense, f);
        const KeptRows* rows =
            seen != nullptr && !is_gathered(name) ? seen->inputs_of(name) : nullptr;
        s8_.put_matrix_s8(
            name, rows ? quantize_rows_for(dense, triangle_of(*rows, f)) : quantize_rows(dense), f);
      }
    } catch (const std::domain_error& error) {
      throw FileError(model.path(), in_quotes(name), error.what());
    }
    weight.f32_bytes = tensor.bytes.size();
    weight.s8_bytes = bytes_of(s8_, name);
    weights_.push_back(weight);
  }
}

ModelEdit Int8Variants::model(const Precisions& wanted) const {
  ModelEdit model = s8_;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (!wanted.f32[i]) continue;
    const std::string& name = weights_[i].name;
    model.put_tensor(f32_.tensor(name));
    for (const char* suffix : kBesideS8) model.remove_tensor(name + suffix);
  }
  if (!wanted.s8_attention.empty()) model.set_u32s(attention_key(model), wanted.s8_attention);
  return model;
}

}  // namespace kinglet::tools
