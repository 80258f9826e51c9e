#include "speaker_session.hpp"

#include <algorithm>

#include "bert_samples.hpp"
#include "file_error.hpp"

namespace kinglet::tools {
namespace {

/// in.mel [batch][frames][bands].
struct Utterances {
  Utterances(const Checkpoint& samples, const speaker::Config& c) {
    const Samples in(samples, "in");
    const std::vector<std::int64_t> shape = in.shape("mel");
    if (shape.size() != 3 || shape[0] < 1 || shape[1] < 1 || shape[0] > 65536 || shape[1] > 65536 ||
        shape[2] != c.input)
      in.fail("mel", "is not a batch of frames of " + std::to_string(c.input) + " bands");
    batch = static_cast<int>(shape[0]);
    frames = static_cast<int>(shape[1]);
    mel = in.numbers<float>("mel", shape[0] * shape[1] * shape[2]);
  }
  speaker::Input slice(int count) const {
    speaker::Input in;
    in.batch = count;
    in.longest = frames;
    in.frames = mel.data();
    return in;
  }

  int batch = 0, frames = 0;
  std::vector<float> mel;
};

/// Rows of a matrix, those of the batch in its order.
std::vector<float> by_sequence(const TimeSteps& steps, ConstMatrix rows) {
  const auto n = static_cast<std::size_t>(rows.cols);
  std::vector<float> out(static_cast<std::size_t>(steps.batch) * n);
  for (int i = 0; i < steps.batch; ++i)
    std::copy_n(rows.row(i), n,
                out.begin() + static_cast<std::ptrdiff_t>(steps.sequence_at(i)) * rows.cols);
  return out;
}

/// Everything that the layers show, as golden files name it.
struct Recorder {
  const speaker::Config& config;
  std::vector<Values> out{};
  std::vector<float> last_h{};

  static void seen(void* self, int layer, const TimeSteps& steps, ConstMatrix y,
                   const LstmState& state) {
    static_cast<Recorder*>(self)->add(layer, steps, y, state);
  }

  void add(int layer, const TimeSteps& steps, ConstMatrix y, const LstmState& state) {
    const std::string end = "." + std::to_string(layer);
    const int hidden = config.hidden;
    std::vector<float> all(static_cast<std::size_t>(steps.batch) *
                           static_cast<std::size_t>(steps.longest) *
                           static_cast<std::size_t>(hidden));
    for (int t = 0; t < steps.longest; ++t)
      for (int i = 0; i < steps.running_at(t); ++i)
        std::copy_n(
            y.row(steps.start_of(t) + i), hidden,
            all.begin() +
                (static_cast<std::ptrdiff_t>(steps.sequence_at(i)) * steps.longest + t) * hidden);
    last_h = by_sequence(steps, state.h);
    out.push_back(values_from("lstm" + end, {steps.batch, steps.longest, hidden}, all));
    out.push_back(values_from("h_n" + end, {steps.batch, hidden}, last_h));
    out.push_back(values_from("c_n" + end, {steps.batch, hidden}, by_sequence(steps, state.c)));
    out.push_back(values_from("lstm_last_frame" + end, {steps.batch, hidden}, last_h));
  }
};

}  // namespace

SpeakerSession::SpeakerSession(const ModelBytes& source, const std::string& isa, int threads)
    : ModelSession(source, isa, threads), weights_(std::make_unique<speaker::Weights>()) {
  const Result<speaker::Config> config = speaker::read_config(file());
  need(config.status());
  config_ = *config;
  need(speaker::bind(file(), config_, *weights_));
}

std::vector<Values> SpeakerSession::run_golden(const Checkpoint& golden) {
  const Utterances utterances(golden, config_);
  Recorder recorder{config_};
  const speaker::Trace trace{Recorder::seen, &recorder};
  std::vector<float> embedding(static_cast<std::size_t>(utterances.batch) *
                               static_cast<std::size_t>(config_.embedding));
  std::vector<float> linear(embedding.size());
  forward(utterances.slice(utterances.batch), embedding.data(), &trace);
  // The embedding before its rectifier, which forward does not show.
  const ConstMatrix h{recorder.last_h.data(), utterances.batch, config_.hidden};
  Count count(threads());
  count.linear(weights_->embedding, {nullptr, h.rows, h.cols},
               {nullptr, h.rows, config_.embedding});
  run(count.scratch_bytes(), [&](auto& backend) {
    backend.linear(weights_->embedding, h, {linear.data(), h.rows, config_.embedding});
  });
  std::vector<Values> out = std::move(recorder.out);
  out.push_back(values_from("linear", {utterances.batch, config_.embedding}, linear));
  out.push_back(values_from("embedding", {utterances.batch, config_.embedding}, embedding));
  return out;
}

std::vector<Values> SpeakerSession::run_samples(const Checkpoint& samples, int rows) {
  const Utterances utterances(samples, config_);
  const int count = rows > 0 ? std::min(rows, utterances.batch) : utterances.batch;
  std::vector<float> embedding(static_cast<std::size_t>(count) *
                               static_cast<std::size_t>(config_.embedding));
  forward(utterances.slice(count), embedding.data());
  return {values_from("embedding", {count, config_.embedding}, embedding)};
}

std::vector<NamedPlan> SpeakerSession::plans(int batch, int live, bool) const {
  return {{"embedding", plan(batch, live > 0 ? live : positions())}};
}

Plan SpeakerSession::plan(int batch, int longest, const speaker::Trace* trace) const {
  Count count(threads());
  speaker::Input in;
  in.batch = batch;
  in.longest = longest;
  speaker::forward(count, config_, *weights_, in, nullptr, nullptr, trace);
  return plan_of(count);
}

void SpeakerSession::forward(const speaker::Input& in, float* embedding,
                             const speaker::Trace* trace) {
  need(speaker::check(config_, in));
  run(plan(in.batch, in.longest, trace).scratch_bytes, [&](auto& backend) {
    speaker::forward(backend, config_, *weights_, in, embedding, nullptr, trace);
  });
}

}  // namespace kinglet::tools
