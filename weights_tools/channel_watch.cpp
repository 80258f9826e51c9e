#include "channel_watch.hpp"

#include <algorithm>
#include <limits>

namespace kinglet::tools {
namespace {

/// Columns first … first + n − 1 of rows of x.
void add_rows(ChannelStats& stats, std::size_t first, int rows, int n, const float* x, int ld) {
  constexpr float kFar = std::numeric_limits<float>::infinity();
  const std::size_t end = first + static_cast<std::size_t>(n);
  if (stats.sum.size() < end) {
    stats.sum.resize(end, 0.0);
    stats.low.resize(end, kFar);
    stats.high.resize(end, -kFar);
    stats.rows.resize(end, 0);
  }
  for (std::size_t i = first; i < end; ++i) stats.rows[i] += rows;
  for (int r = 0; r < rows; ++r, x += ld) {
    for (std::size_t i = first; i < end; ++i) {
      const float value = x[i - first];
      stats.sum[i] += static_cast<double>(value);
      stats.low[i] = std::min(stats.low[i], value);
      stats.high[i] = std::max(stats.high[i], value);
    }
  }
}

/// Every `step`-th row; when there are too many, every second one goes.
void keep_rows(KeptRows& kept, int rows, int n, const float* x, int ld) {
  const auto depth = static_cast<std::ptrdiff_t>(n);
  kept.depth = n;
  for (int r = 0; r < rows; ++r, x += ld) {
    if (kept.seen++ % kept.step != 0) continue;
    if (kept.count == KeptRows::kMost) {
      for (int i = 1; 2 * i < kept.count; ++i)
        std::copy_n(kept.values.begin() + 2 * i * depth, depth, kept.values.begin() + i * depth);
      kept.count /= 2;
      kept.step *= 2;
      kept.values.resize(static_cast<std::size_t>(kept.count * depth));
      if ((kept.seen - 1) % kept.step != 0) continue;
    }
    kept.values.insert(kept.values.end(), x, x + n);
    ++kept.count;
  }
}

template <class T>
const T* find_in(const std::map<std::string, T>& all, const std::string& name) {
  const auto at = all.find(name);
  return at != all.end() ? &at->second : nullptr;
}

}  // namespace

ChannelWatch* ChannelWatch::active = nullptr;

ChannelWatch::ChannelWatch(ModelSession& session)
    : session_(session),
      plain_(kernels_named(session.isa())),
      watched_(plain_),
      names_(session.file()) {
  watched_.layer_norm_f32 = norm;
  watched_.layer_norm_s8 = norm_s8;
  watched_.gemm_f32 = product;
  watched_.lstm_step_f32 = lstm_step;
  active = this;
  session.use(watched_);
}

ChannelWatch::~ChannelWatch() {
  session_.use(plain_);
  active = nullptr;
}

const ChannelStats* ChannelWatch::outputs(const std::string& name) const {
  return find_in(outputs_, name);
}

const KeptRows* ChannelWatch::inputs_of(const std::string& tensor) const {
  return find_in(inputs_, tensor.substr(0, tensor.rfind('.')));
}

void ChannelWatch::keep_inputs(const float* weight, int rows, int k, const float* x, int ld) {
  if (const WeightNames::Weight* w = names_.find(weight))
    keep_rows(inputs_[w->name], rows, k, x, ld);
}

void ChannelWatch::norm(int rows, int n, const float* x, int ldx, const float* gamma,
                        const float* beta, float eps, float* y, int ldy) noexcept {
  active->plain_.layer_norm_f32(rows, n, x, ldx, gamma, beta, eps, y, ldy);
  if (const WeightNames::Weight* w = active->names_.find(gamma))
    add_rows(active->outputs_[w->name], 0, rows, n, y, ldy);
}

void ChannelWatch::norm_s8(int rows, int n, const float* x, int ldx, const float* gamma,
                           const float* beta, float eps, float* y, int ldy,
                           const kernels::QuantizedRows& q) noexcept {
  active->plain_.layer_norm_s8(rows, n, x, ldx, gamma, beta, eps, y, ldy, q);
  if (const WeightNames::Weight* w = active->names_.find(gamma))
    add_rows(active->outputs_[w->name], 0, rows, n, y, ldy);
}

void ChannelWatch::product(int m, int n, int k, const float* a, int lda, const float* weight,
                           const kernels::Epilogue& epilogue, float* c, int ldc) noexcept {
  const WeightNames::Weight* w = active->names_.find(weight);
  const std::size_t first =
      w == nullptr ? 0
                   : static_cast<std::size_t>(weight - reinterpret_cast<const float*>(w->begin)) /
                         static_cast<std::size_t>(k);
  // Before c is written: it may be where a was.
  active->keep_inputs(weight, m, k, a, lda);
  active->plain_.gemm_f32(m, n, k, a, lda, weight, epilogue, c, ldc);
  if (w != nullptr) add_rows(active->outputs_[w->name], first, m, n, c, ldc);
}

void ChannelWatch::lstm_step(int first, int last, int kx, const float* x, const float* weights_x,
                             int kh, const float* h, const float* weights_h, const float* start,
                             float* c, float* y, bool backwards) noexcept {
  if (kx > 0) active->keep_inputs(weights_x, 1, kx, x, kx);
  active->keep_inputs(weights_h, 1, kh, h, kh);
  active->plain_.lstm_step_f32(first, last, kx, x, weights_x, kh, h, weights_h, start, c, y,
                               backwards);
}

}  // namespace kinglet::tools
