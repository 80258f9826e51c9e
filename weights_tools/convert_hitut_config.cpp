// What a HiTUT checkpoint is: sizes from the tensors wherever their shapes can tell, the rest from
// the config.
//
//   from shapes     encoder, layers (not ALBERT's), widths, vocabulary, position and type rows
//   config          dims (heads, ALBERT's layers, parts of the sequence), layer_norm_eps, activation;
//                   sizes that shapes tell too must agree
//   experiment      (exp_config, training_args, or the whole file) flags, pred_head_pos, image_size;
//                   the parts of the sequence where neither dims nor tables tell them. Its other
//                   sizes are defaults that a pretrained encoder ignores; only for HiTUT's own
//                   encoder is head_num what was built.
//   tables          ids; modal_indicator must agree with the parts of the sequence

#include <optional>

#include "convert_hitut.hpp"
#include "convert_hitut_tables.hpp"

namespace kinglet::tools {
namespace {

using Encoder = HitutModel::Encoder;

class Description {
 public:
  Description(const ConvertRequest& request, CheckpointWeights& weights,
              std::vector<std::string>& notes)
      : request_(request), weights_(weights), notes_(notes), config_(request.config) {}

  HitutModel make() {
    m_.encoder = encoder();
    read_widths();
    read_layers();
    read_heads();
    read_numerics();
    read_behaviour();
    if (const auto parts = read_hitut_tables(request_, config_, m_)) parts_.push_back(*parts);
    read_sequence();
    read_names();
    return m_;
  }

 private:
  /// The place of an experiment's argument: nested in a config, or the config is the experiment's.
  std::string argument(const std::string& name) const {
    for (const char* parent : {"exp_config.", "training_args."}) {
      if (config_.has(parent + name)) return parent + name;
    }
    return name;
  }

  [[noreturn]] void unknown(const std::string& what, const std::string& remedy) const {
    throw FileError(config_.given() ? config_.path() : request_.input, what,
                    "is not known; " + remedy);
  }

  void note(const std::string& text) { notes_.push_back(text); }

  void expect(const std::string& key, int value) const {
    const auto said = config_.size(key);
    if (said && *said != value) {
      config_.fail(
          key, "is " + std::to_string(*said) + ", but the checkpoint has " + std::to_string(value));
    }
  }

  Encoder encoder() const {
    const bool scratch = weights_.has_prefix("encoder.layer_stack.");
    const auto use_bert = config_.boolean(argument("use_bert"));
    if (use_bert && *use_bert == scratch) {
      config_.fail(argument("use_bert"), "does not agree with the encoder in the checkpoint");
    }
    if (scratch) return Encoder::scratch;
    const bool albert = weights_.has_prefix("encoder.encoder.albert_layer_groups.");
    if (!albert && !weights_.has_prefix("encoder.encoder.layer.")) {
      throw FileError(request_.input, "encoder",
                      "no tensors of a HiTUT encoder (encoder.layer_stack, encoder.encoder.layer, "
                      "encoder.encoder.albert_layer_groups)");
    }
    std::optional<Encoder> seen;
    const std::string types = "encoder.embeddings.token_type_embeddings.weight";
    const std::int64_t rows = weights_.shape(types, 2)[0];
    if (albert) {
      seen = Encoder::albert;
    } else if (rows == 1 || rows == 2) {
      seen = rows == 1 ? Encoder::roberta : Encoder::bert;
    }
    const std::string key = argument("bert_model");
    const auto model = config_.text(key);
    if (!model) {
      if (!seen) {
        unknown("bert_model", "the checkpoint has " + std::to_string(rows) +
                                  " token types: neither RoBERTa's 1 nor BERT's 2");
      }
      return *seen;
    }
    const auto names = [&](const char* part) { return model->find(part) != std::string::npos; };
    if (names("distil") || !names("bert")) config_.fail(key, "is no encoder of HiTUT");
    const Encoder said = names("albert")    ? Encoder::albert
                         : names("roberta") ? Encoder::roberta
                                            : Encoder::bert;
    if (seen && said != *seen) {
      config_.fail(key, "is " + in_quotes(*model) + ", but the checkpoint looks like " +
                            name_of(*seen) + " (" + std::to_string(rows) + " token types)");
    }
    return said;
  }

