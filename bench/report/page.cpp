#include "page.hpp"

#include <set>

#include "compare.hpp"
#include "plots.hpp"
#include "tables.hpp"

namespace kinglet::tools::report {
namespace {

std::string paragraph(const std::string& text, const char* kind) {
  return text.empty() ? "" : std::string("<p class=\"") + kind + "\">" + escaped(text) + "</p>\n";
}

std::string drawn(const PlotGroup& group) {
  if (group.plots.empty()) return "";
  std::string html = "<div class=\"plots\">\n";
  for (const NamedPlot& plot : group.plots) html += plot.svg.inline_svg(plot.title);
  return html + "</div>\n" + paragraph(group.note, "note");
}

struct Section {
  const char* id;
  const char* title;
  std::string html;
};

/// Why a figure is not there, of each machine that says so.
template <class F>
std::string reasons(const Collection& collection, F figure_of) {
  std::string text;
  std::set<std::string> told;
  for (const Line& line : collection.lines()) {
    for (const auto& [setting, point] : line.points) {
      const auto& figure = figure_of(*point);
      if (figure.value || figure.why.empty()) continue;
      const std::string machine =
          collection.runs().size() > 1 ? collection.machine_label(line.run) + ": " : "";
      const std::string reason = machine + "not available: " + figure.why;
      if (told.insert(reason).second) text += paragraph(reason, "note");
    }
  }
  return text;
}

std::string plural(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string lead(const Collection& collection) {
  std::set<std::string> models;
  for (const Line& line : collection.lines()) {
    models.insert(collection.model_label(line.run, line.model));
  }
  std::string text = plural(models.size(), "model") + " on ";
  for (std::size_t i = 0; i < collection.runs().size(); ++i) {
    const std::string day = collection.runs()[i].machine.date.substr(0, 10);
    text += (i == 0 ? "" : "; ") + collection.machine_label(static_cast<int>(i));
    if (text.find(day) == std::string::npos) text += ", " + day;
  }
  return paragraph(text, "lead");
}

std::string models_section(const Collection& collection) {
  std::string note;
  const std::string common = collection.common_text();
  const std::string reference = collection.text_of(collection.reference());
  if (!common.empty()) note = "All measurements: " + common + ". ";
  if (!reference.empty()) note += "The latency in this table is that of " + reference + ".";
  return model_table(collection) + paragraph(note, "note");
}

std::string latency_section(const Collection& collection) {
  std::string html = drawn(latency_plots(collection)) + latency_table(collection);
  html += paragraph(
      "Time of one run, all sequences of the batch together, after a warm-up. No run is left out; "
      "outliers are those beyond 1.5 interquartile ranges. p50 is the median, and 1 % of the runs "
      "took "
      "longer than p99.",
      "note");
  const std::string start = start_table(collection);
  if (!start.empty()) html += "<h3>Start of a fresh process</h3>\n" + start;
  return html;
}

std::string comparison_section(const Collection& collection) {
  if (collection.runs().size() < 2) return "";
  const std::string table = comparison_table(collection);
  if (table.empty()) {
    return paragraph("No model was run at the same place of the grid on two machines.", "note");
  }
  return table + paragraph("Median latency, and the difference to the first machine of the line. " +
                               std::string(kNoiseText),
                           "note");
}

std::string roofline_section(const Collection& collection) {
  const std::string plots = drawn(roofline_plots(collection));
  return plots + work_table(collection) + limits_table(collection) +
         paragraph(
             "The peaks are those of arithmetic in registers and of reading memory, measured on "
             "this "
             "machine between the runs. Work and bytes are counted from the model's operations, "
             "each "
             "operand once; what is read from caches may beat the memory's line.",
             "note");
}

std::string ops_section(const Collection& collection) {
  const std::string plots = drawn(op_plots(collection));
  return plots.empty() ? "" : plots + op_tables(collection);
}

std::string memory_section(const Collection& collection) {
  return drawn(memory_plots(collection)) + memory_table(collection) +
         paragraph(
             "The peak is planned before the first run: the file, which is mapped, scratch and "
             "state. "
             "The measured peak is that of a fresh process, with the program itself; pages of the "
             "file that "
             "nobody reads are not in it.",
             "note");
}

std::string energy_section(const Collection& collection) {
  std::string html = drawn(energy_plots(collection)) + energy_table(collection);
  html +=
      reasons(collection, [](const Point& point) -> const Told<Energy>& { return point.energy; });
  if (html.find("<table") != std::string::npos) {
    html += paragraph(
        "Energy of one run above what the machine takes when idle. Rails that are part of the rail "
        "named, or beside it, are not added to it.",
        "note");
  }
  return html;
}

std::string accuracy_section(const Collection& collection) {
  return drawn(accuracy_plots(collection)) + accuracy_table(collection);
}

}  // namespace

std::string html_page(const std::vector<Results>& runs) {
  const Collection collection(runs);
  std::vector<Section> sections = {
      {"models", "Models", models_section(collection)},
      {"latency", "Latency", latency_section(collection)},
      {"comparison", "Machines beside each other", comparison_section(collection)},
      {"accuracy", "Accuracy", accuracy_section(collection)},
      {"roofline", "Roofline", roofline_section(collection)},
      {"ops", "Time of ops", ops_section(collection)},
      {"memory", "Memory", memory_section(collection)},
      {"energy", "Energy", energy_section(collection)},
      {"machines", runs.size() > 1 ? "Machines" : "Machine", machine_table(collection)}};

  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<title>kinglet-bench report</title>\n<style>" +
      std::string(kPageStyle) + plot_style() + "</style>\n</head>\n<body>\n<header>\n" +
      "<h1>kinglet-bench report</h1>\n" + lead(collection);
  for (const Results& run : runs) {
    if (!run.interrupted) continue;
    html += paragraph("The measurement was interrupted: points are missing.", "warn");
    break;
  }
  html += "<nav aria-label=\"Sections\">\n";
  for (const Section& section : sections) {
    if (section.html.empty()) continue;
    html += std::string("<a href=\"#") + section.id + "\">" + section.title + "</a>\n";
  }
  html += "</nav>\n</header>\n<main>\n";
  for (const Section& section : sections) {
    if (section.html.empty()) continue;
    html += std::string("<section>\n<h2 id=\"") + section.id + "\">" + section.title + "</h2>\n" +
            section.html + "</section>\n";
  }
  return html + "</main>\n</body>\n</html>\n";
}

}  // namespace kinglet::tools::report
