#pragma once
// ResNet-18 and ResNet-34 as a model file: what describes the model, and how its weights are stored.

#include <array>
#include <cstdint>
#include <functional>
#include <kinglet/models/resnet.hpp>
#include <string>

#include "convert.hpp"
#include "convert_plan.hpp"
#include "convert_source.hpp"

namespace kinglet::tools {

struct ResnetModel {
  int planes = 0, classes = 0;
  std::array<int, resnet::kStages> blocks{};
  std::string source_sha256;
  std::uint64_t source_parameters = 0;
  std::string recipe;
};

/// Every tensor of the model file, with what it needs required from `weights`. Both must outlive the plan.
TensorPlan plan_resnet(const ResnetModel& model, WeightSource& weights);

/// Values, then the tensors. Does not commit.
void write_resnet(Sink& out, const ResnetModel& model, const TensorPlan& plan,
                  const std::function<void(std::size_t done, std::size_t all)>& progress);

/// Whether the tensors are those of a ResNet, as torchvision names them.
bool holds_resnet(const Checkpoint& checkpoint);

}  // namespace kinglet::tools
