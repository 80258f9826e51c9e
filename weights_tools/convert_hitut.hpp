#pragma once
// HiTUT as a model file: what describes the model, and how its weights are stored. Used by the
// converter, and by whoever makes up a model of the same kind.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "convert.hpp"
#include "convert_config.hpp"
#include "convert_plan.hpp"
#include "convert_source.hpp"

namespace kinglet::tools {

struct HitutModel {
  enum class Encoder { roberta, bert, albert, scratch };
  Encoder encoder = Encoder::roberta;
  int layers = 0, stored_layers = 0;
  int hidden = 0, embedding = 0, inner = 0, heads = 0;
  int vision = 0, language = 0, history = 0;  // positions; with the [CLS] they make the sequence
  int vocab = 0, position_rows = 0, type_rows = 0;  // rows of the checkpoint's tables
  double eps = 0, posture_eps = 0, image_size = 0;
  std::string activation;     // gelu, gelu_tanh or relu
  std::string pred_head_pos;  // cls or sep
  bool posture = false, history_vision = false, monitors = false;
  Ids action_words;  // [actions][words_per_action]
  std::size_t words_per_action = 0;
  Ids high_actions, low_actions, objects;  // ids of the classes among the actions
  std::vector<std::string> action_names;   // may be empty
  std::vector<std::string> tokens;         // word pieces, may be empty
  int unknown_token = 0, padding_token = 0;
  std::string word_table;  // name in the checkpoint
  std::string source_sha256;
  std::uint64_t source_parameters = 0;
  std::string recipe;

  int sequence() const { return 1 + vision + language + history; }
  int actions() const { return static_cast<int>(action_words.size() / words_per_action); }
};

const char* name_of(HitutModel::Encoder encoder);

/// What the checkpoint, the config and the tables say. `notes` gets what had to be assumed.
HitutModel describe_hitut(const ConvertRequest& request, CheckpointWeights& weights,
                          std::vector<std::string>& notes);

/// Every tensor of the model file, with what it needs required from `weights`. Both must outlive the plan.
TensorPlan plan_hitut(const HitutModel& model, WeightSource& weights);

/// Values, then the tensors. Does not commit.
void write_hitut(OutputFile& out, const HitutModel& model, const TensorPlan& plan,
                 const std::function<void(std::size_t done, std::size_t all)>& progress);

}  // namespace kinglet::tools
