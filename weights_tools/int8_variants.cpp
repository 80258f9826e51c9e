#include "int8_variants.hpp"

#include <stdexcept>

#include "file_error.hpp"

namespace kinglet::tools {
namespace {

constexpr const char* kBeside[] = {kScaleSuffix, kSumsSuffix, kNegativesSuffix};

std::uint64_t bytes_of(const ModelEdit& model, const std::string& name) {
  std::uint64_t bytes = model.tensor(name).bytes.size();
  for (const char* suffix : kBeside) {
    if (const ModelEdit::Tensor* beside = model.find_tensor(name + suffix))
      bytes += beside->bytes.size();
  }
  return bytes;
}

std::string attention_key(const ModelEdit& model) {
  return model.architecture() + ".attention.s8_layers";
}

}  // namespace

Int8Variants::Int8Variants(const ModelEdit& model) : f32_(model), s8_(model) {
  for (const ModelEdit::Tensor& tensor : f32_.tensors()) {
    if (!tensor.is_f32() || !(tensor.is_matrix() || tensor.is_table())) continue;
    QuantizableWeight weight;
    weight.name = tensor.name;
    weight.is_table = tensor.is_table();
    const DenseMatrix dense = weight.is_table ? f32_.table(tensor.name) : f32_.matrix(tensor.name);
    weight.rows = dense.rows();
    weight.depth = static_cast<std::uint64_t>(dense.k);
    try {
      const RowsS8 rows = quantize_rows(dense);
      weight.is_table ? s8_.put_table_s8(tensor.name, rows) : s8_.put_matrix_s8(tensor.name, rows);
    } catch (const std::domain_error& error) {
      throw FileError(model.path(), quoted(tensor.name), error.what());
    }
    weight.f32_bytes = tensor.bytes.size();
    weight.s8_bytes = bytes_of(s8_, tensor.name);
    weights_.push_back(weight);
  }
  const std::string blocks = model.architecture() + ".block_count";
  if (model.find_value(blocks) == nullptr || model.find_tensor("blk.0.attn_qkv.weight") == nullptr)
    return;
  for (std::uint32_t l = 0; l + 1 < model.number(blocks); ++l) layers_.push_back(l);
}

ModelEdit Int8Variants::model(const Precisions& wanted) const {
  ModelEdit model = s8_;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (!wanted.f32[i]) continue;
    const std::string& name = weights_[i].name;
    model.put_tensor(f32_.tensor(name));
    for (const char* suffix : kBeside) model.remove_tensor(name + suffix);
  }
  if (!wanted.s8_attention.empty()) model.set_u32s(attention_key(model), wanted.s8_attention);
  return model;
}

}  // namespace kinglet::tools
