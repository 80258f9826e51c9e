#include "seq2seq_session.hpp"

#include <algorithm>
#include <numeric>

#include "file_error.hpp"
#include "seq2seq_golden.hpp"

namespace kinglet::tools {

Seq2SeqSession::Seq2SeqSession(const ModelBytes& source, const std::string& isa, int threads)
    : ModelSession(source, isa, threads), weights_(std::make_unique<seq2seq::Weights>()) {
  const Result<seq2seq::Config> config = seq2seq::read_config(file());
  need(config.status());
  config_ = *config;
  need(seq2seq::bind(file(), config_, *weights_));
  constexpr const char* kKept = "alfred-seq2seq.kept_actions";
  first_actions_.resize(static_cast<std::size_t>(config_.actions));
  std::iota(first_actions_.begin(), first_actions_.end(), 0);
  if (!file().has(kKept)) return;
  const Result<GgufArray> kept = file().array(kKept);
  need(kept.status());
  if (kept->count() != first_actions_.size())
    throw FileError(path(), in_quotes(kKept), "has not an id for each action");
  for (std::size_t i = 0; i < first_actions_.size(); ++i) {
    const Result<std::uint64_t> id = kept->number(i);
    need(id.status());
    if (*id > 65535) throw FileError(path(), in_quotes(kKept), "holds a number out of range");
    first_actions_[i] = static_cast<std::int32_t>(*id);
  }
}

std::int32_t Seq2SeqSession::action_of(std::int32_t first_id) const {
  const auto found = std::find(first_actions_.begin(), first_actions_.end(), first_id);
  return found == first_actions_.end() ? -1
                                       : static_cast<std::int32_t>(found - first_actions_.begin());
}

std::vector<Values> Seq2SeqSession::run_golden(const Checkpoint& golden) {
  return run_seq2seq_golden(*this, golden);
}

std::vector<Values> Seq2SeqSession::run_samples(const Checkpoint& samples, int rows) {
  return run_seq2seq_samples(*this, samples, rows);
}

std::vector<NamedPlan> Seq2SeqSession::plans(int batch, int live, bool) const {
  const int words = live > 0 ? live : positions();
  const auto counted = [&](auto f) {
    Count count(threads());
    seq2seq::State state = seq2seq::take_state(count.arena(), config_, batch, words);
    f(count, state);
    return plan_of(count);
  };
  std::vector<NamedPlan> all;
  all.push_back({"begin", counted([&](Count& count, seq2seq::State& state) {
                   seq2seq::Instruction in;
                   in.batch = batch;
                   in.longest = words;
                   seq2seq::begin(count, config_, *weights_, in, state);
                 })});
  all.push_back({"step", counted([&](Count& count, seq2seq::State& state) {
                   seq2seq::Frames frames;
                   if (!config_.vision) frames.form = seq2seq::Frames::Form::encoded;
                   seq2seq::step(count, config_, *weights_, state, frames, nullptr, {});
                 })});
  if (config_.masks)
    all.push_back({"mask", counted([&](Count& count, seq2seq::State& state) {
                     seq2seq::mask(count, config_, *weights_, state.cont, nullptr);
                   })});
  return all;
}

Plan Seq2SeqSession::plan(const seq2seq::Episode& in, const seq2seq::EpisodeOutput& out) const {
  Count count(threads());
  seq2seq::Episode all = in;  // without numbers: every instruction is as long as the longest
  all.instruction.words = all.instruction.lengths = nullptr;
  all.frames.data = nullptr;
  seq2seq::State state =
      seq2seq::take_state(count.arena(), config_, in.instruction.batch, in.instruction.longest);
  seq2seq::unroll(count, config_, *weights_, all, state, out);
  return plan_of(count);
}

void Seq2SeqSession::check(const seq2seq::Episode& in, const seq2seq::EpisodeOutput& out) const {
  need(seq2seq::check(config_, in, out));
}

void Seq2SeqSession::unroll(const seq2seq::Episode& in, const seq2seq::EpisodeOutput& out) {
  check(in, out);
  run(plan(in, out).scratch_bytes, [&](auto& backend) {
    seq2seq::State state =
        seq2seq::take_state(backend.arena(), config_, in.instruction.batch, in.instruction.longest);
    seq2seq::unroll(backend, config_, *weights_, in, state, out);
  });
}

}  // namespace kinglet::tools
