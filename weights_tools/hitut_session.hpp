#pragma once
// HitutSession: a HiTUT model opened and ready to run.

#include <kinglet/models/hitut.hpp>
#include <kinglet/models/hitut_agent.hpp>
#include <memory>
#include <string>
#include <vector>

#include "model_session.hpp"

namespace kinglet::tools {

class HitutSession : public ModelSession {
 public:
  /// Throws FileError when the file is not a HiTUT model.
  explicit HitutSession(const ModelBytes& source, const std::string& isa = {}, int threads = 1);

  hitut::Config& config() noexcept { return config_; }
  const hitut::Weights& weights() const noexcept { return *weights_; }

  std::vector<Values> run_golden(const Checkpoint& golden) override;
  std::vector<Values> run_samples(const Checkpoint& samples, int rows) override;
  int positions() const override { return config_.seq; }
  std::vector<NamedPlan> plans(int batch, int live, bool every_row) const override;

  /// live: positions of each sequence that are not masked, 0 for all. every_row: as with a trace.
  Plan plan(hitut::Task task, int batch, int live, bool every_row) const;

  /// Checks the input, plans, runs.
  void forward(const hitut::Input& in, const hitut::Output& out,
               const hitut::Trace* trace = nullptr);

 private:
  hitut::Config config_{};
  std::unique_ptr<hitut::Weights> weights_;
};

}  // namespace kinglet::tools
