// kinglet-bench kernels where Google Benchmark was not found.

#include <CLI/CLI.hpp>
#include <stdexcept>

#include "command_line.hpp"
#include "commands.hpp"

namespace kinglet::tools {

void add_kernels(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("kernels", "Not in this build: Google Benchmark was not found");
  command->allow_extras()->callback([] {
    throw std::runtime_error("kernels: built without Google Benchmark (Debian: libbenchmark-dev)");
  });
  add_examples(*command, {"apt install libbenchmark-dev"});
}

}  // namespace kinglet::tools
