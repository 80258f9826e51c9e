#pragma once
// Resemblyzer's speaker encoder as a model file: what describes the model, and how its weights are
// stored.

#include <cstdint>
#include <functional>
#include <string>

#include "convert.hpp"
#include "convert_plan.hpp"
#include "convert_source.hpp"

namespace kinglet::tools {

struct SpeakerModel {
  int input = 0, hidden = 0, layers = 0, embedding = 0;
  std::string source_sha256;
  std::uint64_t source_parameters = 0;
  std::string recipe;
};

/// Every tensor of the model file, with what it needs required from `weights`. Both must outlive the plan.
TensorPlan plan_speaker(const SpeakerModel& model, WeightSource& weights);

/// Values, then the tensors. Does not commit.
void write_speaker(OutputFile& out, const SpeakerModel& model, const TensorPlan& plan,
                   const std::function<void(std::size_t done, std::size_t all)>& progress);

/// Whether the tensors are those of such an encoder.
bool holds_speaker(const Checkpoint& checkpoint);

}  // namespace kinglet::tools
