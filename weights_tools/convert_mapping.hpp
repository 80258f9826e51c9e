#pragma once
// TensorMapping: what converters of transformers share: weights of the checkpoint, by name, become
// tensors of the plan.

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "convert_plan.hpp"
#include "convert_source.hpp"

namespace kinglet::tools {

/// Names of a post-norm layer's matrices and norms, without ".weight" and ".bias".
struct LayerNames {
  std::string q, k, v, output, output_norm, up, down, norm;
};

/// As the original code of BERT and RoBERTa names them, and that of ALBERT; `at` ends with a dot.
LayerNames bert_layer(const std::string& at);
LayerNames albert_layer(const std::string& at);

/// The last lines of a converter's report: what was skipped, assumed and stored.
void report_source(std::ostream& report, const CheckpointWeights& weights,
                   const std::vector<std::string>& notes, const TensorPlan& plan);

class TensorMapping {
 protected:
  explicit TensorMapping(WeightSource& weights) : weights_(weights) {}

  FillRows from(const std::string& name, const Shape& shape);

  /// Rows of several tensors of n rows each, one after the other.
  FillRows join(const std::vector<std::string>& names, const Shape& shape);

  /// Row p: positions[p + offset] + types[type_of(p)].
  FillRows position_rows(const std::string& positions, int offset, const std::string& types,
                         int width, std::function<int(std::int64_t)> type_of);

  void norm(const std::string& name, const std::string& source, int n);
  void table(const std::string& name, const std::string& source, int rows, int cols);
  /// Matrices of n x k side by side, as parts of one.
  void linear(const std::string& name, const std::vector<std::string>& sources, int n, int k,
              bool bias);
  /// blk.<i>.*; bias: of the attention's matrices.
  void encoder_layer(int i, const LayerNames& source, int hidden, int inner, bool bias);

  WeightSource& weights_;
  TensorPlan plan_;
};

}  // namespace kinglet::tools
