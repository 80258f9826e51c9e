#include "bert_session.hpp"

#include <algorithm>

#include "file_error.hpp"
#include "nan.hpp"

namespace kinglet::tools {
namespace {

struct Head {
  bert::Wanted wanted;
  const char* name;
};
constexpr Head kHeads[] = {{bert::kLastHidden, "last_hidden_state"},
                           {bert::kPooled, "pooler_output"},
                           {bert::kClasses, "logits"},
                           {bert::kMaskedLm, "prediction_logits"},
                           {bert::kNextSentence, "seq_relationship_logits"},
                           {bert::kSentenceOrder, "sop_logits"},
                           {bert::kAnswer, "answer"},
                           {bert::kEmbedding, "embedding"}};
constexpr unsigned kDescribing = bert::kLastHidden | bert::kPooled | bert::kEmbedding;

/// Memory for the results of `rows` rows.
struct Results {
  Results(const bert::Config& config, unsigned wanted_heads, int count, int length, int each_lm)
      : c(config), wanted(wanted_heads), rows(count), seq(length), lm_each(each_lm) {
    const auto take = [&](std::vector<float>& x, unsigned head, int a, int b = 1) {
      if ((wanted & head) == 0) return;
      x.resize(static_cast<std::size_t>(rows) * static_cast<std::size_t>(a) *
               static_cast<std::size_t>(b));
    };
    take(last_hidden, bert::kLastHidden, seq, c.hidden);
    take(pooled, bert::kPooled, c.hidden);
    take(classes, bert::kClasses, c.labels);
    take(masked_lm, bert::kMaskedLm, places(), c.lm_words);
    take(next_sentence, bert::kNextSentence, 2);
    take(sentence_order, bert::kSentenceOrder, 2);
    take(answer_start, bert::kAnswer, seq);
    take(answer_end, bert::kAnswer, seq);
    take(embedding, bert::kEmbedding, c.hidden);
  }

  int places() const { return lm_each > 0 ? lm_each : seq; }

  /// Where a run leaves the results of its rows, the first of which is `row`.
  bert::Output at(int row) {
    const auto part = [&](std::vector<float>& x) {
      return x.data() + x.size() / static_cast<std::size_t>(rows) * static_cast<std::size_t>(row);
    };
    return {part(last_hidden),  part(pooled),        part(classes),
            part(masked_lm),    part(next_sentence), part(sentence_order),
            part(answer_start), part(answer_end),    part(embedding)};
  }

  std::vector<Values> values() const {
    std::vector<Values> out;
    const auto add = [&](const char* name, const std::vector<float>& x,
                         std::vector<std::int64_t> shape) {
      shape.insert(shape.begin(), rows);
      if (!x.empty()) out.push_back(values_from(name, shape, x));
    };
    add("last_hidden_state", last_hidden, {seq, c.hidden});
    add("pooler_output", pooled, {c.hidden});
    add("logits", classes, {c.labels});
    add("prediction_logits", masked_lm, {places(), c.lm_words});
    add("seq_relationship_logits", next_sentence, {2});
    add("sop_logits", sentence_order, {2});
    add("start_logits", answer_start, {seq});
    add("end_logits", answer_end, {seq});
    add("embedding", embedding, {c.hidden});
    // A model with one head calls it "logits", whatever it predicts.
    const bool single = classes.empty() && (next_sentence.empty() || masked_lm.empty()) &&
                        (sentence_order.empty() || masked_lm.empty());
    if (!single) return out;
    add("logits", masked_lm, {places(), c.lm_words});
    add("logits", next_sentence, {2});
    add("logits", sentence_order, {2});
    return out;
  }

