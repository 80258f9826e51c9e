// A control loop as on a device: after the one allocation that the plan asked for, steps allocate
// nothing, and take exactly the scratch that was planned.
// usage: embedded_forward MODEL.gguf
#include "device.hpp"

namespace {

using namespace kinglet;

hitut::Weights weights;

constexpr int kMost = 512;
std::int32_t words[kMost];
std::int32_t history[kMost];
hitut::Detection detections[kMost];
float type_logits[kMost], arg_logits[kMost], mask_logits[kMost], monitor_logits[3];

}  // namespace

int main(int argc, char** argv) {
  const Bytes model = device::read_model(argc, argv);
  const auto file = device::without_allocation("open", [&] { return ModelFile::open(model); });
  const auto config =
      device::without_allocation("config", [&] { return hitut::read_config(*file); });
  const hitut::Config& c = *config;
  device::done_without_allocation("bind", [&] { return hitut::bind(*file, c, weights); });
  if (c.language > kMost || c.history > kMost || c.vision > kMost || c.object_count > kMost) {
    device::fail("the model is larger than this test expects");
  }

  // The largest observation there can be: nothing is masked.
  for (auto& word : words) word = 2;
  for (auto& word : history) word = 2;
  for (auto& seen : detections) seen = {10, 20, 110, 220, 0.5f, 2};
  hitut::Observation observation;
  observation.words = {words, static_cast<std::size_t>(c.language)};
  observation.history = {history, static_cast<std::size_t>(c.history)};
  observation.detections = {detections, static_cast<std::size_t>(c.vision - 1)};
  const hitut::Output output{type_logits, arg_logits, mask_logits, monitor_logits};

  struct {
    hitut::Task task;
    const char* name;
  } const tasks[] = {{hitut::Task::high, "sub-goals"},
                     {hitut::Task::low_mani, "manipulation"},
                     {hitut::Task::low_navi, "navigation"}};
  for (const auto& [task, name] : tasks) {
    observation.task = task;
    Count count;
    if (!hitut::step(count, c, weights, observation, {}).ok()) device::fail("the plan failed");
    device::run_as_planned(name, count.scratch_bytes(), [&, which = task](Cpu<>& cpu) {
      for (int i = 0; i < 3; ++i) {
        hitut::Choice best[3];
        if (!hitut::step(cpu, c, weights, observation, output).ok()) device::fail("a step failed");
        hitut::top_k(cpu, type_logits, hitut::type_count(c, which), 3, best);
      }
    });
  }
  return 0;
}
