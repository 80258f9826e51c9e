// kinglet-weights plan: what running a model will take, before it runs.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "command_line.hpp"
#include "commands.hpp"
#include "model_session.hpp"

namespace kinglet::tools {
namespace {

struct Options {
  std::string file;
  int batch = 1;
  int live = 0;
  int threads = 1;
  bool every_row = false;
  bool json = false;
};

void run(const Options& options) {
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

}  // namespace

void add_plan(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("plan", "What running a model will take: bytes, FLOPs");
  command->add_option("file", options->file, "Model file (.gguf)")->type_name("FILE")->required();
  command->add_option("--batch", options->batch, "Sequences at once")->check(CLI::Range(1, 4096));
  command->add_option("--live", options->live, "Positions that are not masked (default: all)")
      ->check(CLI::Range(1, 65536));
  command->add_option("--threads", options->threads, "Threads lent")->check(CLI::Range(1, 256));
  command->add_flag("--all-rows", options->every_row, "Every row computed, as verify does");
  command->add_flag("--json", options->json, "Print JSON");
  add_examples(*command, {"kinglet-weights plan model.gguf --batch 4",
                          "kinglet-weights plan model.gguf --live 40 --json"});
  command->callback([options] { run(*options); });
}

}  // namespace kinglet::tools
