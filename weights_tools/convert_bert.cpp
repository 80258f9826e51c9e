// BERT and its relatives: which tensor of a checkpoint becomes which tensor of the model file.

#include "convert_bert.hpp"

#include <ostream>

#include "progress.hpp"
#include "sha256.hpp"

namespace kinglet::tools {
namespace {

class Mapping : private TensorMapping {
 public:
  Mapping(const BertModel& model, WeightSource& weights) : TensorMapping(weights), m_(model) {}

  TensorPlan make() {
    embeddings();
    for (std::size_t i = 0; i < m_.stored.size(); ++i)
      encoder_layer(static_cast<int>(i), m_.stored[i], m_.hidden, m_.inner, true);
    heads();
    return std::move(plan_);
  }

 private:
  void embeddings() {
    const int e = m_.embedding;
    if (m_.tied_lm()) {  // stored once, as the decoder's panels
      plan_.matrix("token_embd.weight", 1, m_.vocab, e, from(kBertWords, {m_.vocab, e}));
      plan_.bias("token_embd.bias", 1, m_.vocab, from(m_.lm_bias, {m_.vocab}));
    } else {
      table("token_embd", kBertWords, m_.vocab, e);
    }
    if (!m_.types.empty()) weights_.require(m_.types, {m_.type_rows, e});
    if (m_.types_fold && !m_.types.empty()) {
      weights_.require(kBertPositions, {m_.position_rows, e});
      plan_.table("position_embd.weight", m_.position_rows, e,
                  position_rows(kBertPositions, 0, m_.types, e, [](std::int64_t) { return 0; }));
    } else {
      table("position_embd", kBertPositions, m_.position_rows, e);
    }
    if (!m_.types_fold) table("token_types", m_.types, m_.type_rows, e);
    norm("token_embd_norm", "embeddings.LayerNorm", e);
    if (!m_.mapping.empty()) linear("embd_to_hidden", {m_.mapping}, m_.hidden, e, true);
  }

  void heads() {
    const int h = m_.hidden, e = m_.embedding;
    const auto head = [&](const char* name, const std::string& source, int n) {
      if (!source.empty()) linear(name, {source}, n, h, true);
    };
    head("pooler", m_.pooler, h);
    head("classes_in", m_.class_in, h);
    head("classes", m_.classes, m_.labels);
    head("next_sentence", m_.next_sentence, 2);
    head("sentence_order", m_.sentence_order, 2);
    head("answer", m_.answer, 2);
    for (int i = 0; i < m_.exits; ++i)
      linear("exit." + std::to_string(i), {exit_name(i)}, m_.exit_labels, h, true);
    if (m_.lm_in.empty()) return;
    head("masked_lm_in", m_.lm_in, e);
    norm("masked_lm_norm", m_.lm_norm, e);
    if (m_.tied_lm()) return;
    plan_.matrix("masked_lm.weight", 1, m_.vocab, e,
                 from(m_.lm_decoder + ".weight", {m_.vocab, e}));
    plan_.bias("masked_lm.bias", 1, m_.vocab, from(m_.lm_bias, {m_.vocab}));
  }

