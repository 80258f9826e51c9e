#pragma once
// Recentring: the constant part of an activation channel is moved to where it is added up in fp32. A
// channel with a large constant makes the int8 step of every row large; moved into the biases of what
// reads the channel it costs nothing, and in real arithmetic the model computes the same.
//
//   y = LN(x):    LN.bias −= c;   reader.bias += W·c;   where y is also a residual, bias of that sum += c
//   keys:         the softmax does not see what is added to all of them:   k.bias −= c
//   values:       attention's weights add up to one:   v.bias −= c;   attn_output.bias += W·c
//
// In post-norm layers, by their tensor names: token_embd_norm, blk.<l>.attn_output_norm and
// blk.<l>.layer_output_norm, but for the last, whose rows are the model's.

#include <string>
#include <vector>

#include "channel_watch.hpp"
#include "model_edit.hpp"

namespace kinglet::tools {

/// A norm and what reads its rows; names without ".weight".
struct NormReaders {
  std::string norm;
  std::string product;
  std::string sum;  ///< the product that these rows are added to, "" for none
  bool between_layers = false;
};

/// Those of the model whose constants can be moved exactly, from the first to the last. Layers that are
/// stored once and run several times keep what other layers would see, those with an exit (PABEE) what that reads.
std::vector<NormReaders> movable_norms(const ModelEdit& model);

/// Takes offset c[i] out of channel i of the norm. All in double. Products that must be f32 gain a bias if they have none.
void move_offsets(ModelEdit& model, const NormReaders& at, const std::vector<double>& c);

/// Takes constants out of the keys and values of layer "blk.<l>".
void move_attention_offsets(ModelEdit& model, const std::string& layer,
                            const std::vector<double>& keys, const std::vector<double>& values);

/// True in files whose layers only fit those that they followed when constants were moved.
inline constexpr const char* kFittedLayers = "kinglet.fitted_layers";

enum class Centre { none, bias, mean, middle };
const char* name_of(Centre centre) noexcept;

/// What was moved: the largest constant, and where.
struct Recentred {
  Centre centre = Centre::none;
  int norms = 0, layers = 0;
  bool between_layers = false;  ///< a layer then fits only the one that it followed
  double largest = 0;
  std::string where;
};

/// Every norm and every layer's attention. `watch` saw the model as it is now; it may be null for Centre::bias,
/// which takes the biases of norms that are far from the rows around them.
Recentred recentre(ModelEdit& model, Centre centre, const ChannelWatch* watch);

}  // namespace kinglet::tools
