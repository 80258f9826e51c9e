// HiTUT: which tensor of a published checkpoint becomes which tensor of the model file. What can be
// computed from the weights alone is computed here: q, k, v side by side, position and type rows
// added, the embedding of every action (a sum of word rows, pads included) and of the candidates.

#include "convert_hitut.hpp"

#include <algorithm>
#include <iterator>
#include <ostream>

#include "convert_mapping.hpp"
#include "progress.hpp"
#include "sha256.hpp"

namespace kinglet::tools {
namespace {

using Encoder = HitutModel::Encoder;

constexpr int kFeatures = 7;  // box corners, width, height, score
constexpr int kRotations = 4;
constexpr int kHorizons = 12;
constexpr int kModalities = 5;  // pad, vision, words, history, [CLS]

// Never read by inference, whatever they hold; the last ones only where a feature is off.
constexpr const char* kUnused[] = {"arg_head.",
                                   "high_head.",
                                   "low_head.",
                                   "encoder.pooler.",
                                   "encoder.embeddings.position_ids",
                                   "encoder.embeddings.token_type_ids",
                                   "vis_his_to_enc_input.",
                                   "rotation_emb.",
                                   "horizon_emb.",
                                   "pos_ln.",
                                   "visible_monitor.",
                                   "reached_monitor.",
                                   "progress_monitor."};

class Mapping : private TensorMapping {
 public:
  Mapping(const HitutModel& model, WeightSource& weights)
      : TensorMapping(weights), m_(model), scratch_(model.encoder == Encoder::scratch) {}

  TensorPlan make() {
    embeddings();
    if (scratch_) {
      projected_inputs();
    } else {
      linear("vision_in", {"vis_feat_to_emb.0"}, m_.embedding, kFeatures, true);
    }
    if (m_.posture) posture();
    for (int i = 0; i < m_.stored_layers; ++i)
      encoder_layer(i, names_of_layer(i), m_.hidden, m_.inner, !scratch_);
    heads();
    return std::move(plan_);
  }

 private:
  /// E(id) = sum of the action's word rows, in their order, in float.
  FillRows action_rows(const Ids& ids) {
    const HitutModel* model = &m_;
    return [model, source = &weights_, ids](std::int64_t first, std::int64_t count, float* out) {
      const auto e = static_cast<std::size_t>(model->embedding);
      std::vector<float> word(e);
      for (std::int64_t i = first; i < first + count; ++i, out += e) {
        const std::size_t row =
            static_cast<std::size_t>(ids[static_cast<std::size_t>(i)]) * model->words_per_action;
        std::fill(out, out + e, 0.0f);
        for (std::size_t w = 0; w < model->words_per_action; ++w) {
          source->load(model->word_table, model->action_words[row + w], 1, word.data());
          for (std::size_t j = 0; j < e; ++j) out[j] += word[j];
        }
      }
    };
  }

  void embeddings() {
    const int e = m_.embedding;
    const int s = m_.sequence();
    table("token_embd", m_.word_table, m_.vocab, e);
    Ids all(static_cast<std::size_t>(m_.actions()));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
    plan_.table("action_embd.weight", m_.actions(), e, action_rows(all));

    const int width = scratch_ ? m_.hidden : e;
    const int offset = m_.encoder == Encoder::roberta ? 2 : 0;  // padding_idx + 1
    const std::string positions =
        scratch_ ? "positional_emb.weight" : "encoder.embeddings.position_embeddings.weight";
    const std::string types =
        scratch_ ? "modality_emb.weight" : "encoder.embeddings.token_type_embeddings.weight";
    weights_.require(positions, {std::max(m_.position_rows, s + offset), width});
    weights_.require(types, {scratch_ ? kModalities : m_.type_rows, width});
    const int words_at = 1 + m_.vision;
    const int history_at = words_at + m_.language;
    const auto modality = [=, scratch = scratch_](std::int64_t p) {
      if (!scratch) return 0;
      return p == 0 ? 4 : p < words_at ? 1 : p < history_at ? 2 : 3;
    };
    plan_.table("position_embd.weight", s, width,
                position_rows(positions, offset, types, width, modality));
    norm("token_embd_norm", scratch_ ? "encoder.layer_norm" : "encoder.embeddings.LayerNorm",
         width);
    if (m_.encoder == Encoder::albert) {
      linear("embd_to_hidden", {"encoder.encoder.embedding_hidden_mapping_in"}, m_.hidden, e, true);
    }
  }

