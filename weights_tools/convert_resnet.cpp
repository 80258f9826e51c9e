// ResNet of basic blocks: which tensor of torchvision's checkpoint becomes which of the model file.
// The classifier may be missing: what sees for an agent has none.

#include "convert_resnet.hpp"

#include <cmath>
#include <ostream>

#include "convert_config.hpp"
#include "convert_mapping.hpp"
#include "progress.hpp"
#include "sha256.hpp"

namespace kinglet::tools {
namespace {

constexpr double kEps = 1e-5;  // of every batch norm

std::string block_name(int stage, int block) {
  return "layer" + std::to_string(stage + 1) + "." + std::to_string(block) + ".";
}

/// f(source of the convolution, source of its batch norm, name, outputs, inputs, kernel)
template <class F>
void for_each_convolution(const ResnetModel& m, F f) {
  f("conv1", "bn1", "conv1", m.planes, resnet::kRgb, 7);
  for (int s = 0; s < resnet::kStages; ++s) {
    const int n = m.planes << s;
    for (int i = 0; i < m.blocks[static_cast<std::size_t>(s)]; ++i) {
      const bool halves = s > 0 && i == 0;
      const int from = halves ? n / 2 : n;
      const std::string at = block_name(s, i);
      const std::string to = "stage." + std::to_string(s) + "." + std::to_string(i) + ".";
      f(at + "conv1", at + "bn1", to + "conv1", n, from, 3);
      f(at + "conv2", at + "bn2", to + "conv2", n, n, 3);
      if (halves) f(at + "downsample.0", at + "downsample.1", to + "shortcut", n, from, 1);
    }
  }
}

class Mapping : private TensorMapping {
 public:
  Mapping(const ResnetModel& model, WeightSource& weights) : TensorMapping(weights), m_(model) {}

  TensorPlan make() {
    for_each_convolution(m_, [&](const std::string& source, const std::string& norm,
                                 const std::string& name, int outputs, int inputs, int kernel) {
      convolution(name, source, norm, outputs, inputs, kernel, false);
    });
    if (m_.classes > 0)
      linear("classes", {"fc"}, m_.classes, m_.planes << (resnet::kStages - 1), true);
    return std::move(plan_);
  }

 private:
  const ResnetModel& m_;
};

/// From the tensors; what a config says besides must be the same.
ResnetModel describe(const ConvertRequest& request, CheckpointWeights& weights) {
  ResnetModel m;
  m.planes = static_cast<int>(weights.shape("conv1.weight", 4)[0]);
  if (m.planes > resnet::kMostPlanes)
    weights.refuse("conv1.weight",
                   "has more than " + std::to_string(resnet::kMostPlanes) + " outputs");
  if (weights.has("layer1.0.conv3.weight"))
    weights.refuse("layer1.0.conv3.weight",
                   "is of a bottleneck: only nets of basic blocks are supported");
  for (int s = 0; s < resnet::kStages; ++s) {
    int& blocks = m.blocks[static_cast<std::size_t>(s)];
    while (weights.has(block_name(s, blocks) + "conv1.weight")) {
      if (++blocks > resnet::kMostBlocks)
        weights.refuse(block_name(s, blocks - 1) + "conv1.weight",
                       "is one block more than a stage may have");
    }
    if (blocks == 0) weights.require(block_name(s, 0) + "conv1.weight", {});
  }
  if (weights.has_prefix("fc.")) m.classes = static_cast<int>(weights.shape("fc.weight", 2)[0]);

  const ConfigFile config(request.config);
  const auto same = [&](const char* key, int value) {
    const auto given = config.size(key);
    if (given && *given != value)
      config.fail(key, "differs from the checkpoint, which has " + std::to_string(value));
  };
  same("base_planes", m.planes);
  if (m.classes > 0) same("num_classes", m.classes);
  const auto eps = config.positive("bn_eps");
  if (eps && std::abs(*eps - kEps) > 1e-9)
    config.fail("bn_eps", "is not the 1e-5 that these nets are published with");
  return m;
}

}  // namespace

TensorPlan plan_resnet(const ResnetModel& model, WeightSource& weights) {
  return Mapping(model, weights).make();
}

void write_resnet(Sink& out, const ResnetModel& m, const TensorPlan& plan,
                  const std::function<void(std::size_t done, std::size_t all)>& progress) {
  GgufWriter file(out, "resnet");
  file.add_string("kinglet.source.sha256", m.source_sha256);
  file.add_u64("kinglet.source.parameters", m.source_parameters);
  file.add_string("kinglet.recipe", m.recipe);
  file.add_u32("resnet.base_planes", static_cast<std::uint32_t>(m.planes));
  file.add_u32s("resnet.block_counts", {m.blocks.begin(), m.blocks.end()});
  file.add_u32("resnet.label_count", static_cast<std::uint32_t>(m.classes));
  plan.add_panel_values(file);
  plan.write(file, progress);
}

bool holds_resnet(const Checkpoint& checkpoint) {
  return checkpoint.find("conv1.weight") != nullptr &&
         checkpoint.find("bn1.running_var") != nullptr &&
         checkpoint.find("layer1.0.conv2.weight") != nullptr;
}

void convert_resnet(const ConvertRequest& request, std::ostream& report) {
  const Checkpoint checkpoint = read_checkpoint(request.input);
  CheckpointWeights weights(checkpoint);
  ResnetModel model = describe(request, weights);
  const TensorPlan plan = plan_resnet(model, weights);
  weights.skip("*.num_batches_tracked");
  weights.check_all_used();
  model.source_parameters = weights.parameters();
  model.source_sha256 = sha256_hex(MappedFile::open(request.input)->bytes());
  model.recipe = "convert resnet";

  OutputFile out(request.output, request.inputs());
  write_resnet(out, model, plan, terminal_progress("convert"));
  out.commit();
  report << "network   ResNet, blocks";
  for (const int blocks : model.blocks) report << ' ' << blocks;
  report << ", planes " << model.planes << " to " << (model.planes << (resnet::kStages - 1))
         << ", ";
  if (model.classes > 0) report << model.classes << " classes\n";
  if (model.classes == 0) report << "no classifier: features only\n";
  report << "numerics  batch norms folded, epsilon " << kEps << '\n';
  report_source(report, weights, {}, plan);
}

}  // namespace kinglet::tools
