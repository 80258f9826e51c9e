#include "cases.hpp"

namespace kinglet::tools {

std::string CaseId::name() const {
  std::string text = kernel + "/" + kernels->isa;
  const auto& names = size_names(shape.op);
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += std::string("/") + names[i] + ":" + std::to_string(shape.sizes[i]);
  }
  return text + "/threads:" + std::to_string(threads);
}

std::vector<std::string> kernels_of(const std::string& op) {
  if (op == "gemm") return {"gemm_f32", "gemm_s8", "linear_s8"};
  if (op == "gemm_cold") return {"gemm_f32_cold", "gemm_s8_cold"};
  if (op == "layer_norm") return {"layer_norm_f32", "layer_norm_s8"};
  if (op == "embedding") return {"embedding_f32", "embedding_s8"};
  if (op == "attention") return {"attention_f32", "attention_s8"};
  if (op == "lstm") return {"lstm_f32", "lstm_s8"};
  if (op == "softmax") return {"softmax_f32"};
  if (op == "quantize") return {"quantize_rows"};
  return {"activate_f32_" + op};
}

bool uses_threads(const std::string& op) {
  return op == "gemm" || op == "gemm_cold" || op == "attention" || op == "lstm";
}

Case make_case(const CaseId& id, const Parallel& parallel, const BaselineModule* baselines) {
  const std::string& op = id.shape.op;
  if (op == "gemm" || op == "gemm_cold") {
    const auto make = id.kernel.find("_s8") == std::string::npos ? gemm_f32_case : gemm_s8_case;
    return make(id, parallel, baselines);
  }
  if (op == "attention") return attention_case(id, parallel, baselines);
  if (op == "embedding") return embedding_case(id);
  if (op == "lstm") return lstm_case(id, parallel, baselines);
  return rows_case(id);
}

}  // namespace kinglet::tools
