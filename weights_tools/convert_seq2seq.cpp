// ALFRED's Seq2Seq agent: which tensor of a checkpoint becomes which tensor of the model file. The
// visual encoder, the mask decoder and the progress monitors are each there or not, as a whole.

#include "convert_seq2seq.hpp"

#include <algorithm>
#include <ostream>

#include "convert_config.hpp"
#include "convert_mapping.hpp"
#include "progress.hpp"
#include "sha256.hpp"

namespace kinglet::tools {
namespace {

constexpr int kCells = 7 * 7;  // of a frame's features, and where masks begin
constexpr const char* kVision = "dec.vis_encoder.";
constexpr const char* kMasks = "dec.mask_dec.";

class Mapping : private TensorMapping {
 public:
  Mapping(const Seq2SeqModel& model, WeightSource& weights) : TensorMapping(weights), m_(model) {}

  TensorPlan make() {
    const int d = m_.width(), m = m_.embedding, in = m_.cell_in(), cont = d + in;
    table("token_embd", "emb_word.weight", m_.words, m);
    lstm("lang.fwd_", lstm_names("enc", "_l0"), m_.hidden, m);
    lstm("lang.bwd_", lstm_names("enc", "_l0_reverse"), m_.hidden, m);
    plan_.vector("lang.pool.weight", d, as_one_row("enc_att.scorer.weight", d));
    if (m_.vision) visual_encoder();
    linear("dec.query", {"dec.h_tm1_fc"}, d, d, true);
    lstm("dec.", lstm_names("dec.cell", ""), d, in);
    plan_.vector("dec.go.weight", m, from("dec.go", {m}));
    linear("dec.actor", {"dec.actor"}, m, cont, true);
    plan_.matrix("action_embd.weight", 1, m_.actions, m,
                 from("emb_action_low.weight", {m_.actions, m}));
    if (m_.monitors) {
      plan_.matrix("dec.monitors.weight", 1, 2, cont,
                   join({"dec.subgoal.weight", "dec.progress.weight"}, {1, cont}));
      plan_.bias("dec.monitors.bias", 1, 2, join({"dec.subgoal.bias", "dec.progress.bias"}, {1}));
    }
    if (m_.masks) mask_decoder(cont);
    return std::move(plan_);
  }

 private:
  /// A matrix of one row, element by element.
  FillRows as_one_row(const std::string& name, int k) {
    const FillRows row = from(name, {1, k});
    return [row, k](std::int64_t first, std::int64_t count, float* out) {
      std::vector<float> all(static_cast<std::size_t>(k));
      row(0, 1, all.data());
      std::copy_n(all.begin() + first, count, out);
    };
  }

  void visual_encoder() {
    const std::string at = kVision;
    convolution("vis.conv1", at + "conv1", at + "bn1", 256, 512, 1);
    convolution("vis.conv2", at + "conv2", at + "bn2", 64, 256, 1);
    linear_reading_cells("vis.fc", at + "fc", m_.frame, 64, kCells);
  }

  void mask_decoder(int cont) {
    const std::string at = kMasks;
    linear_writing_cells("mask.fc", at + "d1", 64, kCells, cont);
    conv_transpose("mask.up3", at + "dconv3", at + "bn2", 32, 64, true);
    conv_transpose("mask.up2", at + "dconv2", at + "bn1", 16, 32, true);
    conv_transpose("mask.up1", at + "dconv1", "", 1, 16, false);
  }

