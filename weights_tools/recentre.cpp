#include "recentre.hpp"

#include <algorithm>
#include <cmath>
#include <kinglet/kernels/gemm_f32.hpp>

#include "model_layers.hpp"

namespace kinglet::tools {
namespace {

bool has_weight(const ModelEdit& model, const std::string& name) {
  return model.find_tensor(name + ".weight") != nullptr;
}

bool any(const std::vector<double>& c) {
  return std::any_of(c.begin(), c.end(), [](double x) { return x != 0; });
}

/// A bias of zeros where the product has none.
void need_bias(ModelEdit& model, const std::string& product) {
  const std::string name = product + ".bias";
  if (model.find_tensor(name) != nullptr) return;
  const Panels of = *model.tensor(product + ".weight").panels;
  model.put_bias(name, std::vector<float>(static_cast<std::size_t>(of.parts * of.n)),
                 static_cast<int>(of.parts));
}

/// bias[first + i] += c[i]
void add_to_bias(ModelEdit& model, const std::string& product, std::size_t first,
                 const std::vector<double>& c) {
  need_bias(model, product);
  std::vector<float> bias = model.vector(product + ".bias");
  for (std::size_t i = 0; i < c.size(); ++i) {
    float& b = bias[first + i];
    b = static_cast<float>(static_cast<double>(b) + c[i]);
  }
  model.put_vector(product + ".bias", bias);
}

/// W·c with every product fused: the same bits on every machine.
std::vector<double> times(const DenseMatrix& w, const std::vector<double>& c) {
  std::vector<double> y(w.rows(), 0.0);
  for (std::size_t r = 0; r < w.rows(); ++r) {
    const float* row = w.row(r);
    for (std::size_t i = 0; i < c.size(); ++i)
      y[r] = std::fma(static_cast<double>(row[i]), c[i], y[r]);
  }
  return y;
}

/// bias −= c; gives what was really taken, after rounding.
std::vector<double> take_from(float* bias, const std::vector<double>& c) {
  std::vector<double> taken(c.size());
  for (std::size_t i = 0; i < c.size(); ++i) {
    const float less = static_cast<float>(static_cast<double>(bias[i]) - c[i]);
    taken[i] = static_cast<double>(bias[i]) - static_cast<double>(less);
    bias[i] = less;
  }
  return taken;
}

/// Without samples: a norm's rows have deviation rms(gamma) around its bias. Only biases far outside of
/// that are certainly constants.
std::vector<double> far_biases(const ModelEdit& model, const std::string& norm) {
  constexpr double kFar = 16;
  const std::vector<float> gamma = model.vector(norm + ".weight"),
                           beta = model.vector(norm + ".bias");
  double square = 0;
  for (const float g : gamma) square += static_cast<double>(g) * static_cast<double>(g);
  const double deviation = std::sqrt(square / static_cast<double>(gamma.size()));
  std::vector<double> c(beta.size(), 0.0);
  for (std::size_t i = 0; i < beta.size(); ++i) {
    const double b = static_cast<double>(beta[i]);
    if (std::abs(b) > kFar * deviation) c[i] = b;
  }
  return c;
}

/// Of `count` channels from `first` on.
std::vector<double> centres(const ChannelStats* stats, Centre centre, std::size_t first,
                            std::size_t count) {
  std::vector<double> c(count, 0.0);
  if (stats == nullptr || stats->rows.size() < first + count) return c;
  for (std::size_t i = 0; i < count; ++i) {
    if (stats->rows[first + i] == 0) continue;
    const double at = centre == Centre::mean ? stats->mean(first + i) : stats->middle(first + i);
    if (std::isfinite(at)) c[i] = at;
  }
  return c;
}

void note(Recentred& done, const std::string& where, const std::vector<double>& c) {
  for (std::size_t i = 0; i < c.size(); ++i) {
    if (std::abs(c[i]) <= std::abs(done.largest)) continue;
    done.largest = c[i];
    done.where = where + ", channel " + std::to_string(i);
  }
}

}  // namespace

const char* name_of(Centre centre) noexcept {
  switch (centre) {
    case Centre::none: return "none";
    case Centre::bias: return "bias";
    case Centre::mean: return "mean";
    case Centre::middle: return "middle";
  }
  return "";
}

std::vector<NormReaders> movable_norms(const ModelEdit& model) {
  const ModelLayers layers = layers_of(model);
  const bool in_order = layers.in_order();  // else what reads a layer's rows is not known
  std::vector<NormReaders> all;
  const auto add = [&](const NormReaders& at) {
    for (const std::string& name : {at.norm, at.product, at.sum}) {
      if (!name.empty() && !has_weight(model, name)) return;
    }
    const ModelEdit::Tensor& read = model.tensor(at.product + ".weight");
    if (model.find_tensor(at.norm + ".bias") != nullptr && read.is_matrix()) all.push_back(at);
  };
  const std::string mapping = "embd_to_hidden";
  if (has_weight(model, mapping)) {
    add({"token_embd_norm", mapping, "", false});
  } else if (in_order) {
    add({"token_embd_norm", "blk.0.attn_qkv", "blk.0.attn_output", true});
  }
  for (std::uint32_t l = 0; l < layers.stored; ++l) {
    const std::string layer = layer_name(l), next = layer_name(l + 1);
    add({layer + ".attn_output_norm", layer + ".ffn_up", layer + ".ffn_down", false});
    if (in_order && l + 1 < layers.stored && !has_weight(model, "exit." + std::to_string(l)))
      add({layer + ".layer_output_norm", next + ".attn_qkv", next + ".attn_output", true});
  }
  return all;
}

void move_offsets(ModelEdit& model, const NormReaders& at, const std::vector<double>& c) {
  std::vector<float> beta = model.vector(at.norm + ".bias");
  const std::vector<double> taken = take_from(beta.data(), c);
  if (!any(taken)) return;
  model.put_vector(at.norm + ".bias", beta);
  add_to_bias(model, at.product, 0, times(model.matrix(at.product + ".weight"), taken));
  if (!at.sum.empty()) add_to_bias(model, at.sum, 0, taken);
}

void move_attention_offsets(ModelEdit& model, const std::string& layer,
                            const std::vector<double>& keys, const std::vector<double>& values) {
  const std::string qkv = layer + ".attn_qkv", output = layer + ".attn_output";
  need_bias(model, qkv);
  std::vector<float> bias = model.vector(qkv + ".bias");
  take_from(bias.data() + keys.size(), keys);
  const std::vector<double> taken = take_from(bias.data() + 2 * keys.size(), values);
  model.put_vector(qkv + ".bias", bias);
  if (any(taken)) add_to_bias(model, output, 0, times(model.matrix(output + ".weight"), taken));
}

Recentred recentre(ModelEdit& model, Centre centre, const ChannelWatch* watch) {
  Recentred done;
  done.centre = centre;
  if (centre == Centre::none) return done;
  for (const NormReaders& at : movable_norms(model)) {
    const std::size_t n = model.vector(at.norm + ".bias").size();
    const std::vector<double> c = centre == Centre::bias
                                      ? far_biases(model, at.norm)
                                      : centres(watch->outputs(at.norm), centre, 0, n);
    if (!any(c)) continue;
    move_offsets(model, at, c);
    ++done.norms;
    done.between_layers = done.between_layers || at.between_layers;
    note(done, at.norm, c);
  }
  if (centre == Centre::bias) return done;
  const std::uint32_t stored = layers_of(model).stored;
  for (std::uint32_t l = 0; l < stored; ++l) {
    const std::string layer = layer_name(l), qkv = layer + ".attn_qkv";
    if (!has_weight(model, qkv) || !has_weight(model, layer + ".attn_output")) continue;
    const Panels of = *model.tensor(qkv + ".weight").panels;
    if (of.parts != 3) continue;
    const auto n = static_cast<std::size_t>(of.n);
    const auto padded = static_cast<std::size_t>(kernels::panels_of(static_cast<int>(of.n))) *
                        static_cast<std::size_t>(kernels::kPanel);
    const ChannelStats* stats = watch->outputs(qkv);
    const std::vector<double> keys = centres(stats, centre, padded, n),
                              values = centres(stats, centre, 2 * padded, n);
    if (!any(keys) && !any(values)) continue;
    move_attention_offsets(model, layer, keys, values);
    ++done.layers;
    note(done, qkv + " (keys)", keys);
    note(done, qkv + " (values)", values);
  }
  return done;
}

}  // namespace kinglet::tools
