#pragma once
// The kernels of one ISA under one name: Kernels<Isa> for a program built for its CPU,
// Kernels<isa::runtime> for one that chooses when it starts. Both are used in the same way:
// `kernels.gemm_f32(m, n, …)`.

#include <kinglet/kernels/activation.hpp>
#include <kinglet/kernels/attention.hpp>
#include <kinglet/kernels/attention_s8.hpp>
#include <kinglet/kernels/conv.hpp>
#include <kinglet/kernels/embedding.hpp>
#include <kinglet/kernels/gemm_f32.hpp>
#include <kinglet/kernels/gemm_s8.hpp>
#include <kinglet/kernels/gru.hpp>
#include <kinglet/kernels/layer_norm.hpp>
#include <kinglet/kernels/lstm.hpp>
#include <kinglet/kernels/overlap_add.hpp>
#include <kinglet/kernels/pool.hpp>
#include <kinglet/kernels/quantize.hpp>
#include <kinglet/kernels/resize.hpp>
#include <kinglet/kernels/softmax.hpp>

/// Every kernel of a table; a new one is a line here.
// clang-format off
#define KINGLET_KERNELS(each) \
  each(gemm_f32)              \
  each(gemm_s8)               \
  each(quantize_rows)         \
  each(attention_f32)         \
  each(pack_keys_f32)         \
  each(attend_f32)            \
  each(attention_s8)          \
  each(softmax_f32)           \
  each(layer_norm_f32)        \
  each(layer_norm_s8)         \
  each(activate_f32)          \
  each(add_f32)               \
  each(embedding_f32)         \
  each(embedding_s8)          \
  each(embedding_panels_f32)  \
  each(embedding_panels_s8)   \
  each(unit_length_f32)       \
  each(lstm_cell_f32)         \
  each(lstm_step_f32)         \
  each(lstm_step_s8)          \
  each(gru_cell_f32)          \
  each(conv_f32)              \
  each(conv_s8)               \
  each(depthwise_f32)         \
  each(max_pool_f32)          \
  each(average_pool_f32)      \
  each(overlap_add_f32)       \
  each(resize_nearest_f32)    \
  each(resize_bilinear_f32)
// clang-format on

namespace kinglet::kernels {

template <class Isa>
struct Kernels {
  static constexpr const char* isa = Isa::name;
#define KINGLET_EACH(kernel) static constexpr auto kernel = &kernels::kernel<Isa>;
  KINGLET_KERNELS(KINGLET_EACH)
#undef KINGLET_EACH
};

template <>
struct Kernels<isa::runtime> {
  const char* isa;
#define KINGLET_EACH(kernel) decltype(&kernels::kernel<isa::scalar>) kernel;
  KINGLET_KERNELS(KINGLET_EACH)
#undef KINGLET_EACH
};

template <class Isa>
constexpr Kernels<isa::runtime> table_of() noexcept {
#define KINGLET_EACH(kernel) , &kernels::kernel<Isa>
  return {Isa::name KINGLET_KERNELS(KINGLET_EACH)};
#undef KINGLET_EACH
}

}  // namespace kinglet::kernels

#undef KINGLET_KERNELS
