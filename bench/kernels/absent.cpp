// kinglet-bench kernels where Google Benchmark was not found.

#include <CLI/CLI.hpp>
#include <stdexcept>

#include "commands.hpp"

namespace kinglet::tools {

void add_kernels(CLI::App& app) {
  app.add_subcommand("kernels", "Not in this build: Google Benchmark was not found")
      ->allow_extras()
      ->callback([] {
        throw std::runtime_error(
            "kernels: built without Google Benchmark (Debian: libbenchmark-dev)");
      });
}

}  // namespace kinglet::tools
