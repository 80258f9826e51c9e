// What a checkpoint of BERT's family is: sizes from the tensors wherever their shapes can tell, heads
// of the model from the tensors that are there, the rest from config.json.

#include <algorithm>
#include <optional>
#include <set>

#include "convert_bert.hpp"

namespace kinglet::tools {
namespace {

using Family = BertModel::Family;

struct FamilyName {
  const char* name;    // model_type
  const char* prefix;  // of class names in `architectures`
  Family family;
};
// XLM-RoBERTa and CamemBERT are RoBERTa with other words.
constexpr FamilyName kFamilies[] = {
    {"bert", "Bert", Family::bert},
    {"roberta", "Roberta", Family::roberta},
    {"xlm-roberta", "XLMRoberta", Family::roberta},
    {"camembert", "Camembert", Family::roberta},
    {"distilbert", "DistilBert", Family::distilbert},
    {"albert", "Albert", Family::albert},
};
constexpr const char* kPrefixes[] = {"module.", "bert.", "roberta.", "distilbert.", "albert."};

std::string family_name(const std::string& name) {
  std::string text = name;
  for (const std::string prefix : kPrefixes) {
    if (text.compare(0, prefix.size(), prefix) == 0) text.erase(0, prefix.size());
  }
  const auto replace_end = [&](const std::string& from, const std::string& to) {
    if (text.size() > from.size() &&
        text.compare(text.size() - from.size(), from.size(), from) == 0)
      text.replace(text.size() - from.size(), from.size(), to);
  };
  replace_end("LayerNorm.gamma", "LayerNorm.weight");
  replace_end("LayerNorm.beta", "LayerNorm.bias");
  return text;
}

class Description {
 public:
  Description(const ConvertRequest& request, CheckpointWeights& weights,
              std::vector<std::string>& notes)
      : request_(request), weights_(weights), notes_(notes), config_(request.config) {}

  BertModel make() {
    if (!names_bert_family(config_, m_.family)) m_.family = family_of_tensors();
    read_sizes();
    if (m_.family == Family::albert) {
      read_albert_layers();
    } else {
      read_layers();
    }
    read_heads();
    read_numerics();
    read_positions();
    read_sequence_heads();
    read_masked_lm();
    read_exits();
    read_vocabulary();
    read_special_ids();
    return m_;
  }

 private:
  bool distil() const { return m_.family == Family::distilbert; }

  Family family_of_tensors() const {
    if (weights_.has_prefix("encoder.albert_layer_groups.")) return Family::albert;
    if (weights_.has_prefix("transformer.layer.")) return Family::distilbert;
    config_.fail("model_type",
                 "is not known; BERT and RoBERTa cannot be told apart by their tensors");
  }

  /// A number of the config: `name`, or `short_name` where DistilBERT has its own.
  std::string key(const char* name, const char* short_name) const {
    return config_.inside(distil() ? short_name : name);
  }

  void expect(const std::string& key, int value) const {
    const auto said = config_.size(key);
    if (said && *said != value) {
      config_.fail(
          key, "is " + std::to_string(*said) + ", but the checkpoint has " + std::to_string(value));
    }
  }

  int dim(const std::string& name, std::size_t rank, std::size_t i) const {
    return static_cast<int>(weights_.shape(name, rank)[i]);
  }

  void read_sizes() {
    m_.vocab = dim(kBertWords, 2, 0);
    m_.embedding = dim(kBertWords, 2, 1);
    m_.position_rows = dim(kBertPositions, 2, 0);
    if (!distil()) {
      m_.types = kBertTypes;
      m_.type_rows = dim(kBertTypes, 2, 0);
    }
    m_.types_fold = m_.type_rows <= 1;
    m_.hidden = m_.embedding;
    if (m_.family == Family::albert) {
      m_.mapping = "encoder.embedding_hidden_mapping_in";
      m_.hidden = dim(m_.mapping + ".weight", 2, 0);
    }
    expect(config_.inside("vocab_size"), m_.vocab);
    expect(config_.inside("embedding_size"), m_.embedding);
    expect(config_.inside("type_vocab_size"), std::max(m_.type_rows, 1));
    expect(config_.inside("max_position_embeddings"), m_.position_rows);
    expect(key("hidden_size", "dim"), m_.hidden);
  }

