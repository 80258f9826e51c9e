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

namespace kinglet::kernels {

template <class Isa>
struct Kernels {
  static constexpr const char* isa = Isa::name;
  static constexpr auto gemm_f32 = &kernels::gemm_f32<Isa>;
  static constexpr auto gemm_s8 = &kernels::gemm_s8<Isa>;
  static constexpr auto quantize_rows = &kernels::quantize_rows<Isa>;
  static constexpr auto attention_f32 = &kernels::attention_f32<Isa>;
  static constexpr auto pack_keys_f32 = &kernels::pack_keys_f32<Isa>;
  static constexpr auto attend_f32 = &kernels::attend_f32<Isa>;
  static constexpr auto attention_s8 = &kernels::attention_s8<Isa>;
  static constexpr auto softmax_f32 = &kernels::softmax_f32<Isa>;
  static constexpr auto layer_norm_f32 = &kernels::layer_norm_f32<Isa>;
  static constexpr auto layer_norm_s8 = &kernels::layer_norm_s8<Isa>;
  static constexpr auto activate_f32 = &kernels::activate_f32<Isa>;
  static constexpr auto add_f32 = &kernels::add_f32<Isa>;
  static constexpr auto embedding_f32 = &kernels::embedding_f32<Isa>;
  static constexpr auto embedding_s8 = &kernels::embedding_s8<Isa>;
  static constexpr auto embedding_panels_f32 = &kernels::embedding_panels_f32<Isa>;
  static constexpr auto embedding_panels_s8 = &kernels::embedding_panels_s8<Isa>;
  static constexpr auto unit_length_f32 = &kernels::unit_length_f32<Isa>;
  static constexpr auto lstm_cell_f32 = &kernels::lstm_cell_f32<Isa>;
  static constexpr auto lstm_step_f32 = &kernels::lstm_step_f32<Isa>;
  static constexpr auto lstm_step_s8 = &kernels::lstm_step_s8<Isa>;
  static constexpr auto gru_cell_f32 = &kernels::gru_cell_f32<Isa>;
  static constexpr auto conv_f32 = &kernels::conv_f32<Isa>;
  static constexpr auto conv_s8 = &kernels::conv_s8<Isa>;
  static constexpr auto depthwise_f32 = &kernels::depthwise_f32<Isa>;
  static constexpr auto max_pool_f32 = &kernels::max_pool_f32<Isa>;
  static constexpr auto average_pool_f32 = &kernels::average_pool_f32<Isa>;
  static constexpr auto overlap_add_f32 = &kernels::overlap_add_f32<Isa>;
  static constexpr auto resize_nearest_f32 = &kernels::resize_nearest_f32<Isa>;
  static constexpr auto resize_bilinear_f32 = &kernels::resize_bilinear_f32<Isa>;
};

template <>
struct Kernels<isa::runtime> {
  const char* isa;
  decltype(&kernels::gemm_f32<isa::scalar>) gemm_f32;
  decltype(&kernels::gemm_s8<isa::scalar>) gemm_s8;
  decltype(&kernels::quantize_rows<isa::scalar>) quantize_rows;
  decltype(&kernels::attention_f32<isa::scalar>) attention_f32;
  decltype(&kernels::pack_keys_f32<isa::scalar>) pack_keys_f32;
  decltype(&kernels::attend_f32<isa::scalar>) attend_f32;
  decltype(&kernels::attention_s8<isa::scalar>) attention_s8;
  decltype(&kernels::softmax_f32<isa::scalar>) softmax_f32;
  decltype(&kernels::layer_norm_f32<isa::scalar>) layer_norm_f32;
  decltype(&kernels::layer_norm_s8<isa::scalar>) layer_norm_s8;
  decltype(&kernels::activate_f32<isa::scalar>) activate_f32;
  decltype(&kernels::add_f32<isa::scalar>) add_f32;
  decltype(&kernels::embedding_f32<isa::scalar>) embedding_f32;
  decltype(&kernels::embedding_s8<isa::scalar>) embedding_s8;
  decltype(&kernels::embedding_panels_f32<isa::scalar>) embedding_panels_f32;
  decltype(&kernels::embedding_panels_s8<isa::scalar>) embedding_panels_s8;
  decltype(&kernels::unit_length_f32<isa::scalar>) unit_length_f32;
  decltype(&kernels::lstm_cell_f32<isa::scalar>) lstm_cell_f32;
  decltype(&kernels::lstm_step_f32<isa::scalar>) lstm_step_f32;
  decltype(&kernels::lstm_step_s8<isa::scalar>) lstm_step_s8;
  decltype(&kernels::gru_cell_f32<isa::scalar>) gru_cell_f32;
  decltype(&kernels::conv_f32<isa::scalar>) conv_f32;
  decltype(&kernels::conv_s8<isa::scalar>) conv_s8;
  decltype(&kernels::depthwise_f32<isa::scalar>) depthwise_f32;
  decltype(&kernels::max_pool_f32<isa::scalar>) max_pool_f32;
  decltype(&kernels::average_pool_f32<isa::scalar>) average_pool_f32;
  decltype(&kernels::overlap_add_f32<isa::scalar>) overlap_add_f32;
  decltype(&kernels::resize_nearest_f32<isa::scalar>) resize_nearest_f32;
  decltype(&kernels::resize_bilinear_f32<isa::scalar>) resize_bilinear_f32;
};

template <class Isa>
constexpr Kernels<isa::runtime> table_of() noexcept {
  using K = Kernels<Isa>;
  return {K::isa,
          K::gemm_f32,
          K::gemm_s8,
          K::quantize_rows,
          K::attention_f32,
          K::pack_keys_f32,
          K::attend_f32,
          K::attention_s8,
          K::softmax_f32,
          K::layer_norm_f32,
          K::layer_norm_s8,
          K::activate_f32,
          K::add_f32,
          K::embedding_f32,
          K::embedding_s8,
          K::embedding_panels_f32,
          K::embedding_panels_s8,
          K::unit_length_f32,
          K::lstm_cell_f32,
          K::lstm_step_f32,
          K::lstm_step_s8,
          K::gru_cell_f32,
          K::conv_f32,
          K::conv_s8,
          K::depthwise_f32,
          K::max_pool_f32,
          K::average_pool_f32,
          K::overlap_add_f32,
          K::resize_nearest_f32,
          K::resize_bilinear_f32};
}

}  // namespace kinglet::kernels
