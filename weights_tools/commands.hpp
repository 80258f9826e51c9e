#pragma once
// The commands of kinglet-weights. Each adds its subcommand, options and callback to the program.

namespace CLI {
class App;
}

namespace kinglet::tools {

void add_convert(CLI::App& app);
void add_inspect(CLI::App& app);
void add_export(CLI::App& app);
void add_diff(CLI::App& app);
void add_plan(CLI::App& app);
void add_quantize(CLI::App& app);
void add_keep_layers(CLI::App& app);
void add_prune_vocab(CLI::App& app);
void add_factorize(CLI::App& app);
void add_verify(CLI::App& app);

}  // namespace kinglet::tools
