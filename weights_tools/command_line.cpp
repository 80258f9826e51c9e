#include "command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <dispatch/dispatch.hpp>
#include <iostream>
#include <memory>
#include <numeric>
#include <sstream>

#include "command_texts.hpp"
#include "model_session.hpp"
#include "text.hpp"

namespace kinglet::tools {
namespace {

constexpr char kExamples[] = "Examples:\n";

std::vector<std::string> split(const std::string& text, char between) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, between);) parts.push_back(part);
  return parts;
}

/// "INT in [1 - 16]", "{a,b}": CLI11 puts the type before what is checked, "INT:INT in [1 - 16]".
std::string value_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(type.find(':') + 1);
}

/// --help shows values as the manual page does.
void label_values(CLI::App& app) {
  for (const CLI::Option* option : app.get_options())
    app.get_formatter()->label(option->get_type_name(), value_of(*option));
  for (CLI::App* part : app.get_subcommands(nullptr)) label_values(*part);
}

Argument describe(const CLI::Option& option) {
  Argument argument;
  for (const std::string& name : option.get_snames()) argument.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) argument.names.push_back("--" + name);
  argument.label = option.get_name(true);
  argument.description = option.get_description();
  argument.standard = option.get_default_str();
  argument.required = option.get_required();
  argument.repeated = option.get_items_expected_max() > 1;
  if (option.get_type_size() == 0) return argument;  // a flag
  argument.value = value_of(option);
  if (argument.value.front() == '{')
    argument.choices = split(argument.value.substr(1, argument.value.size() - 2), ',');
  return argument;
}

/// Also those of groups, which repeat --help.
void add_arguments(const CLI::App& app, Command& command) {
  for (const CLI::Option* option : app.get_options()) {
    const bool again = app.get_name().empty() && option == app.get_help_ptr();
    if (option->get_group().empty() || again) continue;
    (option->nonpositional() ? command.options : command.positionals).push_back(describe(*option));
  }
  for (const CLI::App* group : app.get_subcommands(nullptr)) {
    if (group->get_name().empty()) add_arguments(*group, command);
  }
}

Command describe(const CLI::App& app) {
  Command command;
  command.name = app.get_name();
  command.description = app.get_description();
  const std::string footer = app.get_footer();
  if (footer.rfind(kExamples, 0) == 0) command.examples = footer.substr(sizeof kExamples - 1);
  add_arguments(app, command);
  for (const CLI::App* part : app.get_subcommands(nullptr)) {
    if (!part->get_name().empty() && !part->get_group().empty())
      command.commands.push_back(describe(*part));
  }
  return command;
}

void add_text_commands(CLI::App& app) {
  const std::string name = app.get_name();
  CLI::App* completion = app.add_subcommand("completion", "Print a script that completes commands");
  const auto shell = std::make_shared<std::string>();
  completion->add_option("SHELL", *shell, "Shell that will read it")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->callback([&app, shell] { std::cout << completion_script(describe(app), *shell); });
  add_examples(*completion,
               {"source <(" + name + " completion bash)",
                name + " completion fish > ~/.config/fish/completions/" + name + ".fish"});

  CLI::App* manual = app.add_subcommand("man", "Print the manual page");
  manual->callback([&app] { std::cout << manual_page(describe(app)); });
  add_examples(*manual, {name + " man | man -l -"});
}

/// How many letters must be changed, added or left out.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);  // of a's first letters to each beginning of b
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (const char letter : a) {
    std::size_t before = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = before + (letter == b[j] ? 0 : 1);
      before = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

/// Throws where the first word is no command; CLI11 would only say that there is none.
void check_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  const std::string word = argv[1];
  std::string nearest;
  std::size_t least = 2 + word.size() / 3;  // what is further is another word
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    const std::string name = command->get_name();
    if (name == word) return;
    const std::size_t away = name.rfind(word, 0) == 0 ? 1 : distance(word, name);
    if (away < least) nearest = name, least = away;
  }
  throw CLI::ParseError("there is no command " + in_quotes(word) +
                            (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"),
                        CLI::ExitCodes::ExtrasError);
}

/// What is wrong with a command line, with the program and the command.
std::string usage_error(const CLI::App* app, const CLI::Error& error) {
  std::string call = app->get_name();
  for (const CLI::App* command : app->get_subcommands()) call += " " + command->get_name();
  return call + ": " + printable(error.what(), 2000) + "\nRun '" + call +
         " --help' for more information.\n";
}

int parse_and_run(CLI::App& app, int argc, char** argv) {
  try {
    check_command(app, argc, argv);
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::RuntimeError& error) {  // a command that found its answer to be "no"
    return error.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << app.get_name() << ": " << printable(error.what(), 4000) << '\n';
    return 1;
  }
}

/// Whether all that went to standard output got there.
bool output_is_written() {
  std::cout.flush();
  return std::cout.good() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

}  // namespace

CLI::Option* add_file(CLI::App& command, const std::string& name, std::string& path,
                      const std::string& description) {
  return command.add_option(name, path, description)->type_name("FILE");
}

CLI::Option* add_files(CLI::App& command, const std::string& name, std::vector<std::string>& paths,
                       const std::string& description) {
  return command.add_option(name, paths, description)->type_name("FILE");
}

void add_output(CLI::App& command, std::string& path, const std::string& description) {
  add_file(command, "-o,--output", path, description)->required();
}

void add_threads(CLI::App& command, int& threads, const std::string& description) {
  command.add_option("--threads", threads, description)
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
}

void add_isa(CLI::App& command, std::string& isa) {
  command.add_option("--isa", isa, "Instruction set; default: the best here")
      ->check(CLI::IsMember(isa_names()));
}

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (int i = 0; kernels::compiled(i) != nullptr; ++i) names.emplace_back(kernels::compiled(i));
  return names;
}

void add_examples(CLI::App& command, const std::vector<std::string>& lines) {
  std::string text = kExamples;
  for (const std::string& line : lines) text += "  " + line + "\n";
  command.footer(text);
}

int run_program(CLI::App& app, int argc, char** argv) {
  app.require_subcommand(1);
  app.set_version_flag("--version", [&app] { return version_text(app.get_name()); });
  app.failure_message(usage_error);
  add_text_commands(app);
  label_values(app);
  const int code = parse_and_run(app, argc, argv);
  if (output_is_written()) return code;
  std::cerr << app.get_name() << ": standard output: cannot be written\n";
  return std::max(code, 1);
}

}  // namespace kinglet::tools
