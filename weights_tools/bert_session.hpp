#pragma once
// BertSession: BERT, RoBERTa, DistilBERT or ALBERT opened and ready to run.

#include <kinglet/models/bert.hpp>
#include <memory>
#include <string>
#include <vector>

#include "bert_samples.hpp"
#include "model_session.hpp"

namespace kinglet::tools {

class BertSession : public ModelSession {
 public:
  /// Throws FileError when the file holds no such model.
  explicit BertSession(const ModelBytes& source, const std::string& isa = {}, int threads = 1);

  const bert::Config& config() const noexcept { return config_; }
  const bert::Weights& weights() const noexcept { return *weights_; }

  std::vector<Values> run_golden(const Checkpoint& golden) override;
  std::vector<Values> run_samples(const Checkpoint& samples, int rows) override;
  int positions() const override { return bert::longest_sequence(config_); }
  std::vector<NamedPlan> plans(int batch, int live, bool every_row) const override;

  /// Of an input of this batch, length and what is wanted, if every position is live; trace: null or as forward's.
  Plan plan(const bert::Input& in, const bert::Trace* trace = nullptr) const;

  /// Checks the input, plans, runs.
  void forward(const bert::Input& in, const bert::Output& out, const bert::Trace* trace = nullptr);

 private:
  bert::Config config_{};
  std::unique_ptr<bert::Weights> weights_;
};

}  // namespace kinglet::tools