  void read_layers() {
    const std::string stack = distil() ? "transformer.layer." : "encoder.layer.";
    for (int i = 0; weights_.has_prefix(stack + std::to_string(i) + "."); ++i) {
      const std::string at = stack + std::to_string(i) + ".";
      m_.order.push_back(static_cast<std::uint32_t>(i));
      if (!distil()) {
        m_.stored.push_back(bert_layer(at));
        continue;
      }
      const std::string attention = at + "attention.";
      m_.stored.push_back({attention + "q_lin", attention + "k_lin", attention + "v_lin",
                           attention + "out_lin", at + "sa_layer_norm", at + "ffn.lin1",
                           at + "ffn.lin2", at + "output_layer_norm"});
    }
    if (m_.stored.empty()) throw FileError(request_.input, "encoder", "layer 0 is missing");
    expect(key("num_hidden_layers", "n_layers"), static_cast<int>(m_.order.size()));
    m_.inner = dim(m_.stored[0].up + ".weight", 2, 0);
    expect(key("intermediate_size", "hidden_dim"), m_.inner);
  }

  /// Groups of inner layers; layer i of the run is the whole of group floor(i / (layers / groups)).
  void read_albert_layers() {
    const auto said = config_.size(config_.inside("num_hidden_layers"));
    if (!request_.layers && !said) {
      config_.fail("num_hidden_layers",
                   "is not known; give --layers N (ALBERT's layers share their weights)");
    }
    const int layers = request_.layers ? *request_.layers : *said;
    const std::string stack = "encoder.albert_layer_groups.";
    int groups = 0, inner = 0;
    while (weights_.has_prefix(stack + std::to_string(groups) + ".")) ++groups;
    const auto place = [&](int g, int j) {
      return stack + std::to_string(g) + ".albert_layers." + std::to_string(j) + ".";
    };
    while (weights_.has_prefix(place(0, inner))) ++inner;
    if (inner == 0) throw FileError(request_.input, "encoder", "layer 0 is missing");
    expect(config_.inside("num_hidden_groups"), groups);
    expect(config_.inside("inner_group_num"), inner);
    if (layers < groups) {
      throw FileError(request_.input, "encoder",
                      std::to_string(groups) + " groups for " + std::to_string(layers) + " layers");
    }
    for (int g = 0; g < groups; ++g) {
      for (int j = 0; j < inner; ++j) m_.stored.push_back(albert_layer(place(g, j)));
    }
    const double each = static_cast<double>(layers) / groups;
    for (int i = 0; i < layers; ++i) {
      const int g = static_cast<int>(i / each);
      for (int j = 0; j < inner; ++j) m_.order.push_back(static_cast<std::uint32_t>(g * inner + j));
    }
    m_.inner = dim(m_.stored[0].up + ".weight", 2, 0);
    expect(config_.inside("intermediate_size"), m_.inner);
  }

  void read_heads() {
    const auto said = config_.size(key("num_attention_heads", "n_heads"));
    if (!request_.heads && !said) {
      throw FileError(config_.given() ? config_.path() : request_.input,
                      "the number of attention heads", "is not known; give --heads N");
    }
    m_.heads = request_.heads ? *request_.heads : *said;
    if (m_.hidden % m_.heads != 0) {
      throw FileError(
          request_.input, "attention",
          std::to_string(m_.heads) + " heads do not divide the width " + std::to_string(m_.hidden));
    }
  }

  std::string activation_named(const std::string& key, const char* otherwise) const {
    const std::string name = config_.text(key).value_or(otherwise);
    if (name == "gelu") return "gelu";
    if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_tanh")
      return "gelu_tanh";
    if (name == "relu") return "relu";
    config_.fail(key, in_quotes(name) + " is not supported");
  }