  const Seq2SeqModel& m_;
};

/// The texts of all ids: from the checkpoint, a file or the config; none where nobody has them. Two
/// that say different things are an error.
std::vector<std::string> texts_of(const Checkpoint& checkpoint, const char* list,
                                  const std::string& file, const ConfigFile& config,
                                  std::initializer_list<const char*> keys, int count) {
  std::vector<std::string> texts;
  const auto take = [&](const std::string& path, const std::string& where,
                        std::vector<std::string> found) {
    if (found.size() != static_cast<std::size_t>(count))
      throw FileError(
          path, where,
          std::to_string(found.size()) + " texts for " + std::to_string(count) + " ids");
    if (!texts.empty() && texts != found)
      throw FileError(path, where, "differs from what is in the checkpoint");
    texts = std::move(found);
  };
  for (const auto& [name, stored] : checkpoint.lists)
    if (name == list) take(checkpoint.path, list, stored);
  if (!file.empty()) take(file, "vocabulary", lines_of(file));
  for (const char* key : keys)
    if (const auto stored = config.texts(key)) take(config.path(), key, *stored);
  return texts;
}

/// What the script's arguments in the checkpoint say, the config, or the user.
int mask_size_of(const ConvertRequest& request, const Checkpoint& checkpoint,
                 const ConfigFile& config, std::vector<std::string>& notes) {
  constexpr int kMost = 4096;
  if (request.mask_size) return *request.mask_size;
  for (const auto& [key, value] : checkpoint.metadata) {
    if (key != "args.pframe") continue;
    const bool number = !value.empty() && value.size() <= 4 &&
                        value.find_first_not_of("0123456789") == std::string::npos;
    const int size = number ? std::stoi(value) : 0;
    if (size < 1 || size > kMost)
      throw FileError(request.input, key, in_quotes(value) + " is no size of a mask");
    return size;
  }
  for (const char* key : {"pframe", "args.pframe", "dims.pframe", "training_args.pframe"}) {
    const auto size = config.size(key);
    if (size && *size > kMost) config.fail(key, "is no size of a mask");
    if (size) return *size;
  }
  constexpr int kPublished = 300;
  notes.push_back("masks are assumed to be 300 x 300, as published; --mask-size says otherwise");
  return kPublished;
}

Seq2SeqModel describe(const ConvertRequest& request, CheckpointWeights& weights,
                      std::vector<std::string>& notes) {
  const ConfigFile config(request.config);
  const Checkpoint& checkpoint = weights.checkpoint();
  const auto dim = [](std::int64_t n) { return static_cast<int>(n); };
  Seq2SeqModel m;
  const Shape words = weights.shape("emb_word.weight", 2);
  m.words = dim(words[0]);
  m.embedding = dim(words[1]);
  const std::string actions = weights.tie({"emb_action_low.weight", "dec.emb.weight"});
  m.actions = dim(weights.shape(actions, 2)[0]);
  m.hidden = dim(weights.shape("enc.weight_hh_l0", 2)[1]);
  const Shape cell = weights.shape("dec.cell.weight_ih", 2);
  m.frame = dim(cell[1]) - m.width() - m.embedding;
  if (m.frame < 1)
    throw FileError(request.input, "tensor 'dec.cell.weight_ih'",
                    "has the shape " + shape_text(cell) + ", too narrow for words of " +
                        std::to_string(m.width()) + " and actions of " +
                        std::to_string(m.embedding));
  m.monitors = weights.has_prefix("dec.subgoal.") || weights.has_prefix("dec.progress.");
  m.vision = weights.has_prefix(kVision);
  m.masks = weights.has_prefix(kMasks);
  if (m.masks) m.mask_size = mask_size_of(request, checkpoint, config, notes);
  m.word_names = texts_of(checkpoint, "vocab.word._index2word", request.vocab, config,
                          {"vocab_words.word", "word_vocab"}, m.words);
  m.action_names = texts_of(checkpoint, "vocab.action_low._index2word", {}, config,
                            {"vocab_words.action_low", "action_vocab"}, m.actions);
  if (m.word_names.empty()) notes.push_back("nobody says what the words are: they stay numbers");
  if (m.action_names.empty())
    notes.push_back("nobody says what the actions are: they stay numbers");
  return m;
}

void summarize(const Seq2SeqModel& m, const CheckpointWeights& weights, const TensorPlan& plan,
               const std::vector<std::string>& notes, std::ostream& report) {
  report << "encoder   bidirectional LSTM, 2 x " << m.hidden << ", " << m.words
         << " words of width " << m.embedding << '\n'
         << "decoder   LSTM, width " << m.width() << ", reads " << m.cell_in() << " = " << m.frame
         << " frame + " << m.width() << " words + " << m.embedding << " action\n"
         << "heads     " << m.actions << " actions" << (m.monitors ? "; progress monitors" : "");
  if (m.masks) report << "; masks " << m.mask_size << " x " << m.mask_size;
  report << '\n';
  if (!m.vision) report << "note      no visual encoder: callers give features of the frame\n";
  if (!m.masks) report << "note      no mask decoder: the model has no masks\n";
  report_source(report, weights, notes, plan);
}

}  // namespace

TensorPlan plan_seq2seq(const Seq2SeqModel& model, WeightSource& weights) {
  return Mapping(model, weights).make();
}

void write_seq2seq(OutputFile& out, const Seq2SeqModel& m, const TensorPlan& plan,
                   const std::function<void(std::size_t done, std::size_t all)>& progress) {
  const auto number = [](int value) { return static_cast<std::uint32_t>(value); };
  GgufWriter file(out, "alfred-seq2seq");
  file.add_string("kinglet.source.sha256", m.source_sha256);
  file.add_u64("kinglet.source.parameters", m.source_parameters);
  file.add_string("kinglet.recipe", m.recipe);
  file.add_u32("alfred-seq2seq.embedding_length", number(m.embedding));
  file.add_u32("alfred-seq2seq.hidden_length", number(m.hidden));
  file.add_u32("alfred-seq2seq.frame_length", number(m.frame));
  file.add_u32("alfred-seq2seq.vocab_size", number(m.words));
  file.add_u32("alfred-seq2seq.action_count", number(m.actions));
  file.add_u32("alfred-seq2seq.mask_size", number(m.mask_size));
  file.add_bool("alfred-seq2seq.monitors", m.monitors);
  file.add_bool("alfred-seq2seq.vision", m.vision);
  file.add_bool("alfred-seq2seq.masks", m.masks);
  plan.add_panel_values(file);
  if (!m.action_names.empty()) file.add_strings("alfred-seq2seq.action_names", m.action_names);
  if (!m.word_names.empty()) {
    file.add_string("tokenizer.ggml.model", "words");
    const auto pad = std::find(m.word_names.begin(), m.word_names.end(), "<<pad>>");
    if (pad != m.word_names.end())
      file.add_u32("tokenizer.ggml.padding_token_id",
                   static_cast<std::uint32_t>(pad - m.word_names.begin()));
    file.add_strings("tokenizer.ggml.tokens", m.word_names);
  }
  plan.write(file, progress);
}

bool holds_seq2seq(const Checkpoint& checkpoint) {
  return checkpoint.find("emb_word.weight") != nullptr &&
         checkpoint.find("enc_att.scorer.weight") != nullptr &&
         checkpoint.find("dec.cell.weight_ih") != nullptr;
}

void convert_seq2seq(const ConvertRequest& request, std::ostream& report) {
  const Checkpoint checkpoint = read_checkpoint(request.input);
  CheckpointWeights weights(checkpoint);
  std::vector<std::string> notes;
  Seq2SeqModel model = describe(request, weights, notes);
  const TensorPlan plan = plan_seq2seq(model, weights);
  weights.skip("enc_att.scorer.bias");  // the same for all words: falls out of the softmax
  for (const char* group : {kVision, kMasks})
    for (const char* norm : {"bn1", "bn2"})
      weights.skip(std::string(group) + norm + ".num_batches_tracked");
  weights.check_all_used();
  model.source_parameters = weights.parameters();
  model.source_sha256 = sha256_hex(MappedFile::open(request.input)->bytes());
  model.recipe = "convert alfred-seq2seq";

  OutputFile out(request.output, request.inputs());
  write_seq2seq(out, model, plan, terminal_progress("convert"));
  out.commit();
  summarize(model, weights, plan, notes, report);
}

}  // namespace kinglet::tools
