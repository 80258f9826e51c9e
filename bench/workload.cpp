#include "workload.hpp"

#include <kinglet/models/camera_frame.hpp>
#include <stdexcept>
#include <vector>

#include "bert_session.hpp"
#include "file_error.hpp"
#include "hitut_samples.hpp"
#include "hitut_session.hpp"
#include "made_up.hpp"
#include "pabee_session.hpp"
#include "resnet_session.hpp"
#include "seq2seq_workload.hpp"
#include "speaker_session.hpp"

namespace kinglet::tools {
namespace {

int live_positions(const ModelSession& session, const WorkloadOptions& options) {
  if (options.size > session.positions()) {
    throw FileError(session.path(), "--seq " + std::to_string(options.size),
                    "the model has " + std::to_string(session.positions()) + " positions");
  }
  return options.size > 0 ? options.size : session.positions();
}

class HitutWorkload : public Workload {
 public:
  HitutWorkload(HitutSession& session, const WorkloadOptions& options)
      : session_(session),
        task_(task_named(options.task)),
        every_row_(options.every_row),
        logits_(session.config(), task_.task, options.batch) {
    const hitut::Config& c = session.config();
    const int batch = options.batch;
    Random random;
    in_.task = task_.task;
    in_.batch = batch;
    in_.live = live_positions(session, options);
    words_ = random.ids(batch, c.language, c.vocab);
    vision_ = random.ids(batch, c.vision, c.actions);
    history_ = random.ids(batch, c.history, c.actions);
    features_ = random.numbers(batch, c.vision * hitut::kFeatures);
    arg_position_.assign(static_cast<std::size_t>(batch), in_.live - 1);
    type_position_.assign(static_cast<std::size_t>(batch), in_.live - 2);
    in_.words = words_.data();
    in_.vision = vision_.data();
    in_.history = history_.data();
    in_.features = features_.data();
    in_.arg_position = arg_position_.data();
    in_.type_position = type_position_.data();
    if (task_.task != hitut::Task::low_navi) return;
    posture_ = random.ids(batch, 1, hitut::kRotations);
    in_.rotation = in_.horizon = posture_.data();
    if (!c.past_vision) return;
    const int slots = hitut::past_steps(c) * hitut::kPastSlots;
    past_ = random.ids(batch, slots, c.actions);
    past_features_ = random.numbers(batch, slots * hitut::kFeatures);
    in_.past = past_.data();
    in_.past_features = past_features_.data();
  }

  std::string task() const override { return task_.name; }
  int length() const override { return in_.live; }
  Plan plan() const override { return session_.plan(in_.task, in_.batch, in_.live, every_row_); }
  void run() override {
    const hitut::Trace everything{};
    session_.forward(in_, logits_.at(0), every_row_ ? &everything : nullptr);
  }
  std::size_t io_bytes() const override {
    return bytes_of(words_, vision_, history_, type_position_, arg_position_, posture_, past_,
                    features_, past_features_, logits_.type, logits_.arg, logits_.mask);
  }
  std::uint64_t hash() const override {
    Hash hash;
    for (const auto* x : {&logits_.type, &logits_.arg, &logits_.mask}) hash.add(*x);
    return hash.value();
  }

 private:
  static HitutTask task_named(const std::string& name) {
    for (const HitutTask& task : kHitutTasks) {
      if (name == task.name || (name.empty() && task.task == hitut::Task::low_mani)) return task;
    }
    throw std::runtime_error("--task " + name + ": HiTUT has high, low_mani, low_navi");
  }