  void read_numerics() {
    const auto said = distil() ? std::nullopt : config_.positive(config_.inside("layer_norm_eps"));
    if (!request_.eps && !said && !distil()) {
      notes_.push_back("layer-norm epsilon 1e-12 assumed, as where a config does not name one");
    }
    m_.eps = request_.eps ? *request_.eps : said.value_or(1e-12);
    m_.activation = activation_named(key("hidden_act", "activation"),
                                     m_.family == Family::albert ? "gelu_new" : "gelu");
    // RoBERTa's head has its own, whatever the layers use.
    m_.lm_activation = m_.family == Family::roberta ? "gelu" : m_.activation;
  }

  void read_positions() {
    const std::string kind = config_.inside("position_embedding_type");
    if (config_.text(kind).value_or("absolute") != "absolute") {
      config_.fail(kind, "only absolute positions are supported");
    }
    m_.positions_from_ids = m_.family == Family::roberta;
    const std::string padding = config_.inside("pad_token_id");
    m_.padding = config_.index(padding).value_or(m_.positions_from_ids ? 1 : 0);
    if (m_.padding >= m_.vocab) config_.fail(padding, "is no word");
    if (m_.positions_from_ids && m_.padding + 1 >= m_.position_rows) {
      config_.fail(padding, "leaves no position for a word");
    }
  }

  bool has_linear(const std::string& name) const { return weights_.has(name + ".weight"); }
  /// The first of these that is there, or none.
  std::string present(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      if (has_linear(name)) return name;
    }
    return {};
  }

  void read_sequence_heads() {
    m_.pooler = present({"pooler.dense", "pooler"});
    m_.next_sentence = present({"cls.seq_relationship"});
    m_.sentence_order = present({"sop_classifier.classifier"});
    m_.answer = present({"qa_outputs"});
    m_.classes = present({"classifier.out_proj", "classifier"});
    if (m_.classes == "classifier.out_proj") {
      m_.class_in = "classifier.dense";
      m_.class_activation = "tanh";
    } else if (!m_.classes.empty() && distil()) {
      m_.class_in = present({"pre_classifier"});
      m_.class_activation = "relu";
    }
    if (!m_.classes.empty()) m_.labels = dim(m_.classes + ".weight", 2, 0);
    const bool reads_pooled = !m_.classes.empty() && m_.class_in.empty();
    if (reads_pooled && m_.pooler.empty()) {
      throw FileError(request_.input, "tensor " + in_quotes(m_.classes + ".weight"),
                      "classes of every token are not supported, only of the sequence");
    }
  }

  void read_masked_lm() {
    struct Names {
      const char *in, *norm, *decoder, *bias;
    };
    constexpr Names kNames[] = {
        {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm",
         "cls.predictions.decoder", "cls.predictions.bias"},
        {"lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias"},
        {"vocab_transform", "vocab_layer_norm", "vocab_projector", "vocab_projector.bias"},
        {"predictions.dense", "predictions.LayerNorm", "predictions.decoder", "predictions.bias"}};
    for (const Names& names : kNames) {
      if (!has_linear(names.in)) continue;
      m_.lm_in = names.in;
      m_.lm_norm = names.norm;
      const std::string decoder = names.decoder;
      const bool tied = config_.boolean(config_.inside("tie_word_embeddings")).value_or(true);
      if (tied || !weights_.has(decoder + ".bias")) {
        m_.lm_bias = weights_.tie({names.bias, decoder + ".bias"});
      } else {  // then the head's own bias is a leftover
        m_.lm_bias = decoder + ".bias";
        if (m_.lm_bias != names.bias) weights_.skip(names.bias);
      }
      if (!tied && has_linear(decoder) && !weights_.same(kBertWords, decoder + ".weight")) {
        m_.lm_decoder = decoder;
      } else {
        weights_.tie({kBertWords, decoder + ".weight"});
      }
    }
  }

