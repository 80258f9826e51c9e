// kinglet-weights plan: what running a model will take, before it runs.

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "file_error.hpp"
#include "json_text.hpp"
#include "model_session.hpp"
#include "text.hpp"

namespace kinglet::tools {
namespace {

/// Positions of a sequence, or pixels of a side, that are planned for.
int planned_size(const ModelSession& session, const PlanOptions& options) {
  const auto refuse = [&](const char* option, int size, const std::string& why) {
    throw FileError(session.path(), std::string(option) + " " + std::to_string(size), why);
  };
  if (session.reads_images() && options.live > 0)
    refuse("--live", options.live, "the model reads images; give --image");
  if (!session.reads_images() && options.image > 0)
    refuse("--image", options.image, "the model reads no images");
  if (options.live > session.most_positions())
    refuse("--live", options.live,
           "the model has " + std::to_string(session.most_positions()) + " positions");
  const int asked = std::max(options.live, options.image);
  return asked > 0 ? asked : session.positions();
}

}  // namespace

void run_plan(const PlanOptions& options) {
  const auto session = open_model(options.file, {}, options.threads);
  const int size = planned_size(*session, options);
  std::uint64_t weights = 0;
  session->file().for_each_tensor([&](const TensorInfo& tensor) { weights += tensor.nbytes; });
  const std::vector<NamedPlan> plans = session->plans(options.batch, size, options.every_row);
  std::size_t scratch = 0;
  for (const NamedPlan& named : plans) scratch = std::max(scratch, named.plan.scratch_bytes);

  nlohmann::ordered_json out;
  out["file_bytes"] = session->file_bytes();
  out["weights_bytes"] = weights;
  out["ram_bytes"] = session->file_bytes() + scratch;
  out["batch"] = options.batch;
  out[session->reads_images() ? "pixels" : "positions"] = size;
  out["threads"] = options.threads;
  for (const auto& [name, plan] : plans) {
    out["tasks"][name] = {{"scratch_bytes", plan.scratch_bytes},
                          {"flops", plan.flops},
                          {"bytes_moved", plan.bytes_moved}};
  }
  if (options.json) {
    std::printf("%s", json_text(out).c_str());
    return;
  }
  const std::string sizes =
      session->reads_images()
          ? "images of " + std::to_string(size) + " x " + std::to_string(size) + " pixels"
          : std::to_string(size) + " positions a sequence";
  std::printf("%s\n  weights   %12llu bytes, used in place from the mapped file (%zu bytes)\n",
              printable(options.file, 1000).c_str(), static_cast<unsigned long long>(weights),
              session->file_bytes());
  std::printf("  RAM       %12zu bytes at most: file + scratch\n", session->file_bytes() + scratch);
  std::printf("  batch %d, %s, %d thread%s%s\n\n", options.batch, sizes.c_str(), options.threads,
              options.threads == 1 ? "" : "s", options.every_row ? ", every row computed" : "");
  std::printf("  %-10s %15s %12s %15s\n", "task", "scratch bytes", "GFLOP", "bytes moved");
  for (const auto& [name, plan] : plans) {
    std::printf("  %-10s %15zu %12.4f %15llu\n", name.c_str(), plan.scratch_bytes,
                static_cast<double>(plan.flops) * 1e-9,
                static_cast<unsigned long long>(plan.bytes_moved));
  }
}

}  // namespace kinglet::tools
