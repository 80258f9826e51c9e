#include "convert_mapping.hpp"

#include <algorithm>
#include <ostream>

namespace kinglet::tools {

LayerNames bert_layer(const std::string& at) {
  const std::string self = at + "attention.self.";
  const std::string attention = at + "attention.output.";
  return {self + "query",          self + "key",
          self + "value",          attention + "dense",
          attention + "LayerNorm", at + "intermediate.dense",
          at + "output.dense",     at + "output.LayerNorm"};
}

LayerNames albert_layer(const std::string& at) {
  const std::string attention = at + "attention.";
  return {attention + "query", attention + "key",           attention + "value",
          attention + "dense", attention + "LayerNorm",     at + "ffn",
          at + "ffn_output",   at + "full_layer_layer_norm"};
}

void report_source(std::ostream& report, const CheckpointWeights& weights,
                   const std::vector<std::string>& notes, const TensorPlan& plan) {
  for (const std::string& name : weights.skipped()) report << "skipped   " << name << '\n';
  for (const auto& [type, count] : weights.converted()) {
    report << "note      " << count << " tensors of " << type << " are stored as float32\n";
  }
  for (const std::string& note : notes) report << "note      " << note << '\n';
  report << "stored    " << plan.size() << " tensors; the checkpoint has " << weights.parameters()
         << " parameters\n";
}

FillRows TensorMapping::from(const std::string& name, const Shape& shape) {
  weights_.require(name, shape);
  return [source = &weights_, name](std::int64_t first, std::int64_t count, float* out) {
    source->load(name, first, count, out);
  };
}

FillRows TensorMapping::join(const std::vector<std::string>& names, const Shape& shape) {
  for (const std::string& name : names) weights_.require(name, shape);
  const std::int64_t n = shape[0];
  const std::int64_t row = shape.size() == 2 ? shape[1] : 1;
  return [source = &weights_, names, n, row](std::int64_t first, std::int64_t count, float* out) {
    for (std::int64_t i = first; i < first + count;) {
      const std::int64_t part = std::min(first + count - i, n - i % n);
      source->load(names[static_cast<std::size_t>(i / n)], i % n, part, out);
      out += part * row;
      i += part;
    }
  };
}

FillRows TensorMapping::position_rows(const std::string& positions, int offset,
                                      const std::string& types, int width,
                                      std::function<int(std::int64_t)> type_of) {
  return [source = &weights_, positions, offset, types, width, type_of](
             std::int64_t first, std::int64_t count, float* out) {
    std::vector<float> type(static_cast<std::size_t>(width));
    source->load(positions, first + offset, count, out);
    for (std::int64_t p = first; p < first + count; ++p) {
      source->load(types, type_of(p), 1, type.data());
      for (const float x : type) *out++ += x;
    }
  };
}

void TensorMapping::norm(const std::string& name, const std::string& source, int n) {
  plan_.vector(name + ".weight", n, from(source + ".weight", {n}));
  plan_.vector(name + ".bias", n, from(source + ".bias", {n}));
}

void TensorMapping::table(const std::string& name, const std::string& source, int rows, int cols) {
  plan_.table(name + ".weight", rows, cols, from(source, {rows, cols}));
}

void TensorMapping::linear(const std::string& name, const std::vector<std::string>& sources, int n,
                           int k, bool bias) {
  const auto suffixed = [&](const char* suffix) {
    std::vector<std::string> names;
    for (const std::string& source : sources) names.push_back(source + suffix);
    return names;
  };
  const int parts = static_cast<int>(sources.size());
  plan_.matrix(name + ".weight", parts, n, k, join(suffixed(".weight"), {n, k}));
  if (bias) plan_.bias(name + ".bias", parts, n, join(suffixed(".bias"), {n}));
}

void TensorMapping::encoder_layer(int i, const LayerNames& source, int hidden, int inner,
                                  bool bias) {
  const std::string at = "blk." + std::to_string(i) + ".";
  const int h = hidden;
  linear(at + "attn_qkv", {source.q, source.k, source.v}, h, h, bias);
  linear(at + "attn_output", {source.output}, h, h, bias);
  norm(at + "attn_output_norm", source.output_norm, h);
  linear(at + "ffn_up", {source.up}, inner, h, true);
  linear(at + "ffn_down", {source.down}, h, inner, true);
  norm(at + "layer_output_norm", source.norm, h);
}

}  // namespace kinglet::tools