  const BertModel& m_;
};

const char* name_of(BertModel::Family family) {
  switch (family) {
    case BertModel::Family::bert: return "bert";
    case BertModel::Family::roberta: return "roberta";
    case BertModel::Family::distilbert: return "distilbert";
    case BertModel::Family::albert: return "albert";
  }
  return "";
}

void add_values(GgufWriter& file, const BertModel& m) {
  const auto number = [](auto value) { return static_cast<std::uint32_t>(value); };
  const auto key = [&](const char* rest) { return m.architecture + "." + rest; };
  file.add_string("kinglet.source.sha256", m.source_sha256);
  file.add_u64("kinglet.source.parameters", m.source_parameters);
  file.add_string("kinglet.recipe", m.recipe);
  file.add_string(key("family"), name_of(m.family));
  file.add_u32(key("block_count"), number(m.order.size()));
  file.add_u32(key("stored_block_count"), number(m.stored.size()));
  if (m.stored.size() != 1 && m.stored.size() != m.order.size())
    file.add_u32s(key("block_order"), m.order);
  file.add_u32(key("embedding_length"), number(m.hidden));
  file.add_u32(key("word_embedding_length"), number(m.embedding));
  file.add_u32(key("feed_forward_length"), number(m.inner));
  file.add_u32(key("attention.head_count"), number(m.heads));
  file.add_f32(key("attention.layer_norm_epsilon"), static_cast<float>(m.eps));
  file.add_string(key("activation"), m.activation);
  file.add_u32(key("context_length"),
               number(m.position_rows - (m.positions_from_ids ? m.padding + 1 : 0)));
  file.add_u32(key("position_count"), number(m.position_rows));
  file.add_bool(key("positions_from_ids"), m.positions_from_ids);
  file.add_u32(key("vocab_size"), number(m.vocab));
  file.add_u32(key("token_type_count"), number(m.types_fold ? 0 : m.type_rows));
  file.add_u32(key("label_count"), number(m.labels));
  if (m.exits > 0) file.add_u32(key("exit_label_count"), number(m.exit_labels));
  if (m.exits > 0 && m.exit_labels == 1)
    file.add_f32(key("regression_threshold"), static_cast<float>(m.regression_threshold));
  if (!m.class_in.empty()) file.add_string(key("classes.activation"), m.class_activation);
  if (!m.lm_in.empty()) file.add_string(key("masked_lm.activation"), m.lm_activation);
  file.add_u32("tokenizer.ggml.padding_token_id", number(m.padding));
  for (const auto& [name, id] : m.special_ids) file.add_u32("tokenizer.ggml." + name, id);
}

void add_words(GgufWriter& file, const BertModel& m) {
  if (m.tokens.empty()) return;
  file.add_string("tokenizer.ggml.model", "bert");
  file.add_strings("tokenizer.ggml.tokens", m.tokens);
}

void summarize(const BertModel& m, const CheckpointWeights& weights, const TensorPlan& plan,
               const std::vector<std::string>& notes, std::ostream& report) {
  report << "encoder   " << name_of(m.family) << ", " << m.order.size() << " layers";
  if (m.stored.size() < m.order.size()) report << ", " << m.stored.size() << " stored";
  report << ", width " << m.hidden << ", " << m.heads << " heads, feed-forward " << m.inner << ", "
         << m.vocab << " words of width " << m.embedding << '\n';
  std::string heads;
  const auto head = [&](const char* name, bool there) {
    if (there) heads += (heads.empty() ? "" : ", ") + std::string(name);
  };
  head("pooled", !m.pooler.empty());
  head((std::to_string(m.labels) + " classes").c_str(), m.labels > 0);
  head("masked words", !m.lm_in.empty());
  head("next sentence", !m.next_sentence.empty());
  head("sentence order", !m.sentence_order.empty());
  head("answer", !m.answer.empty());
  head(("an exit of " + std::to_string(m.exit_labels) + " after each layer").c_str(), m.exits > 0);
  report << "heads     " << (heads.empty() ? "none" : heads) << "\nnumerics  " << m.activation
         << ", layer-norm epsilon " << m.eps << '\n';
  report_source(report, weights, notes, plan);
}

}  // namespace

TensorPlan plan_bert(const BertModel& model, WeightSource& weights) {
  return Mapping(model, weights).make();
}

void write_bert(OutputFile& out, const BertModel& model, const TensorPlan& plan,
                const std::function<void(std::size_t done, std::size_t all)>& progress) {
  GgufWriter file(out, model.architecture);
  add_values(file, model);
  plan.add_panel_values(file);
  add_words(file, model);
  plan.write(file, progress);
}

void convert_bert(const ConvertRequest& request, std::ostream& report) {
  const Checkpoint checkpoint = with_family_names(read_checkpoint(request.input));
  CheckpointWeights weights(checkpoint);
  std::vector<std::string> notes;
  BertModel model = describe_bert(request, weights, notes);
  model.architecture = model.exits > 0 ? "pabee" : "bert";
  model.recipe = "convert " + model.architecture;
  const TensorPlan plan = plan_bert(model, weights);
  weights.skip("embeddings.position_ids");
  weights.skip("embeddings.token_type_ids");
  weights.check_all_used();
  model.source_parameters = weights.parameters();
  model.source_sha256 = sha256_hex(MappedFile::open(request.input)->bytes());

  OutputFile out(request.output, request.inputs());
  write_bert(out, model, plan, terminal_progress("convert"));
  out.commit();
  summarize(model, weights, plan, notes, report);
}

}  // namespace kinglet::tools