  /// Every kind of token passes a Linear and a norm.
  void projected_inputs() {
    const auto input = [&](const char* name, const std::string& source, int first, int k) {
      linear(name, {source + "." + std::to_string(first)}, m_.hidden, k, true);
      norm(std::string(name) + "_norm", source + "." + std::to_string(first + 1), m_.hidden);
    };
    input("vision_in", "vision_to_enc_input", 0, m_.embedding + kFeatures);
    input("word_in", "lang_to_enc_input", 1, m_.embedding);
    input("action_in", "action_to_enc_input", 1, m_.embedding);
    if (m_.history_vision) {
      input("history_in", "vis_his_to_enc_input", 0, m_.embedding + kFeatures);
    }
  }

  void posture() {
    table("rotation_embd", "rotation_emb.weight", kRotations, m_.hidden);
    table("horizon_embd", "horizon_emb.weight", kHorizons, m_.hidden);
    norm("posture_norm", "pos_ln", m_.hidden);
  }

  LayerNames names_of_layer(int i) const {
    const std::string number = std::to_string(i);
    switch (m_.encoder) {
      case Encoder::roberta:
      case Encoder::bert: return bert_layer("encoder.encoder.layer." + number + ".");
      case Encoder::albert:
        return albert_layer("encoder.encoder.albert_layer_groups.0.albert_layers.0.");
      case Encoder::scratch: break;
    }
    const std::string at = "encoder.layer_stack." + number + ".";
    const std::string self = at + "slf_attn.";
    const std::string ffn = at + "pos_ffn.";
    return {self + "w_qs",       self + "w_ks", self + "w_vs", self + "fc",
            self + "layer_norm", ffn + "w_1",   ffn + "w_2",   ffn + "layer_norm"};
  }

  void heads() {
    const int h = m_.hidden;
    const int e = m_.embedding;
    if (h != e) {
      linear("high_proj", {"fc1"}, e, h, true);
      linear("low_proj", {"fc2"}, e, h, true);
      linear("arg_proj", {"fc3"}, e, h, true);
    }
    const auto candidates = [&](const char* name, const Ids& ids) {
      plan_.matrix(name, 1, static_cast<int>(ids.size()), e, action_rows(ids));
    };
    candidates("high_actions.weight", m_.high_actions);
    candidates("low_actions.weight", m_.low_actions);
    candidates("objects.weight", m_.objects);
    if (m_.monitors) {
      const char* weights[] = {"visible_monitor.weight", "reached_monitor.weight",
                               "progress_monitor.weight"};
      const char* biases[] = {"visible_monitor.bias", "reached_monitor.bias",
                              "progress_monitor.bias"};
      plan_.matrix("monitors.weight", 1, 3, h,
                   join({std::begin(weights), std::end(weights)}, {1, h}));
      plan_.bias("monitors.bias", 1, 3, join({std::begin(biases), std::end(biases)}, {1}));
    }
  }