  /// PABEE's classifiers.
  void read_exits() {
    while (has_linear(exit_name(m_.exits))) ++m_.exits;
    if (m_.exits == 0) return;
    if (m_.exits != static_cast<int>(m_.order.size())) {
      throw FileError(request_.input, "exits",
                      std::to_string(m_.exits) + " classifiers for " +
                          std::to_string(m_.order.size()) + " layers");
    }
    m_.exit_labels = dim(exit_name(0) + ".weight", 2, 0);
    if (m_.exit_labels > 1) return;
    const auto said = config_.positive("regression_threshold");
    if (!said) notes_.push_back("regression threshold 1 assumed");
    m_.regression_threshold = said.value_or(1);
  }

  void read_vocabulary() {
    if (request_.vocab.empty()) return;
    if (m_.family == Family::roberta || m_.family == Family::albert) {
      throw FileError(request_.vocab, "vocabulary", "this family has no word pieces of this kind");
    }
    m_.tokens = word_pieces_of(request_.vocab, m_.vocab);
    id_of_piece(request_.vocab, m_.tokens, "[UNK]");  // the tokenizer needs it
  }

  /// Where the vocabulary has them, or as the config says.
  void read_special_ids() {
    struct Token {
      const char *name, *said, *piece;
    };
    constexpr Token kTokens[] = {{"unknown_token_id", "unk_token_id", "[UNK]"},
                                 {"bos_token_id", "bos_token_id", "<s>"},
                                 {"eos_token_id", "eos_token_id", "</s>"},
                                 {"cls_token_id", "cls_token_id", "[CLS]"},
                                 {"seperator_token_id", "sep_token_id", "[SEP]"},
                                 {"mask_token_id", "mask_token_id", "[MASK]"}};
    for (const Token& token : kTokens) {
      const auto found = std::find(m_.tokens.begin(), m_.tokens.end(), token.piece);
      std::optional<int> id = config_.index(config_.inside(token.said));
      if (found != m_.tokens.end()) id = static_cast<int>(found - m_.tokens.begin());
      if (!id) continue;
      if (*id < m_.vocab) {
        m_.special_ids.emplace_back(token.name, static_cast<std::uint32_t>(*id));
      } else {
        notes_.push_back(std::string(token.said) + " " + std::to_string(*id) +
                         " left out: the model has no such word");
      }
    }
  }

  const ConvertRequest& request_;
  CheckpointWeights& weights_;
  std::vector<std::string>& notes_;
  ConfigFile config_;
  BertModel m_;
};

}  // namespace

bool names_bert_family(const ConfigFile& config, Family& family) {
  if (const auto type = config.text(config.inside("model_type"))) {
    for (const FamilyName& known : kFamilies) {
      if (*type != known.name) continue;
      family = known.family;
      return true;
    }
    return false;
  }
  const auto classes = config.texts(config.inside("architectures"));
  for (const std::string& name : classes.value_or(std::vector<std::string>())) {
    for (const FamilyName& known : kFamilies) {
      const std::string prefix = known.prefix;
      const auto next = name.size() > prefix.size() ? name[prefix.size()] : ' ';
      const bool whole = next == 'F' || next == 'M' || next == 'P';  // For…, Model, PreTrained…
      if (name.compare(0, prefix.size(), prefix) != 0 || !whole) continue;
      family = known.family;
      return true;
    }
  }
  return false;
}

Checkpoint with_family_names(const Checkpoint& checkpoint) {
  Checkpoint out = checkpoint;
  std::set<std::string> names;
  for (Tensor& tensor : out.tensors) {
    tensor.name = family_name(tensor.name);
    if (!names.insert(tensor.name).second) {
      throw FileError(out.path, "tensor " + in_quotes(tensor.name), "is there under two names");
    }
  }
  for (auto& [dropped, kept] : out.aliases) {
    dropped = family_name(dropped);
    kept = family_name(kept);
  }
  return out;
}

std::string exit_name(int layer) { return "classifiers." + std::to_string(layer); }

BertModel describe_bert(const ConvertRequest& request, CheckpointWeights& weights,
                        std::vector<std::string>& notes) {
  return Description(request, weights, notes).make();
}

}  // namespace kinglet::tools
