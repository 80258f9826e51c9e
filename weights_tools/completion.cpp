// Completion scripts for bash, zsh and fish.

#include <algorithm>
#include <sstream>

#include "command_texts.hpp"

namespace kinglet::tools {
namespace {

std::string joined(const std::vector<std::string>& words, const char* between = " ") {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

/// With a backslash before each of these characters.
std::string escaped(const std::string& text, const char* special) {
  std::string out;
  for (const char c : text) {
    if (std::string(special).find(c) != std::string::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string names_of(const std::vector<Argument>& options) {
  std::string text;
  for (const Argument& option : options) text += (text.empty() ? "" : " ") + joined(option.names);
  return text;
}

std::string names_of(const std::vector<Command>& commands) {
  std::string text;
  for (const Command& command : commands) text += (text.empty() ? "" : " ") + command.name;
  return text;
}

bool takes_files(const Command& command) {
  return std::any_of(command.positionals.begin(), command.positionals.end(),
                     [](const Argument& positional) { return positional.is_file(); });
}

std::string choices_of(const Command& command) {
  std::string text;
  for (const Argument& positional : command.positionals) {
    if (!positional.choices.empty()) text += (text.empty() ? "" : " ") + joined(positional.choices);
  }
  return text;
}

/// A function's name in bash.
std::string identifier(std::string program) {
  std::replace(program.begin(), program.end(), '-', '_');
  return "_" + program;
}

/// An empty answer leaves the word to the shell, which then offers files.
void print_bash(std::ostream& out, const Command& whole) {
  const std::string function = identifier(whole.name);
  out << function << R"(() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  local options= words= files=no
  if [[ $current == = ]]; then  # --option=value comes as three words
    current=
  elif [[ $before == = ]]; then
    before=${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    words=')"
      << names_of(whole.commands) << "'\n    options='" << names_of(whole.options) << "'\n  else\n"
      << "    case ${COMP_WORDS[1]} in\n";
  for (const Command& command : whole.commands) {
    out << "      " << command.name << ")\n        options='" << names_of(command.options)
        << "'\n        words='" << choices_of(command) << "'\n";
    if (takes_files(command)) out << "        files=yes\n";
    out << "        case $before in\n";
    for (const Argument& option : command.options) {
      if (option.value.empty()) continue;
      out << "          " << joined(option.names, " | ") << ") options= words='"
          << joined(option.choices) << "' files=" << (option.is_file() ? "yes" : "no") << " ;;\n";
    }
    out << "        esac ;;\n";
  }
  out << R"(    esac
  fi
  if [[ $current == -* ]]; then
    words=$options files=no
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ $files == no ]]; then compopt +o default 2>/dev/null; fi
}
complete -o default -F )"
      << function << ' ' << whole.name << '\n';
}

/// As zsh takes it between single quotes: colons and brackets divide what _arguments reads.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : escaped(text, ":[]\\")) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out;
}

/// What _arguments is told: '(-o --output)'{-o,--output}'[description]:FILE:_files'.
std::string zsh_specification(const Argument& argument) {
  const bool positional = argument.names.empty();
  std::string value;
  if (!argument.value.empty()) {
    value = ":" + zsh_text(positional ? argument.label : argument.value) + ":";
    if (argument.is_file()) value += "_files";
    if (!argument.choices.empty()) value += "(" + zsh_text(joined(argument.choices)) + ")";
  }
  if (positional) return std::string("'") + (argument.repeated ? "*" : "") + value + "'";
  std::vector<std::string> names = argument.names;
  if (!value.empty() && names.back()[1] == '-') names.back() += '=';  // or in the next word
  const std::string rest = "[" + zsh_text(argument.description) + "]" + value + "'";
  if (names.size() == 1) return "'" + names[0] + rest;
  return "'(" + joined(argument.names) + ")'{" + joined(names, ",") + "}'" + rest;
}

void print_zsh(std::ostream& out, const Command& whole) {
  const std::string& program = whole.name;
  const auto print = [&](const std::vector<Argument>& arguments) {
    for (const Argument& argument : arguments)
      out << " \\\n        " << zsh_specification(argument);
  };
  out << "#compdef " << program << "\n\n_" << program << R"(() {
  local context state line
  typeset -A opt_args
  local -a commands=(
)";
  for (const Command& command : whole.commands)
    out << "    '" << command.name << ':' << zsh_text(command.description) << "'\n";
  out << "  )\n  _arguments -C";
  print(whole.options);
  out << R"( \
        '1:command:->command' '*::argument:->arguments'
  if [[ $state == command ]]; then
    _describe -t commands command commands
    return
  fi
  case $words[1] in
)";
  for (const Command& command : whole.commands) {
    out << "    " << command.name << ")\n      _arguments";
    print(command.options);
    print(command.positionals);
    out << " ;;\n";
  }
  // Loaded by name as a function, or read as a script.
  out << "  esac\n}\n\nif [[ $funcstack[1] == _" << program << " ]]; then\n  _" << program
      << " \"$@\"\nelse\n  compdef _" << program << ' ' << program << "\nfi\n";
}

void print_fish(std::ostream& out, const Command& whole) {
  const std::string& program = whole.name;
  const auto quoted = [](const std::string& text) { return "'" + escaped(text, "'\\") + "'"; };
  const auto print_option = [&](const std::string& when, const Argument& option) {
    out << "complete -c " << program << " -n " << quoted(when);
    for (const std::string& name : option.names)
      out << (name[1] == '-' ? " -l " + name.substr(2) : " -s " + name.substr(1));
    if (option.is_file()) {
      out << " -r -F";
    } else if (!option.value.empty()) {
      out << " -x";
      if (!option.choices.empty()) out << " -a " << quoted(joined(option.choices));
    }
    out << " -d " << quoted(option.description) << '\n';
  };
  out << "complete -c " << program << " -f\n";
  for (const Argument& option : whole.options) print_option("__fish_use_subcommand", option);
  for (const Command& command : whole.commands) {
    const std::string when = "__fish_seen_subcommand_from " + command.name;
    out << "complete -c " << program << " -n __fish_use_subcommand -a " << command.name << " -d "
        << quoted(command.description) << '\n';
    for (const Argument& option : command.options) print_option(when, option);
    if (takes_files(command)) out << "complete -c " << program << " -n " << quoted(when) << " -F\n";
    const std::string choices = choices_of(command);
    if (!choices.empty()) {
      out << "complete -c " << program << " -n " << quoted(when) << " -a " << quoted(choices)
          << '\n';
    }
  }
}

}  // namespace

std::string completion_script(const Command& program, const std::string& shell) {
  std::ostringstream out;
  const auto print = shell == "bash" ? print_bash : shell == "zsh" ? print_zsh : print_fish;
  print(out, program);
  return out.str();
}

}  // namespace kinglet::tools
