#pragma once
// The commands of kinglet-bench. Each adds its subcommand, options and callback to the program.

namespace CLI {
class App;
}

namespace kinglet::tools {

void add_accuracy(CLI::App& app);
void add_kernels(CLI::App& app);
void add_model(CLI::App& app);
void add_report(CLI::App& app);
void add_synth(CLI::App& app);

}  // namespace kinglet::tools
