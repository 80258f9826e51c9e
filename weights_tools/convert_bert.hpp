#pragma once
// BERT and its relatives as a model file: what a Hugging Face checkpoint and its config say, and how
// the weights are stored.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "convert.hpp"
#include "convert_config.hpp"
#include "convert_mapping.hpp"

namespace kinglet::tools {

struct BertModel {
  enum class Family { bert, roberta, distilbert, albert };
  Family family = Family::bert;
  std::string architecture;          // general.architecture
  std::vector<LayerNames> stored;    // layers in the checkpoint …
  std::vector<std::uint32_t> order;  // … and which of them run, in order
  int hidden = 0, embedding = 0, inner = 0, heads = 0;
  int vocab = 0, position_rows = 0, type_rows = 0;
  bool types_fold = false;  // one type or none: added to the positions
  int padding = 0, labels = 0;
  double eps = 0;
  std::string activation, lm_activation, class_activation;  // gelu, gelu_tanh, relu or tanh
  bool positions_from_ids = false;
  /// Names in the checkpoint, prefix and suffix off; empty: the model has none.
  std::string types, mapping, pooler, class_in, classes;
  std::string next_sentence, sentence_order, answer;
  std::string lm_in, lm_norm, lm_bias, lm_decoder;  // lm_decoder: only if it is not the word table
  int exits = 0, exit_labels = 0;                   // PABEE: classifiers, one a layer
  double regression_threshold = 0;                  // PABEE with one label
  std::vector<std::string> tokens;                  // word pieces, may be empty
  /// Ids of the tokens that frame or mask inputs and of the unknown one: "bos_token_id" …, as in tokenizer.ggml.
  std::vector<std::pair<std::string, std::uint32_t>> special_ids;
  std::string source_sha256;
  std::uint64_t source_parameters = 0;
  std::string recipe;

  bool tied_lm() const { return !lm_in.empty() && lm_decoder.empty(); }
};

inline constexpr const char* kBertWords = "embeddings.word_embeddings.weight";
inline constexpr const char* kBertPositions = "embeddings.position_embeddings.weight";
inline constexpr const char* kBertTypes = "embeddings.token_type_embeddings.weight";

/// PABEE's classifier behind a layer, ".weight" and ".bias" off.
std::string exit_name(int layer);

/// The model's family as its config names it; nothing if it names none of these.
bool names_bert_family(const ConfigFile& config, BertModel::Family& family);

/// The same tensors under the names that all checkpoints of a family share: no prefix of the family in front, norms in
/// .weight and .bias. Throws FileError when two get one name.
Checkpoint with_family_names(const Checkpoint& checkpoint);

/// What the checkpoint (with family names) and the config say. `notes` gets what had to be assumed.
BertModel describe_bert(const ConvertRequest& request, CheckpointWeights& weights,
                        std::vector<std::string>& notes);

/// Every tensor of the model file, with what it needs required from `weights`. Both must outlive the plan.
TensorPlan plan_bert(const BertModel& model, WeightSource& weights);

/// Values, then the tensors. Does not commit.
void write_bert(OutputFile& out, const BertModel& model, const TensorPlan& plan,
                const std::function<void(std::size_t done, std::size_t all)>& progress);

}  // namespace kinglet::tools
