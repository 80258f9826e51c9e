#pragma once

#include "baselines.hpp"

namespace kinglet::tools {

/// sgemm, which packs W at every call.
Baseline openblas_f32(const Product& product);
/// matmul, W packed once beforehand.
Baseline onednn_f32(const Product& product);
/// matmul of u8 by s8 to f32, W packed once beforehand; a is quantised already.
Baseline onednn_s8(const Product& product);
/// The layer whose sizes are known when it is compiled: 16, 32 or 64, as many inputs as units; else
/// nothing.
std::vector<Baseline> rtneural_lstm(const LstmStep& step);

}  // namespace kinglet::tools
