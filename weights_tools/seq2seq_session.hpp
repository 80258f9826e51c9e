#pragma once
// Seq2SeqSession: ALFRED's Seq2Seq agent opened and ready to run.

#include <kinglet/models/alfred_seq2seq.hpp>
#include <memory>
#include <string>
#include <vector>

#include "model_session.hpp"

namespace kinglet::tools {

class Seq2SeqSession : public ModelSession {
 public:
  /// Throws FileError when the file holds no such agent.
  explicit Seq2SeqSession(const ModelBytes& source, const std::string& isa = {}, int threads = 1);

  seq2seq::Config& config() noexcept { return config_; }
  const seq2seq::Config& config() const noexcept { return config_; }
  const seq2seq::Weights& weights() const noexcept { return *weights_; }
  /// The first id of each action, as it was before prune-vocab left some out.
  const std::vector<std::int32_t>& first_actions() const noexcept { return first_actions_; }
  /// Of an action by its first id, −1 where it was left out. Throws FileError when there never was such an action.
  std::int32_t action_of(std::int32_t first_id) const;

  std::vector<Values> run_golden(const Checkpoint& golden) override;
  std::vector<Values> run_samples(const Checkpoint& samples, int rows) override;
  /// Instructions have no bound; ALFRED's are shorter.
  int positions() const override { return 512; }
  int most_positions() const override { return 65536; }
  /// live: words of each instruction.
  std::vector<NamedPlan> plans(int batch, int live, bool every_row) const override;

  /// Of an episode, its state included; what is not null in `out` is computed.
  Plan plan(const seq2seq::Episode& in, const seq2seq::EpisodeOutput& out) const;

  /// Checks the input, plans, runs.
  void unroll(const seq2seq::Episode& in, const seq2seq::EpisodeOutput& out);
  /// Throws FileError unless the input is as it should be.
  void check(const seq2seq::Episode& in, const seq2seq::EpisodeOutput& out) const;

 private:
  seq2seq::Config config_{};
  std::unique_ptr<seq2seq::Weights> weights_;
  std::vector<std::int32_t> first_actions_;
};

}  // namespace kinglet::tools