  const bert::Config& c;
  unsigned wanted;
  int rows, seq, lm_each;
  std::vector<float> last_hidden, pooled, classes, masked_lm, next_sentence, sentence_order,
      answer_start, answer_end, embedding;
};

bool holds(const Checkpoint& golden, const std::string& beginning) {
  return std::any_of(golden.tensors.begin(), golden.tensors.end(), [&](const Tensor& tensor) {
    return tensor.name.compare(0, beginning.size(), beginning) == 0;
  });
}

/// `each` live places of every row, evenly apart.
std::vector<std::int32_t> places_of(const BertRows& rows, int first, int count, int each) {
  std::vector<std::int32_t> out;
  for (int b = first; b < first + count; ++b) {
    std::vector<std::int32_t> live;
    for (int p = 0; p < rows.seq(); ++p) {
      if (rows.live(b, p)) live.push_back(p);
    }
    if (live.empty()) live.push_back(0);
    for (int j = 0; j < each; ++j) {
      out.push_back(
          live[live.size() * static_cast<std::size_t>(j) / static_cast<std::size_t>(each)]);
    }
  }
  return out;
}

}  // namespace

BertSession::BertSession(const ModelBytes& source, const std::string& isa, int threads)
    : ModelSession(source, isa, threads), weights_(std::make_unique<bert::Weights>()) {
  const Result<bert::Config> config = bert::read_config(file());
  need(config.status());
  config_ = *config;
  need(bert::bind(file(), config_, *weights_));
}

std::vector<Values> BertSession::run_golden(const Checkpoint& golden) {
  const BertRows rows(Samples(golden, "in"));
  bert::Input in = rows.slice(0, rows.count());
  in.wanted = bert::heads_of(config_);
  const bool attention = holds(golden, "out.attn.");
  Results packed(config_, in.wanted, in.batch, in.seq, 0);
  Results full(config_, in.wanted, in.batch, in.seq, 0);
  BertRecorder recorder(config_.heads, attention);
  const bert::Trace trace = recorder.trace();
  forward(in, packed.at(0));
  forward(in, full.at(0), &trace);
  // Everything that does not say something of masked positions.
  if (!same_or_nan(packed.pooled, full.pooled) || !same_or_nan(packed.classes, full.classes) ||
      !same_or_nan(packed.embedding, full.embedding) ||
      !same_or_nan(packed.next_sentence, full.next_sentence) ||
      !same_or_nan(packed.sentence_order, full.sentence_order)) {
    throw FileError(golden.path, "heads", "differ between a packed and a full run");
  }
  std::vector<Values> out = full.values();
  for (Values& values : recorder.take()) out.push_back(std::move(values));
  add_single_rows(golden, rows, out);
  return out;
}

std::vector<Values> BertSession::run_samples(const Checkpoint& samples, int most) {
  constexpr int kBatch = 16;
  // Words are predicted at some places only: a vocabulary a place would fill the memory.
  constexpr int kPlaces = 8;
  const BertRows rows(Samples(samples, "in"));
  const int count = most > 0 ? std::min(most, rows.count()) : rows.count();
  const unsigned deciding = bert::heads_of(config_) & ~kDescribing;
  const unsigned wanted = deciding != 0 ? deciding : static_cast<unsigned>(bert::kEmbedding);
  const int each = (wanted & bert::kMaskedLm) != 0 ? std::min(kPlaces, rows.seq()) : 0;
  Results results(config_, wanted, count, rows.seq(), each);
  for (int row = 0; row < count; row += kBatch) {
    bert::Input in = rows.slice(row, std::min(kBatch, count - row));
    in.wanted = wanted;
    const std::vector<std::int32_t> places = places_of(rows, row, in.batch, each);
    in.lm_positions = each > 0 ? places.data() : nullptr;
    in.lm_each = each;
    forward(in, results.at(row));
  }
  return results.values();
}

std::vector<NamedPlan> BertSession::plans(int batch, int live, bool every_row) const {
  std::vector<NamedPlan> all;
  const bert::Trace everything{};
  for (const Head& head : kHeads) {
    if ((bert::heads_of(config_) & head.wanted) == 0) continue;
    bert::Input in;
    in.batch = batch;
    in.seq = live > 0 ? live : positions();
    in.wanted = head.wanted;
    all.push_back({head.name, plan(in, every_row ? &everything : nullptr)});
  }
  return all;
}

Plan BertSession::plan(const bert::Input& in, const bert::Trace* trace) const {
  Count count(threads());
  bert::Input all;
  all.wanted = in.wanted;
  all.batch = in.batch;
  all.seq = in.seq;
  all.lm_each = in.lm_each;
  bert::forward(count, config_, *weights_, all, {}, trace);
  return plan_of(count);
}

void BertSession::forward(const bert::Input& in, const bert::Output& out,
                          const bert::Trace* trace) {
  need(bert::check(config_, in));
  run(plan(in, trace).scratch_bytes,
      [&](auto& backend) { bert::forward(backend, config_, *weights_, in, out, trace); });
}

}  // namespace kinglet::tools
