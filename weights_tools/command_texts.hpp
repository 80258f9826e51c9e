#pragma once
// Texts about a program, made from the definitions of its commands and options.

#include <string>
#include <vector>

namespace kinglet::tools {

/// An option, or an argument by position.
struct Argument {
  std::vector<std::string> names;  ///< "-o", "--output"; none: by position
  std::string value;               ///< "FILE", "INT in [1 - 256]"; empty: a flag
  std::vector<std::string> choices;
  std::string label;  ///< by position: what help calls it
  std::string description, standard;
  bool required = false;
  bool repeated = false;  ///< takes several values

  bool is_file() const { return value == "FILE" || value == "DIR"; }
};

/// Or a program with its commands; hidden ones and hidden options are left out.
struct Command {
  std::string name, description;
  std::string examples;  ///< a line each
  std::vector<Argument> options, positionals;
  std::vector<Command> commands;
};

/// In troff, with the macros of man(7).
std::string manual_page(const Command& program);

/// shell: bash, zsh or fish.
std::string completion_script(const Command& program, const std::string& shell);

}  // namespace kinglet::tools
