#pragma once
// ChannelWatch: what the channels of a model's activations look like over samples. It stands between
// the backend and the kernels, so it needs to know nothing of the architecture.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model_session.hpp"
#include "weight_names.hpp"

namespace kinglet::tools {

/// Of each channel over all rows that were seen; channels without a row have none at all.
struct ChannelStats {
  std::vector<double> sum;
  std::vector<float> low, high;
  std::vector<std::int64_t> rows;

  double mean(std::size_t i) const { return sum[i] / static_cast<double>(rows[i]); }
  double middle(std::size_t i) const {
    return (static_cast<double>(low[i]) + static_cast<double>(high[i])) / 2;
  }
};

/// Some of the rows that a product read, spread evenly over all.
struct KeptRows {
  static constexpr int kMost = 1024;

  int count = 0, depth = 0;
  std::vector<float> values;
  std::int64_t seen = 0, step = 1;
};

/// Replaces the kernels of a session of one thread until it is gone. One at a time.
class ChannelWatch {
 public:
  explicit ChannelWatch(ModelSession& session);
  ~ChannelWatch();
  ChannelWatch(const ChannelWatch&) = delete;
  ChannelWatch& operator=(const ChannelWatch&) = delete;

  /// Rows that the norm "X" or the f32 product "X" gave, channels of a product padded as its bias is; null
  /// when there were none.
  const ChannelStats* outputs(const std::string& name) const;
  /// Rows that the f32 product or LSTM step with the tensor "X.weight" read.
  const KeptRows* inputs_of(const std::string& tensor) const;

 private:
  using Kernels = kernels::Kernels<isa::runtime>;

  static void norm(int rows, int n, const float* x, int ldx, const float* gamma, const float* beta,
                   float eps, float* y, int ldy) noexcept;
  static void norm_s8(int rows, int n, const float* x, int ldx, const float* gamma,
                      const float* beta, float eps, float* y, int ldy,
                      const kernels::QuantizedRows& q) noexcept;
  static void product(int m, int n, int k, const float* a, int lda, const float* w,
                      const kernels::Epilogue& epilogue, float* c, int ldc) noexcept;
  static void lstm_step(int first, int last, int kx, const float* x, const float* weights_x, int kh,
                        const float* h, const float* weights_h, const float* start, float* c,
                        float* y, bool backwards) noexcept;

  void keep_inputs(const float* weight, int rows, int k, const float* x, int ld);

  static ChannelWatch* active;
  ModelSession& session_;
  const Kernels& plain_;
  Kernels watched_;
  WeightNames names_;
  std::map<std::string, ChannelStats> outputs_;
  std::map<std::string, KeptRows> inputs_;
};

}  // namespace kinglet::tools
