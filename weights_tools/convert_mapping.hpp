#pragma once
// TensorMapping: what converters share: weights of the checkpoint, by name, become tensors of the
// plan. What is folded into others or permuted is in convert_layers.cpp.

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

/// An LSTM's matrices and biases, as PyTorch names them.
struct LstmNames {
  std::string weight_ih, weight_hh, bias_ih, bias_hh;
};

/// end: "_l0", "_l0_reverse", or "" for a cell.
LstmNames lstm_names(const std::string& module, const std::string& end);

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

  /// <begin>ih and <begin>hh: the gates i, f, g, o of a block of 16 units side by side, units that the
  /// last block lacks as zeros; both biases added.
  void lstm(const std::string& begin, const LstmNames& source, int units, int k);

  /// A convolution as rows [ky][kx][in], and the batch norm after it (none: "") folded in.
  void convolution(const std::string& name, const std::string& source, const std::string& norm,
                   int outputs, int inputs, int kernel, bool has_bias = true);

  /// A transposed convolution 4 × 4, stride 2, padding 1, as rows [ky][kx][out], and the batch norm
  /// after it (none: "") folded in. doubled: the nearest doubling before it folded in as well, which
  /// makes it one of 6 × 6, stride 4, padding 1.
  void conv_transpose(const std::string& name, const std::string& source, const std::string& norm,
                      int outputs, int inputs, bool doubled);

  /// A Linear that reads, or writes, `cells` × `channels` numbers: PyTorch has them channel by
  /// channel, the model file cell by cell.
  void linear_reading_cells(const std::string& name, const std::string& source, int n, int channels,
                            int cells);
  void linear_writing_cells(const std::string& name, const std::string& source, int channels,
                            int cells, int k);

  WeightSource& weights_;
  TensorPlan plan_;

 private:
  void require_norm(const std::string& norm, int channels);
  FillRows folded_bias(const std::string& source, const std::string& norm, int channels,
                       bool has_bias = true);
};

}  // namespace kinglet::tools
