// kinglet-weights: converts, inspects, compares and checks model files.
#include <CLI/CLI.hpp>
#include <iostream>

#include "commands.hpp"
#include "model_session.hpp"

int main(int argc, char** argv) {
  using namespace kinglet::tools;
  CLI::App app("Converts, quantises, inspects, compares and checks model files.",
               "kinglet-weights");
  app.require_subcommand(1);
  app.set_version_flag("--version", [] { return version_text("kinglet-weights"); });
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
  try {
    app.parse(argc, argv);
    std::cout.flush();
    return 0;
  } catch (const CLI::RuntimeError& error) {  // a command that found its answer to be "no"
    return error.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "kinglet-weights: " << error.what() << '\n';
    return 1;
  }
}
