#pragma once
// What the command lines of all programs share: options that several commands have, examples, exit
// codes, and the manual page and shell completions, which are made from the definitions of the
// options. With main.cpp of each program the only place that knows CLI11.

#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace kinglet::tools {

/// An option, or an argument by position, that names a file or several.
CLI::Option* add_file(CLI::App& command, const std::string& name, std::string& path,
                      const std::string& description);
CLI::Option* add_files(CLI::App& command, const std::string& name, std::vector<std::string>& paths,
                       const std::string& description);
/// -o,--output, which must be given.
void add_output(CLI::App& command, std::string& path,
                const std::string& description = "Model file to write (.gguf)");
void add_threads(CLI::App& command, int& threads, const std::string& description = "Threads");
void add_isa(CLI::App& command, std::string& isa);

/// The instruction sets that are compiled in, best first, whether this processor has them or not.
std::vector<std::string> isa_names();

/// Command lines to show at the end of --help and in the manual page.
void add_examples(CLI::App& command, const std::vector<std::string>& lines);

/// Adds --version and the commands `completion` and `man`; then parses and runs.
/// Gives 0; 1 when the command failed, or its output could not be written; 2 for a wrong command line; what a callback throws as
/// CLI::RuntimeError, 1 where a command's answer is "no".
int run_program(CLI::App& app, int argc, char** argv);

}  // namespace kinglet::tools
