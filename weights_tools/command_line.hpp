#pragma once
// What the command lines of all programs share: examples, exit codes, and the manual page and shell
// completions, which are made from the definitions of the options.

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace kinglet::tools {

/// Command lines to show at the end of --help and in the manual page.
void add_examples(CLI::App& command, const std::vector<std::string>& lines);

/// Adds --version and the commands `completion` and `man`; then parses and runs.
/// Gives 0; 1 when the command failed, or its answer is "no"; 2 for a wrong command line.
int run_program(CLI::App& app, int argc, char** argv);

}  // namespace kinglet::tools