  void read_widths() {
    if (m_.encoder == Encoder::scratch) {
      m_.word_table =
          weights_.tie({"word_emb.embedding.weight", "action_emb.word_embedding.embedding.weight",
                        "lang_to_enc_input.0.embedding.weight",
                        "action_to_enc_input.0.word_embedding.embedding.weight"});
      m_.hidden = dim("encoder.layer_norm.weight", 1, 0);
      m_.inner = dim("encoder.layer_stack.0.pos_ffn.w_1.weight", 2, 0);
      m_.position_rows = dim("positional_emb.weight", 2, 0);
    } else {
      m_.word_table = weights_.tie({"encoder.embeddings.word_embeddings.weight", "word_emb.weight",
                                    "action_emb.word_embedding.weight"});
      m_.position_rows = dim("encoder.embeddings.position_embeddings.weight", 2, 0);
      m_.type_rows = dim("encoder.embeddings.token_type_embeddings.weight", 2, 0);
    }
    m_.vocab = dim(m_.word_table, 2, 0);
    m_.embedding = dim(m_.word_table, 2, 1);
    if (m_.encoder == Encoder::albert) {
      m_.hidden = dim("encoder.encoder.embedding_hidden_mapping_in.weight", 2, 0);
      m_.inner = dim("encoder.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight", 2, 0);
    } else if (m_.encoder != Encoder::scratch) {
      m_.hidden = m_.embedding;
      m_.inner = dim("encoder.encoder.layer.0.intermediate.dense.weight", 2, 0);
    }
    expect("dims.hidden", m_.hidden);
    expect("dims.emb", m_.embedding);
    expect("dims.inner", m_.inner);
  }

  int dim(const std::string& name, std::size_t rank, std::size_t i) const {
    return static_cast<int>(weights_.shape(name, rank)[i]);
  }

  void read_layers() {
    const std::string stack =
        m_.encoder == Encoder::scratch ? "encoder.layer_stack." : "encoder.encoder.layer.";
    if (m_.encoder != Encoder::albert) {
      while (weights_.has_prefix(stack + std::to_string(m_.layers) + ".")) ++m_.layers;
      if (m_.layers == 0) throw FileError(request_.input, "encoder", "layer 0 is missing");
      m_.stored_layers = m_.layers;
      expect("dims.layers", m_.layers);
      return;
    }
    m_.stored_layers = 1;
    const auto said = config_.size("dims.layers");
    const auto built = config_.size(argument("enc_layer_num"));
    if (request_.layers || said) {
      m_.layers = request_.layers ? *request_.layers : *said;
    } else if (built && config_.size(argument("hidden_dim")) == m_.hidden) {
      m_.layers = *built;
      note(
          "ALBERT's layers share their weights, so the checkpoint cannot tell how many there "
          "are: " +
          argument("enc_layer_num") + " says " + std::to_string(*built) +
          " (--layers N if that is a default that the encoder ignored)");
    } else {
      unknown("the number of layers", "give --layers N (ALBERT's layers share their weights)");
    }
  }

  void read_heads() {
    const auto said = config_.size("dims.heads");
    if (request_.heads || said) {
      m_.heads = request_.heads ? *request_.heads : *said;
    } else if (m_.encoder == Encoder::scratch && config_.has(argument("head_num"))) {
      expect(argument("hidden_dim"), m_.hidden);
      m_.heads = *config_.size(argument("head_num"));
    } else {
      unknown("the number of attention heads", "give --heads N");
    }
    if (m_.hidden % m_.heads != 0) {
      throw FileError(
          request_.input, "attention",
          std::to_string(m_.heads) + " heads do not divide the width " + std::to_string(m_.hidden));
    }
  }

  void read_numerics() {
    const std::string key = "layer_norm_eps";
    const bool plain = config_.is_number(key);
    const auto everywhere = plain ? std::nullopt : config_.positive(key + ".everywhere");
    const auto said = plain ? config_.positive(key) : config_.positive(key + ".encoder");
    const auto posture = plain ? std::nullopt : config_.positive(key + ".pos_ln");
    if (request_.eps) {
      m_.eps = *request_.eps;
    } else if (said || everywhere) {
      m_.eps = said.value_or(everywhere.value_or(0));
    } else if (m_.encoder == Encoder::scratch) {
      m_.eps = 1e-6;
      note("layer-norm epsilon 1e-6 assumed, as published");
    } else {
      unknown("the layer-norm epsilon",
              "give --eps X (published: RoBERTa 1e-5, BERT and ALBERT "
              "1e-12)");
    }
    m_.posture_eps = posture.value_or(everywhere.value_or(1e-6));

    const auto activation = config_.text("activation");
    const auto starts = [&](std::string_view text) {
      return std::string_view(*activation).substr(0, text.size()) == text;
    };
    if (!activation) {
      m_.activation = m_.encoder == Encoder::scratch  ? "relu"
                      : m_.encoder == Encoder::albert ? "gelu_tanh"
                                                      : "gelu";
      note("activation " + m_.activation + " assumed, as published");
    } else if (starts("relu")) {
      m_.activation = "relu";
    } else if (starts("gelu")) {
      const bool tanh = starts("gelu_new") || activation->find("tanh") != std::string::npos;
      m_.activation = tanh ? "gelu_tanh" : "gelu";
    } else {
      config_.fail("activation", in_quotes(*activation) + " is not supported");
    }
  }