  HitutSession& session_;
  HitutTask task_;
  bool every_row_;
  HitutLogits logits_;
  hitut::Input in_;
  std::vector<std::int32_t> words_, vision_, history_, type_position_, arg_position_, posture_,
      past_;
  std::vector<float> features_, past_features_;
};

/// Sentence embeddings of sequences without padding; the encoder of any BERT ends in the same rows.
class BertWorkload : public Workload {
 public:
  BertWorkload(BertSession& session, const WorkloadOptions& options)
      : session_(session), every_row_(options.every_row) {
    if (!options.task.empty()) throw std::runtime_error("--task: this model has one task");
    const bert::Config& c = session.config();
    Random random;
    in_.wanted = bert::kEmbedding;
    in_.batch = options.batch;
    in_.seq = live_positions(session, options);
    ids_ = random.ids(in_.batch, in_.seq, c.vocab);
    // RoBERTa does not number padding.
    for (auto& id : ids_) id = id == c.padding_id ? c.padding_id + 1 : id;
    in_.ids = ids_.data();
    embedding_.resize(static_cast<std::size_t>(in_.batch) * static_cast<std::size_t>(c.hidden));
  }

  std::string task() const override { return "embedding"; }
  int length() const override { return in_.seq; }
  Plan plan() const override {
    const bert::Trace everything{};
    return session_.plan(in_, every_row_ ? &everything : nullptr);
  }
  void run() override {
    bert::Output out;
    out.embedding = embedding_.data();
    const bert::Trace everything{};
    session_.forward(in_, out, every_row_ ? &everything : nullptr);
  }
  std::size_t io_bytes() const override { return bytes_of(ids_, embedding_); }
  std::uint64_t hash() const override {
    Hash hash;
    hash.add(embedding_);
    return hash.value();
  }

 private:
  BertSession& session_;
  bool every_row_;
  bert::Input in_;
  std::vector<std::int32_t> ids_;
  std::vector<float> embedding_;
};

/// Sequences that never agree: every layer and every classifier runs.
class PabeeWorkload : public Workload {
 public:
  PabeeWorkload(PabeeSession& session, const WorkloadOptions& options)
      : session_(session), every_row_(options.every_row) {
    if (!options.task.empty()) throw std::runtime_error("--task: this model has one task");
    const bert::Config& c = session.config().encoder;
    Random random;
    in_.text.batch = options.batch;
    in_.text.seq = live_positions(session, options);
    in_.patience = c.layers + 1;
    ids_ = random.ids(in_.text.batch, in_.text.seq, c.vocab);
    in_.text.ids = ids_.data();
    logits_.resize(static_cast<std::size_t>(options.batch) *
                   static_cast<std::size_t>(session.config().labels));
  }

  std::string task() const override { return "every exit"; }
  int length() const override { return in_.text.seq; }
  Plan plan() const override {
    const bert::Trace everything{};
    return session_.plan(in_, every_row_ ? &everything : nullptr);
  }
  void run() override {
    const bert::Trace everything{};
    session_.forward(in_, {logits_.data()}, every_row_ ? &everything : nullptr);
  }
  std::size_t io_bytes() const override { return bytes_of(ids_, logits_); }
  std::uint64_t hash() const override {
    Hash hash;
    hash.add(logits_);
    return hash.value();
  }

 private:
  PabeeSession& session_;
  bool every_row_;
  pabee::Input in_;
  std::vector<std::int32_t> ids_;
  std::vector<float> logits_;
};

/// Utterances of as many frames as there are positions; by default 160, 1.6 s.
class SpeakerWorkload : public Workload {
 public:
  SpeakerWorkload(SpeakerSession& session, const WorkloadOptions& options) : session_(session) {
    if (!options.task.empty()) throw std::runtime_error("--task: this model has one task");
    if (options.every_row) throw std::runtime_error("--all-rows: this model computes every row");
    const speaker::Config& c = session.config();
    Random random;
    in_.batch = options.batch;
    in_.longest = options.size > 0 ? options.size : session.positions();
    frames_ = random.numbers(in_.batch, in_.longest * c.input);
    in_.frames = frames_.data();
    embedding_.resize(static_cast<std::size_t>(in_.batch) * static_cast<std::size_t>(c.embedding));
  }

