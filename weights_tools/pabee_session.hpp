#pragma once
// PabeeSession: an early-exit BERT or ALBERT opened and ready to run.

#include <kinglet/models/pabee.hpp>
#include <memory>
#include <string>
#include <vector>

#include "bert_samples.hpp"
#include "model_session.hpp"

namespace kinglet::tools {

class PabeeSession : public ModelSession {
 public:
  /// Throws FileError when the file holds no such model.
  explicit PabeeSession(const ModelBytes& source, const std::string& isa = {}, int threads = 1);

  const pabee::Config& config() const noexcept { return config_; }
  const pabee::Weights& weights() const noexcept { return *weights_; }

  std::vector<Values> run_golden(const Checkpoint& golden) override;
  std::vector<Values> run_samples(const Checkpoint& samples, int rows) override;
  int positions() const override { return bert::longest_sequence(config_.encoder); }
  std::vector<NamedPlan> plans(int batch, int live, bool every_row) const override;

  /// Of an input of this batch and length, if every position is live and no sequence leaves.
  Plan plan(const pabee::Input& in, const bert::Trace* trace = nullptr) const;

  /// Checks the input, plans, runs; gives the layers that ran.
  int forward(const pabee::Input& in, const pabee::Output& out, const bert::Trace* trace = nullptr);

 private:
  pabee::Config config_{};
  std::unique_ptr<pabee::Weights> weights_;
};

}  // namespace kinglet::tools
