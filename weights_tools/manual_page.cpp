// The manual page: one for a program and all of its commands.

#include <cstdio>
#include <kinglet/io/utf8.hpp>
#include <sstream>

#include "command_texts.hpp"

namespace kinglet::tools {
namespace {

/// Text as it is: no requests, no hyphens but typed ones, any character.
std::string troff(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = decode_utf8(text, i);
    const char c = text[i];
    if (point.size > 1) {
      char name[24];
      std::snprintf(name, sizeof name, "\\[u%04X]", static_cast<unsigned>(point.value));
      out += name;
    } else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) {
      out += std::string("\\&") + c;
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\\') {
      out += "\\e";
    } else if (c == '\'') {
      out += "\\(aq";
    } else if (c == '~' || c == '^') {
      out += c == '~' ? "\\(ti" : "\\(ha";
    } else {
      out += c;
    }
    i += point.size > 0 ? point.size : 1;
  }
  return out;
}

std::string bold(const std::string& text) { return "\\fB" + troff(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + troff(text) + "\\fR"; }

std::string heading(const Argument& argument) {
  if (argument.names.empty()) return italic(argument.label);
  std::string text;
  for (const std::string& name : argument.names) text += (text.empty() ? "" : ", ") + bold(name);
  return argument.value.empty() ? text : text + " " + italic(argument.value);
}

void print_arguments(std::ostream& out, const std::vector<Argument>& arguments) {
  for (const Argument& argument : arguments) {
    out << ".TP\n" << heading(argument) << '\n' << troff(argument.description);
    if (!argument.standard.empty()) out << " (default: " << troff(argument.standard) << ')';
    out << ".\n";
  }
}

void print_synopsis(std::ostream& out, const std::string& program, const Command& command) {
  out << ".PP\n" << bold(program + " " + command.name);
  for (const Argument& argument : command.positionals) {
    const std::string name = italic(argument.label + (argument.repeated ? "…" : ""));
    out << ' ' << (argument.required ? name : "[" + name + "]");
  }
  for (const Argument& argument : command.options) {
    if (argument.required)
      out << ' ' << bold(argument.names.back()) << ' ' << italic(argument.value);
  }
  out << " [" << italic("OPTIONS") << "]\n";
}

}  // namespace

std::string manual_page(const Command& program) {
  std::ostringstream out;
  out << ".TH " << troff(program.name) << " 1 \"\" \"kinglet " << KINGLET_VERSION
      << "\" \"User Commands\"\n.nh\n.ad l\n.SH NAME\n"
      << troff(program.name) << " \\- " << troff(program.description) << "\n.SH SYNOPSIS\n.PP\n"
      << bold(program.name) << ' ' << italic("COMMAND") << " [" << italic("OPTIONS")
      << "]\n.SH OPTIONS\n";
  print_arguments(out, program.options);
  out << ".SH COMMANDS\n";
  for (const Command& command : program.commands) {
    out << ".SS " << troff(command.name) << '\n' << troff(command.description) << ".\n";
    print_synopsis(out, program.name, command);
    print_arguments(out, command.positionals);
    print_arguments(out, command.options);
  }
  out << ".SH EXIT STATUS\n.TP\n.B 0\nAll went well.\n.TP\n.B 1\nThe command failed, or its answer "
         "is "
         "no.\n.TP\n.B 2\nThe command line is wrong.\n.SH EXAMPLES\n.nf\n"
      << troff(program.examples);
  for (const Command& command : program.commands) out << troff(command.examples);
  out << ".fi\n";
  return out.str();
}

}  // namespace kinglet::tools
