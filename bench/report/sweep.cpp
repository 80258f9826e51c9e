#include "sweep.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace kinglet::tools::report {
namespace {

constexpr std::size_t kMostPlots = 4, kMostLines = kColours, kMostBars = 16;

struct Dimension {
  int Setting::*member;
  const char* file;
  const char* title;
  const char* axis;
};

constexpr Dimension kDimensions[] = {
    {&Setting::batch, "batch", "batch size", "batch size"},
    {&Setting::length, "length", "sequence length", "sequence length, live positions"},
    {&Setting::image, "image", "image size", "image side, pixels"},
    {&Setting::steps, "steps", "steps", "steps"},
    {&Setting::threads, "threads", "threads", "threads"}};

/// Lines that differ in the dimension alone.
struct Panel {
  Setting setting;
  std::vector<std::pair<std::size_t, std::vector<std::pair<int, const Point*>>>> lines;
};

/// Every line of two places or more.
std::vector<Panel> panels_of(const Collection& collection, const Dimension& dimension,
                             const Figure& figure) {
  std::map<Setting, Panel> panels;
  for (std::size_t i = 0; i < collection.lines().size(); ++i) {
    std::map<Setting, std::vector<std::pair<int, const Point*>>> places;
    for (const auto& [setting, point] : collection.lines()[i].points) {
      Setting others = setting;
      others.*dimension.member = 0;
      if (std::isfinite(figure.mark(*point).y)) {
        places[others].emplace_back(setting.*dimension.member, point);
      }
    }
    for (const auto& [setting, points] : places) {
      if (points.size() < 2) continue;
      panels[setting].setting = setting;
      panels[setting].lines.emplace_back(i, points);
    }
  }
  std::vector<Panel> all;
  for (const auto& [setting, panel] : panels) all.push_back(panel);
  return all;
}

/// The same in plots of kMostLines lines at most.
std::vector<Panel> split(const Panel& panel) {
  std::vector<Panel> parts;
  for (std::size_t i = 0; i < panel.lines.size(); ++i) {
    if (i % kMostLines == 0) parts.push_back({panel.setting, {}});
    parts.back().lines.push_back(panel.lines[i]);
  }
  return parts;
}

Mark scaled(Mark mark, double unit) {
  mark.y /= unit;
  mark.low /= unit;
  mark.high /= unit;
  return mark;
}

/// What the pointer shows.
std::string title_of(const Collection& collection, const Figure& figure, const Line& line,
                     const Point& point, const Mark& mark) {
  const std::string where = collection.text_of(Setting::of(point));
  std::string text =
      line.label + (where.empty() ? "" : ", " + where) + ": " + amount(figure.quantity, mark.y, 4);
  if (std::isfinite(mark.high)) {
    text += " (" + amount(figure.quantity, mark.low, 4) + " … " +
            amount(figure.quantity, mark.high, 4) + ")";
  }
  return text;
}

std::string joined(const std::string& a, const std::string& b) {
  return a + (a.empty() || b.empty() ? "" : "; ") + b;
}

Chart chart_of(const Collection& collection, const Figure& figure, const Dimension& dimension,
               const Panel& panel) {
  Chart chart;
  std::vector<double> values;
  std::set<double> places;
  for (const auto& [index, points] : panel.lines) {
    for (const auto& [place, point] : points) {
      values.push_back(figure.mark(*point).y);
      places.insert(place);
    }
  }
  const Unit unit = unit_for(figure.quantity, values);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const bool log = *places.begin() > 0 && *low > 0 &&
                   (*places.rbegin() >= 8 * *places.begin() || *high >= 20 * *low);
  chart.title = std::string(figure.title) + " against " + dimension.title;
  chart.note = joined(collection.text_of(panel.setting), figure.note);
  chart.x = {dimension.axis, log, false, {places.begin(), places.end()}, {}};
  chart.y = {std::string(figure.title) + ", " + unit.text, log, true, {}, {}};
  for (const auto& [index, points] : panel.lines) {
    const Line& line = collection.lines()[index];
    Series series = {line.label, static_cast<int>(index), true, {}};
    for (const auto& [place, point] : points) {
      Mark mark = figure.mark(*point);
      mark.title = title_of(collection, figure, line, *point, mark);
      mark = scaled(mark, unit.size);
      mark.x = place;
      series.marks.push_back(mark);
    }
    chart.series.push_back(series);
  }
  return chart;
}

PlotGroup bars_of(const Collection& collection, const Figure& figure) {
  std::vector<double> values;
  std::vector<std::pair<std::size_t, Mark>> marks;
  for (std::size_t i = 0; i < collection.lines().size(); ++i) {
    const Line& line = collection.lines()[i];
    const Point& point = collection.shown(line);
    Mark mark = figure.mark(point);
    if (!std::isfinite(mark.y)) continue;
    mark.title = title_of(collection, figure, line, point, mark);
    values.push_back(mark.y);
    marks.emplace_back(i, mark);
  }
  if (marks.empty()) return {};
  PlotGroup group;
  const Unit unit = unit_for(figure.quantity, values);
  BarChart chart;
  chart.title = figure.title;
  chart.note = joined(collection.text_of(collection.reference()), figure.note);
  chart.axis = std::string(figure.title) + ", " + unit.text;
  for (const std::size_t i : chosen_of(marks.size(), kMostBars)) {
    const auto& [line, mark] = marks[i];
    const Mark shown = scaled(mark, unit.size);
    Bar bar;
    bar.label = collection.label_of_shown(collection.lines()[line]);
    bar.amount = number(shown.y, 4) + " " + unit.text;
    bar.segments = {{shown.y, static_cast<int>(line), mark.title}};
    bar.low = shown.low;
    bar.high = shown.high;
    chart.bars.push_back(bar);
  }
  group.plots.push_back({figure.file, chart.title, draw(chart)});
  if (marks.size() > kMostBars) group.note = "More models are in the tables.";
  return group;
}

}  // namespace

std::vector<std::size_t> chosen_of(std::size_t count, std::size_t most) {
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < std::min(count, most); ++i) {
    chosen.push_back(count <= most ? i : i * (count - 1) / (most - 1));
  }
  return chosen;
}

PlotGroup plots_of(const Collection& collection, const Figure& figure) {
  PlotGroup group;
  std::size_t left_out = 0;
  for (const Dimension& dimension : kDimensions) {
    const std::vector<Panel> panels = panels_of(collection, dimension, figure);
    const std::vector<std::size_t> chosen = chosen_of(panels.size(), kMostPlots);
    std::vector<Chart> charts;
    for (const std::size_t i : chosen) {
      for (const Panel& part : split(panels[i])) {
        charts.push_back(chart_of(collection, figure, dimension, part));
      }
    }
    for (std::size_t i = 0; i < charts.size(); ++i) {
      std::string file = std::string(figure.file) + "-" + dimension.file;
      if (charts.size() > 1) file += "-" + std::to_string(i + 1);
      group.plots.push_back({file, charts[i].title, draw(charts[i])});
    }
    left_out += panels.size() - chosen.size();
  }
  if (group.plots.empty()) return bars_of(collection, figure);
  if (left_out > 0) {
    group.note = "Plots are shown for some places of the grid; " + std::to_string(left_out) +
                 " more are in the table.";
  }
  return group;
}

}  // namespace kinglet::tools::report
