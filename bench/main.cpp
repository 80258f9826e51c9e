// kinglet-bench: how fast, how large and how right a model is on this machine.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "commands.hpp"
#include "model_session.hpp"

int main(int argc, char** argv) {
  CLI::App app("kinglet-bench: how fast, how large and how right a model is on this machine",
               "kinglet-bench");
  app.set_version_flag("--version", kinglet::tools::version_text("kinglet-bench"));
  app.require_subcommand(1);
  kinglet::tools::add_accuracy(app);
  kinglet::tools::add_kernels(app);
  kinglet::tools::add_model(app);
  kinglet::tools::add_report(app);
  kinglet::tools::add_synth(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::RuntimeError& error) {
    return error.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kinglet-bench: %s\n", error.what());
    return 1;
  }
}
