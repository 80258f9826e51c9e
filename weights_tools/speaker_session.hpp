#pragma once
// SpeakerSession: Resemblyzer's speaker encoder opened and ready to run.

#include <kinglet/models/speaker_encoder.hpp>
#include <memory>
#include <string>
#include <vector>

#include "model_session.hpp"

namespace kinglet::tools {

class SpeakerSession : public ModelSession {
 public:
  /// Throws FileError when the file holds no such encoder.
  explicit SpeakerSession(const ModelBytes& source, const std::string& isa = {}, int threads = 1);

  const speaker::Config& config() const noexcept { return config_; }
  const speaker::Weights& weights() const noexcept { return *weights_; }

  std::vector<Values> run_golden(const Checkpoint& golden) override;
  std::vector<Values> run_samples(const Checkpoint& samples, int rows) override;
  /// Frames of the utterances that it was trained on, 1.6 s; there is no bound.
  int positions() const override { return 160; }
  int most_positions() const override { return 65536; }
  /// live: frames of each utterance.
  std::vector<NamedPlan> plans(int batch, int live, bool every_row) const override;

  Plan plan(int batch, int longest, const speaker::Trace* trace = nullptr) const;

  /// Checks the input, plans, runs.
  void forward(const speaker::Input& in, float* embedding, const speaker::Trace* trace = nullptr);

 private:
  speaker::Config config_{};
  std::unique_ptr<speaker::Weights> weights_;
};

}  // namespace kinglet::tools