  const HitutModel& m_;
  const bool scratch_;
};

std::vector<std::uint32_t> unsigned_of(const Ids& ids) { return {ids.begin(), ids.end()}; }

void summarize(const HitutModel& m, const CheckpointWeights& weights, const TensorPlan& plan,
               const std::vector<std::string>& notes, std::ostream& report) {
  report << "encoder   " << name_of(m.encoder) << ", " << m.layers << " layers"
         << (m.stored_layers < m.layers ? " stored once" : "") << ", width " << m.hidden << ", "
         << m.heads << " heads, feed-forward " << m.inner << ", " << m.vocab << " words of width "
         << m.embedding << '\n'
         << "sequence  " << m.sequence() << " = 1 + " << m.vision << " vision + " << m.language
         << " words + " << m.history << " history\n"
         << "heads     " << m.high_actions.size() << " sub-goals, " << m.low_actions.size()
         << " actions, " << m.objects.size() << " objects; navigation reads " << m.pred_head_pos
         << (m.posture ? "; posture" : "") << (m.history_vision ? "; history vision" : "")
         << (m.monitors ? "; navigation monitors" : "") << '\n'
         << "numerics  " << m.activation << ", layer-norm epsilon " << m.eps;
  if (m.posture) report << " (posture " << m.posture_eps << ')';
  report << '\n';
  if (m.type_rows > 1) {
    report << "skipped   encoder.embeddings.token_type_embeddings.weight, all rows but the first\n";
  }
  report_source(report, weights, notes, plan);
}

}  // namespace

TensorPlan plan_hitut(const HitutModel& model, WeightSource& weights) {
  return Mapping(model, weights).make();
}

void write_hitut(OutputFile& out, const HitutModel& m, const TensorPlan& plan,
                 const std::function<void(std::size_t done, std::size_t all)>& progress) {
  const auto number = [](auto value) { return static_cast<std::uint32_t>(value); };
  GgufWriter file(out, "hitut");
  file.add_string("kinglet.source.sha256", m.source_sha256);
  file.add_u64("kinglet.source.parameters", m.source_parameters);
  file.add_string("kinglet.recipe", m.recipe);
  file.add_u32("hitut.block_count", number(m.layers));
  file.add_u32("hitut.stored_block_count", number(m.stored_layers));
  file.add_u32("hitut.embedding_length", number(m.hidden));
  file.add_u32("hitut.word_embedding_length", number(m.embedding));
  file.add_u32("hitut.feed_forward_length", number(m.inner));
  file.add_u32("hitut.attention.head_count", number(m.heads));
  file.add_f32("hitut.attention.layer_norm_epsilon", static_cast<float>(m.eps));
  file.add_f32("hitut.posture_layer_norm_epsilon", static_cast<float>(m.posture_eps));
  file.add_string("hitut.activation", m.activation);
  file.add_string("hitut.encoder", name_of(m.encoder));
  file.add_u32("hitut.context_length", number(m.sequence()));
  file.add_u32("hitut.vision_length", number(m.vision));
  file.add_u32("hitut.language_length", number(m.language));
  file.add_u32("hitut.history_length", number(m.history));
  file.add_u32("hitut.vocab_size", number(m.vocab));
  file.add_u32("hitut.action_vocab_size", number(m.actions()));
  file.add_f32("hitut.image_size", static_cast<float>(m.image_size));
  file.add_string("hitut.pred_head_pos", m.pred_head_pos);
  file.add_bool("hitut.posture", m.posture);
  file.add_bool("hitut.history_vision", m.history_vision);
  file.add_bool("hitut.navigation_monitors", m.monitors);
  file.add_u32s("hitut.high_actions", unsigned_of(m.high_actions));
  file.add_u32s("hitut.low_actions", unsigned_of(m.low_actions));
  file.add_u32s("hitut.objects", unsigned_of(m.objects));
  if (!m.action_names.empty()) file.add_strings("hitut.action_names", m.action_names);
  plan.add_panel_values(file);
  if (!m.tokens.empty()) {
    file.add_string("tokenizer.ggml.model", "bert");
    file.add_u32("tokenizer.ggml.unknown_token_id", number(m.unknown_token));
    file.add_u32("tokenizer.ggml.padding_token_id", number(m.padding_token));
    file.add_strings("tokenizer.ggml.tokens", m.tokens);
  }
  plan.write(file, progress);
}

void convert_hitut(const ConvertRequest& request, std::ostream& report) {
  const Checkpoint checkpoint = read_checkpoint(request.input);
  CheckpointWeights weights(checkpoint);
  std::vector<std::string> notes;
  HitutModel model = describe_hitut(request, weights, notes);
  const TensorPlan plan = plan_hitut(model, weights);
  for (const char* name : kUnused) weights.skip(name);
  weights.check_all_used();
  model.source_parameters = weights.parameters();
  const auto input = MappedFile::open(request.input);
  model.source_sha256 = sha256_hex(input->bytes());
  model.recipe = "convert hitut";

  OutputFile out(request.output, request.inputs());
  write_hitut(out, model, plan, terminal_progress("convert"));
  out.commit();
  summarize(model, weights, plan, notes, report);
}

}  // namespace kinglet::tools