  std::string task() const override { return "embedding"; }
  int length() const override { return in_.longest; }
  Plan plan() const override { return session_.plan(in_.batch, in_.longest); }
  void run() override { session_.forward(in_, embedding_.data()); }
  std::size_t io_bytes() const override { return bytes_of(frames_, embedding_); }
  std::uint64_t hash() const override {
    Hash hash;
    hash.add(embedding_);
    return hash.value();
  }

 private:
  SpeakerSession& session_;
  speaker::Input in_;
  std::vector<float> frames_, embedding_;
};

/// Features of camera frames of 300 × 300.
class ResnetWorkload : public Workload {
 public:
  ResnetWorkload(ResnetSession& session, const WorkloadOptions& options)
      : session_(session), batch_(options.batch), side_(options.size > 0 ? options.size : 224) {
    if (!options.task.empty()) throw std::runtime_error("--task: this model has one task");
    if (options.every_row) throw std::runtime_error("--all-rows: this model reads every pixel");
    Random random;
    for (const std::int32_t v : random.ids(batch_, kFrameBytes, 256))
      frames_.push_back(static_cast<std::uint8_t>(v));
    const int pixels = resnet::features_of(side_) * resnet::features_of(side_);
    features_.resize(static_cast<std::size_t>(batch_) * static_cast<std::size_t>(pixels) *
                     static_cast<std::size_t>(session.config().features()));
  }

  std::string task() const override { return "features"; }
  int image() const override { return side_; }
  Plan plan() const override {
    Count count(session_.threads());
    look(count, nullptr);
    return plan_of(count);
  }
  void run() override {
    if (scratch_bytes_ == 0) scratch_bytes_ = plan().scratch_bytes;
    session_.run(scratch_bytes_, [&](auto& backend) { look(backend, features_.data()); });
  }
  std::size_t io_bytes() const override { return bytes_of(frames_, features_); }
  std::uint64_t hash() const override {
    Hash hash;
    hash.add(features_);
    return hash.value();
  }

 private:
  static constexpr int kFrame = 300, kFrameBytes = 3 * kFrame * kFrame;

  template <class B>
  void look(B& be, float* features) const {
    const Image x = resnet::take_input(be.arena(), batch_, side_, side_);
    for (int i = 0; i < batch_; ++i) {
      const std::uint8_t* const rgb = frames_.data() + std::ptrdiff_t{i} * kFrameBytes;
      prepare_frame(be, {rgb, kFrame, kFrame, 3 * kFrame}, x, i);
    }
    resnet::forward(be, session_.config(), session_.weights(), {x}, {features, nullptr});
  }

  ResnetSession& session_;
  int batch_, side_;
  std::vector<std::uint8_t> frames_;
  std::vector<float> features_;
  std::size_t scratch_bytes_ = 0;
};

}  // namespace

bool goes_in_steps(const ModelSession& session) {
  return dynamic_cast<const Seq2SeqSession*>(&session) != nullptr;
}

std::unique_ptr<Workload> make_workload(ModelSession& session, const WorkloadOptions& options) {
  if (auto* hitut = dynamic_cast<HitutSession*>(&session))
    return std::make_unique<HitutWorkload>(*hitut, options);
  if (auto* bert = dynamic_cast<BertSession*>(&session))
    return std::make_unique<BertWorkload>(*bert, options);
  if (auto* pabee = dynamic_cast<PabeeSession*>(&session))
    return std::make_unique<PabeeWorkload>(*pabee, options);
  if (auto* speaker = dynamic_cast<SpeakerSession*>(&session))
    return std::make_unique<SpeakerWorkload>(*speaker, options);
  if (auto* resnet = dynamic_cast<ResnetSession*>(&session))
    return std::make_unique<ResnetWorkload>(*resnet, options);
  if (auto* seq2seq = dynamic_cast<Seq2SeqSession*>(&session))
    return seq2seq_workload(*seq2seq, options);
  throw std::runtime_error(session.path() + ": nothing to time for this architecture");
}

}  // namespace kinglet::tools
