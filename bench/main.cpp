// kinglet-bench: how fast, how large and how right a model is on this machine.
#include <CLI/CLI.hpp>

#include "command_line.hpp"
#include "commands.hpp"

int main(int argc, char** argv) {
  using namespace kinglet::tools;
  CLI::App app("Tells how fast, how large and how right a model is on this machine",
               "kinglet-bench");
  add_accuracy(app);
  add_kernels(app);
  add_model(app);
  add_report(app);
  add_synth(app);
  return run_program(app, argc, argv);
}