  void read_behaviour() {
    for (const char* name : {"disable_feat_lang", "disable_feat_vis", "disable_feat_action_his"}) {
      if (config_.boolean(argument(name)).value_or(false)) {
        config_.fail(argument(name), "a model trained so is not supported");
      }
    }
    const auto head = config_.text(argument("pred_head_pos"));
    if (!head) unknown("pred_head_pos", "it must be in the config (cls or sep)");
    if (*head != "cls" && *head != "sep") {
      config_.fail(argument("pred_head_pos"), in_quotes(*head) + " is neither cls nor sep");
    }
    m_.pred_head_pos = *head;
    const auto flag = [&](const char* name, bool otherwise) {
      return config_.boolean(argument(name)).value_or(otherwise);
    };
    m_.posture = flag("enable_feat_posture", weights_.has_prefix("rotation_emb."));
    if (m_.posture && m_.encoder == Encoder::albert) {
      config_.fail(argument("enable_feat_posture"), "is not possible with ALBERT");
    }
    // The published BERT path has the layer but never reads it.
    m_.history_vision = m_.encoder == Encoder::scratch &&
                        flag("enable_feat_vis_his", weights_.has_prefix("vis_his_to_enc_input."));
    m_.monitors = flag("auxiliary_loss_navi", true) && (weights_.has_prefix("visible_monitor.") ||
                                                        weights_.has_prefix("reached_monitor.") ||
                                                        weights_.has_prefix("progress_monitor."));
    const auto image = config_.positive(argument("image_size"));
    if (!image) note("image size 300 assumed, as published");
    m_.image_size = image.value_or(300);
  }

  void read_sequence() {
    const auto vision = config_.size("dims.vis_len");
    const auto language = config_.size("dims.lang_len");
    const auto history = config_.size("dims.his_len");
    if (vision && language && history) {
      parts_.push_back({config_.path() + ": dims", *vision, *language, *history});
    }
    const auto objects = config_.size(argument("topk_objs"));
    const auto words = config_.size(argument("lang_max_length"));
    const auto steps = config_.size(argument("history_max_length"));
    if (objects && words && steps) {
      const HitutParts said{config_.path() + ": " + argument("topk_objs"), *objects + 1, *words,
                            2 * *steps};
      if (parts_.empty()) {
        parts_.push_back(said);
      } else if (said.vision != parts_[0].vision || said.language != parts_[0].language ||
                 said.history != parts_[0].history) {
        note(said.where + " names other parts of the sequence; " + parts_[0].where + " decides");
      }
    }
    if (parts_.empty()) {
      unknown("the parts of the sequence",
              "give --tables with modal_indicator, or a config with dims or with topk_objs, "
              "lang_max_length and history_max_length");
    }
    const HitutParts& first = parts_.front();
    for (const HitutParts& parts : parts_) {
      if (parts.vision < 1 || parts.language < 1 || parts.history < 2 || parts.history % 2 != 0 ||
          parts.vision > m_.position_rows || parts.language > m_.position_rows ||
          parts.history > m_.position_rows) {
        throw FileError(request_.input, "sequence",
                        "no model has the parts that are in " + parts.where);
      }
      if (parts.vision != first.vision || parts.language != first.language ||
          parts.history != first.history) {
        throw FileError(request_.input, "sequence",
                        parts.where + " and " + first.where + " do not agree");
      }
    }
    m_.vision = first.vision;
    m_.language = first.language;
    m_.history = first.history;
    expect("dims.seq_len", m_.sequence());
  }

  void read_names() {
    for (const char* key : {"vocab.action_vocab", "action_vocab"}) {
      const auto names = config_.texts(key);
      if (!names) continue;
      if (names->size() != static_cast<std::size_t>(m_.actions())) {
        config_.fail(key, "has " + std::to_string(names->size()) + " names for " +
                              std::to_string(m_.actions()) + " actions");
      }
      m_.action_names = *names;
      break;
    }
    if (request_.vocab.empty()) return;
    if (m_.encoder == Encoder::roberta || m_.encoder == Encoder::albert) {
      throw FileError(request_.vocab, "vocabulary",
                      std::string(name_of(m_.encoder)) + " has no word pieces of this kind");
    }
    m_.tokens = word_pieces_of(request_.vocab, m_.vocab);
    const auto id_of = [&](const char* piece) {
      return id_of_piece(request_.vocab, m_.tokens, piece);
    };
    m_.unknown_token = id_of("[UNK]");
    m_.padding_token = id_of("[PAD]");
  }

  const ConvertRequest& request_;
  CheckpointWeights& weights_;
  std::vector<std::string>& notes_;
  ConfigFile config_;
  HitutModel m_;
  std::vector<HitutParts> parts_;
};

}  // namespace

const char* name_of(HitutModel::Encoder encoder) {
  switch (encoder) {
    case Encoder::roberta: return "roberta";
    case Encoder::bert: return "bert";
    case Encoder::albert: return "albert";
    case Encoder::scratch: return "scratch";
  }
  return "";
}

HitutModel describe_hitut(const ConvertRequest& request, CheckpointWeights& weights,
                          std::vector<std::string>& notes) {
  return Description(request, weights, notes).make();
}

}  // namespace kinglet::tools
