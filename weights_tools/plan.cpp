// kinglet-weights plan: what running a model will take, before it runs.

#include <cstdio>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "model_session.hpp"

namespace kinglet::tools {
void run_plan(const PlanOptions& options) {
  const auto session = open_model(options.file, {}, options.threads);
  std::uint64_t weights = 0;
  session->file().for_each_tensor([&](const TensorInfo& tensor) { weights += tensor.nbytes; });
  const int live = options.live > 0 ? std::min(options.live, session->positions()) : 0;

  nlohmann::ordered_json out;
  out["file_bytes"] = session->file_bytes();
  out["weights_bytes"] = weights;
  out["batch"] = options.batch;
  out["positions"] = live > 0 ? live : session->positions();
  out["threads"] = options.threads;
  for (const auto& [name, plan] : session->plans(options.batch, live, options.every_row)) {
    out["tasks"][name] = {{"scratch_bytes", plan.scratch_bytes},
                          {"flops", plan.flops},
                          {"bytes_moved", plan.bytes_moved}};
  }
  if (options.json) {
    std::printf("%s\n", out.dump(2).c_str());
    return;
  }
  std::printf("%s\n  weights   %12llu bytes, used in place from the mapped file (%zu bytes)\n",
              options.file.c_str(), static_cast<unsigned long long>(weights),
              session->file_bytes());
  std::printf("  batch %d, %d positions a sequence, %d thread%s%s\n\n", options.batch,
              out["positions"].get<int>(), options.threads, options.threads == 1 ? "" : "s",
              options.every_row ? ", every row computed" : "");
  std::printf("  %-10s %15s %12s %15s\n", "task", "scratch bytes", "GFLOP", "bytes moved");
  for (const auto& [name, plan] : out["tasks"].items()) {
    std::printf("  %-10s %15llu %12.4f %15llu\n", name.c_str(),
                plan["scratch_bytes"].get<unsigned long long>(), plan["flops"].get<double>() * 1e-9,
                plan["bytes_moved"].get<unsigned long long>());
  }
}

}  // namespace kinglet::tools
