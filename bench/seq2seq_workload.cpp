// Three tasks: "language" reads the instruction; "core" is the decoder's steps without visual encoder
// and mask, of given words' states and frame vectors; "whole" (the default) is the instruction and
// steps with all that the model has, a mask each.

#include "seq2seq_workload.hpp"

#include <cstdlib>
#include <new>
#include <stdexcept>

#include "made_up.hpp"

namespace kinglet::tools {
namespace {

class Seq2SeqWorkload : public Workload {
 public:
  Seq2SeqWorkload(Seq2SeqSession& session, const WorkloadOptions& options)
      : session_(session), task_(options.task.empty() ? "whole" : options.task) {
    const seq2seq::Config& c = session.config();
    if (task_ != "language" && task_ != "core" && task_ != "whole")
      throw std::runtime_error("--task " + task_ + ": Seq2Seq has language, core, whole");
    const bool whole = task_ == "whole";
    if (options.every_row) throw std::runtime_error("--all-rows: this model reads every row");
    const int batch = options.batch;
    if (task_ != "language") steps_ = options.steps > 0 ? options.steps : 50;
    masks_ = whole && c.masks;
    Random random;
    in_.batch = batch;
    in_.longest = options.size > 0 ? options.size : 64;
    words_ = random.ids(batch, in_.longest, c.words);
    in_.words = words_.data();
    if (!whole || !c.vision) frames_.form = seq2seq::Frames::Form::encoded;
    if (steps_ > 0) {
      frame_numbers_ = random.numbers(batch * steps_, frames_.size(c));
      frames_.ld = static_cast<std::ptrdiff_t>(steps_) * frames_.size(c);
    }
    const auto room = [](int rows, int each) {
      return std::vector<float>(static_cast<std::size_t>(rows) * static_cast<std::size_t>(each));
    };
    logits_ = room(batch * steps_, c.actions);
    hidden_ = room(batch, c.width());
    if (masks_) mask_ = room(batch, c.mask_size * c.mask_size);
    results_ = {logits_.data(), hidden_.data(), masks_ ? mask_.data() : nullptr};
    Arena counted;
    seq2seq::take_state(counted, c, batch, in_.longest);
    held_bytes_ = counted.peak();
    state_memory_.reset(
        static_cast<unsigned char*>(std::aligned_alloc(Arena::kAlignment, counted.peak())));
    if (!state_memory_) throw std::bad_alloc();
    Arena arena(state_memory_.get(), counted.peak());
    state_ = seq2seq::take_state(arena, c, batch, in_.longest);
    if (task_ == "core") read_words();
    scratch_bytes_ = plan().scratch_bytes;
  }

  std::string task() const override { return task_; }
  int length() const override { return in_.longest; }
  int steps() const override { return steps_; }

  Plan plan() const override {
    Count count(session_.threads());
    seq2seq::State state = no_state();
    play(count, state, nullptr);
    return plan_of(count);
  }

  void run() override {
    session_.run(scratch_bytes_,
                 [&](auto& backend) { play(backend, state_, frame_numbers_.data()); });
  }

  std::size_t held_bytes() const override { return held_bytes_; }
  std::size_t io_bytes() const override {
    return bytes_of(words_, frame_numbers_, logits_, hidden_, mask_);
  }

  std::uint64_t hash() const override {
    Hash hash;
    for (const auto* x : {&logits_, &hidden_, &mask_}) hash.add(*x);
    return hash.value();
  }

  std::vector<WeightRead> reads() const override {
    std::vector<WeightRead> all;
    const seq2seq::Weights& w = session_.weights();
    if (task_ != "core") {
      for (const Lstm* lstm : {&w.forward, &w.backward}) {
        add(lstm->ih, all);
        for (int word = 0; word < in_.longest; ++word) add(lstm->hh, all);
      }
    }
    for (int step = 0; step < steps_; ++step) {
      const bool vision = frames_.form != seq2seq::Frames::Form::encoded;
      for (const Linear* linear : {&w.conv1, &w.conv2, &w.fc}) {
        if (vision) add(*linear, all);
      }
      for (const Linear* linear : {&w.query, &w.cell.ih, &w.cell.hh, &w.actor, &w.actions}) {
        add(*linear, all);
      }
      for (const Linear* linear : {&w.mask_fc, &w.up3.taps, &w.up2.taps, &w.up1.taps}) {
        if (masks_) add(*linear, all);
      }
    }
    return all;
  }

 private:
  struct Results {
    float *logits = nullptr, *hidden = nullptr, *mask = nullptr;
  };

  struct Free {
    void operator()(void* p) const noexcept { std::free(p); }
  };

  seq2seq::State no_state() const {
    Arena nothing;
    return seq2seq::take_state(nothing, session_.config(), in_.batch, in_.longest);
  }

  /// What the core is given.
  void read_words() {
    const auto begin = [&](auto& be, seq2seq::State& state) {
      seq2seq::begin(be, session_.config(), session_.weights(), in_, state);
    };
    Count count(session_.threads());
    seq2seq::State nothing = no_state();
    begin(count, nothing);
    session_.run(count.scratch_bytes(), [&](auto& backend) { begin(backend, state_); });
  }

  /// frames: null while counting.
  template <class B>
  void play(B& be, seq2seq::State& s, const float* frames) const {
    const seq2seq::Config& c = session_.config();
    const seq2seq::Weights& w = session_.weights();
    if (task_ == "core") {
      seq2seq::restart(be, w, s);
    } else {
      seq2seq::begin(be, c, w, in_, s);
    }
    const std::ptrdiff_t size = frames_.size(c);
    for (int t = 0; t < steps_; ++t) {
      seq2seq::Frames here = frames_;
      here.data = frames ? frames + t * size : nullptr;
      seq2seq::Output out;
      out.logits = results_.logits + static_cast<std::ptrdiff_t>(t) * in_.batch * c.actions;
      seq2seq::step(be, c, w, s, here, nullptr, out);
      if (masks_) seq2seq::mask(be, c, w, s.cont, results_.mask);
    }
    be.copy(s.h, {results_.hidden, in_.batch, c.width()});
  }

  static void add(const Linear& w, std::vector<WeightRead>& to) {
    const auto rows = static_cast<std::size_t>(padded(w.n));
    if (w.int8()) {
      to.push_back({w.s8.panels, rows * static_cast<std::size_t>(padded_depth(w.k))});
    } else {
      to.push_back({w.weight, rows * static_cast<std::size_t>(w.k) * sizeof(float)});
    }
  }

  Seq2SeqSession& session_;
  std::string task_;
  int steps_ = 0;
  bool masks_ = false;
  seq2seq::Instruction in_;
  seq2seq::Frames frames_;
  std::vector<std::int32_t> words_;
  std::vector<float> frame_numbers_, logits_, hidden_, mask_;
  Results results_;
  std::unique_ptr<unsigned char, Free> state_memory_;
  seq2seq::State state_;
  std::size_t held_bytes_ = 0, scratch_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Workload> seq2seq_workload(Seq2SeqSession& session,
                                           const WorkloadOptions& options) {
  return std::make_unique<Seq2SeqWorkload>(session, options);
}

}  // namespace kinglet::tools
