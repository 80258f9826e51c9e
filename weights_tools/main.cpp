// kinglet-weights: converts, inspects, compares and checks model files.
#include <CLI/CLI.hpp>

#include "command_line.hpp"
#include "commands.hpp"

int main(int argc, char** argv) {
  using namespace kinglet::tools;
  CLI::App app("Converts, quantises, inspects, compares and checks model files", "kinglet-weights");
  add_convert(app);
  add_inspect(app);
  add_export(app);
  add_diff(app);
  add_plan(app);
  add_quantize(app);
  add_keep_layers(app);
  add_prune_vocab(app);
  add_factorize(app);
  add_verify(app);
  return run_program(app, argc, argv);
}
