#include "plots.hpp"

#include <algorithm>
#include <cmath>

#include "chart.hpp"
#include "numbers.hpp"
#include "sweep.hpp"

namespace kinglet::tools::report {
namespace {

constexpr std::size_t kMostPlots = 6, kMostBars = 16;

std::string numbered(const std::string& file, std::size_t i, std::size_t count) {
  return count > 1 ? file + "-" + std::to_string(i + 1) : file;
}

/// The ends of the interval that holds a share with 95 % (Wilson 1927).
std::pair<double, double> interval_of(const Accuracy& accuracy) {
  constexpr double kZ = 1.96;
  const double n = accuracy.asked, p = accuracy.right / n;
  const double middle = (p + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
  const double half = kZ / (1 + kZ * kZ / n) * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  return {middle - half, middle + half};
}

/// Those than which none is both faster and better, from the fastest on.
std::vector<std::pair<double, double>> front_of(const std::vector<Series>& all) {
  std::vector<std::pair<double, double>> points, front;
  for (const Series& series : all) {
    for (const Mark& mark : series.marks) points.emplace_back(mark.x, mark.y);
  }
  std::sort(points.begin(), points.end(), [](const auto& a, const auto& b) {
    return a.first < b.first || (a.first == b.first && a.second > b.second);
  });
  for (const auto& point : points) {
    if (front.empty() || point.second > front.back().second) front.push_back(point);
  }
  return front;
}

Chart accuracy_chart(const Collection& collection, const std::string& group,
                     const std::string& name) {
  std::vector<double> times;
  for (const Line& line : collection.lines()) {
    times.push_back(collection.shown(line).latency.p50);
  }
  const Unit unit = unit_for(Quantity::seconds, times);
  Chart chart;
  bool share = false;
  for (std::size_t i = 0; i < collection.lines().size(); ++i) {
    const Line& line = collection.lines()[i];
    const double seconds = collection.shown(line).latency.p50;
    const std::string label = collection.label_of_shown(line);
    for (const Accuracy& accuracy : collection.model_of(line).accuracy) {
      if (accuracy.group != group || accuracy.name != name) continue;
      Mark mark;
      mark.x = seconds / unit.size;
      mark.y = accuracy.value;
      if (accuracy.asked > 0) {
        share = true;
        const auto [low, high] = interval_of(accuracy);
        mark.low = 100 * low;
        mark.high = 100 * high;
        mark.y *= 100;
      }
      mark.title = label + ": " + number(mark.y, 4) + ", " + amount(Quantity::seconds, seconds, 4);
      chart.series.push_back({label, static_cast<int>(i), false, {mark}});
      break;
    }
  }
  const std::string what = group + (group.empty() ? "" : " ") + name;
  chart.title = "Accuracy against latency: " + what;
  chart.note = collection.text_of(collection.reference());
  if (share) {
    chart.note += std::string(chart.note.empty() ? "" : "; ") + "bars: 95 % interval";
  }
  chart.x = {"Latency, median, " + unit.text, false, true, {}, {}};
  chart.y = {what + (share ? ", % right" : ""), false, false, {}, {}};
  const auto front = front_of(chart.series);
  // Machines have fronts of their own; one is enough to look at.
  if (front.size() > 1 && collection.runs().size() == 1) {
    chart.rules.push_back({"best for its time", 1, front});
  }
  return chart;
}

/// As far as points and ridges reach.
struct Reach {
  double low = 0, high = 0;
  void add(double x) {
    if (!(x > 0) || !std::isfinite(x)) return;
    low = low == 0 ? x : std::min(low, x);
    high = std::max(high, x);
  }
};

Mark roofline_mark(double flops, double bytes, double seconds, const std::string& what,
                   bool small) {
  Mark mark;
  mark.x = flops / bytes;
  mark.y = flops / seconds * 1e-9;
  mark.small = small;
  mark.title = what + ": " + number(mark.y) + " GFLOP/s, " + number(mark.x) + " FLOP a byte";
  return mark;
}

void add_roofs(Chart& chart, const Limits& limits, Reach reach) {
  for (const double peak : {limits.f32_flops, limits.s8_ops}) {
    if (limits.bandwidth > 0) reach.add(peak / limits.bandwidth);
  }
  if (reach.low == 0) reach = {0.1, 100};
  // The roof goes from edge to edge.
  chart.x.range = log_range({reach.low / 1.5, reach.high * 1.5});
  const double left = chart.x.range.low, right = chart.x.range.high;
  const double slope = limits.bandwidth * 1e-9;
  double ridge = left;
  const auto roof = [&](const char* name, double peak, int pattern, const char* unit) {
    if (!(peak > 0)) return;
    const double begin = slope > 0 ? std::max(left, peak * 1e-9 / slope) : left;
    ridge = std::max(ridge, begin);
    chart.rules.push_back({std::string(name) + number(peak * 1e-9) + unit,
                           pattern,
                           {{begin, peak * 1e-9}, {right, peak * 1e-9}}});
  };
  roof("fp32 peak ", limits.f32_flops, 1, " GFLOP/s");
  roof("int8 peak ", limits.s8_ops, 2, " GOP/s");
  if (slope > 0) {
    chart.rules.push_back(
        {"memory " + number(slope) + " GB/s", 0, {{left, left * slope}, {ridge, ridge * slope}}});
  }
}

Chart roofline_chart(const Collection& collection, const Limits& limits, int run) {
  Chart chart;
  chart.title = "Roofline";
  if (collection.runs().size() > 1) chart.title += ", " + collection.machine_label(run);
  chart.note = limits.isa + ", " + std::to_string(limits.threads) +
               (limits.threads == 1 ? " thread" : " threads");
  chart.x = {"Arithmetic intensity, FLOP a byte", true, false, {}, {}};
  chart.y = {"GFLOP/s (int8: GOP/s)", true, false, {}, {}};
  Reach reach;
  bool ops = false;
  for (std::size_t i = 0; i < collection.lines().size(); ++i) {
    const Line& line = collection.lines()[i];
    if (line.run != run || line.isa != limits.isa) continue;
    Series series = {line.label, static_cast<int>(i), false, {}};
    bool ops_shown = false;
    for (const auto& [setting, point] : line.points) {
      if (setting.threads != limits.threads) continue;
      const std::string where = collection.text_of(setting);
      const std::string what = line.label + (where.empty() ? "" : ", " + where);
      // Of one place only: those of all would hide each other.
      for (const OpTime& op : point->ops) {
        if (ops_shown) break;
        series.marks.push_back(roofline_mark(number_of(op.flops), number_of(op.bytes), op.seconds,
                                             what + ", " + op.op + " " + op.tensor, true));
        ops = true;
      }
      ops_shown = ops_shown || !point->ops.empty();
      series.marks.push_back(roofline_mark(number_of(point->flops), number_of(point->bytes_moved),
                                           point->latency.p50, what, false));
    }
    for (const Mark& mark : series.marks) reach.add(mark.x);
    if (!series.marks.empty()) chart.series.push_back(series);
  }
  if (ops) chart.note += "; small and hollow: single ops";
  add_roofs(chart, limits, reach);
  return chart;
}

BarChart op_chart(const Collection& collection, const Line& line, const Point& point, int style) {
  constexpr std::size_t kMostOps = 14;
  std::vector<const OpTime*> ops;
  double sum = 0, rest = 0;
  std::vector<double> times;
  for (const OpTime& op : point.ops) {
    ops.push_back(&op);
    sum += op.seconds;
  }
  std::stable_sort(ops.begin(), ops.end(),
                   [](const OpTime* a, const OpTime* b) { return a->seconds > b->seconds; });
  const std::size_t shown = ops.size() > kMostOps ? kMostOps - 1 : ops.size();
  for (std::size_t i = 0; i < ops.size(); ++i) {
    (i < shown ? times.emplace_back(0) : rest) += ops[i]->seconds;
  }
  const Unit unit = unit_for(Quantity::seconds, {sum});
  BarChart chart;
  chart.title = "Time of ops: " + line.label;
  chart.note = collection.text_of(Setting::of(point));
  chart.axis = "Time in one run, " + unit.text;
  const auto add = [&](const std::string& label, double seconds) {
    Bar bar;
    bar.label = label;
    bar.amount = number(seconds / unit.size) + " " + unit.text + " · " +
                 fixed(sum > 0 ? 100 * seconds / sum : 0, 1) + " %";
    bar.segments = {{seconds / unit.size, style, label + ": " + bar.amount}};
    chart.bars.push_back(bar);
  };
  for (std::size_t i = 0; i < shown; ++i) {
    const OpTime& op = *ops[i];
    add(op.op + (op.int8 ? " int8" : "") + (op.tensor.empty() ? "" : " " + op.tensor), times[i]);
  }
  if (shown < ops.size()) add(std::to_string(ops.size() - shown) + " other ops", rest);
  return chart;
}

}  // namespace

PlotGroup latency_plots(const Collection& collection) {
  return plots_of(collection, {"latency", "Latency", "median; bars: fastest to 90th percentile",
                               Quantity::seconds, [](const Point& point) {
                                 Mark mark;
                                 const Latency& latency = point.latency;
                                 mark.y = latency.p50 > 0 ? latency.p50 : kNone;
                                 if (latency.runs > 1)
                                   mark.low = latency.min, mark.high = latency.p90;
                                 return mark;
                               }});
}

PlotGroup energy_plots(const Collection& collection) {
  return plots_of(collection, {"energy", "Energy of a run", "idle power subtracted",
                               Quantity::joules, [](const Point& point) {
                                 Mark mark;
                                 mark.y = point.energy.value ? point.energy.value->joules_per_run
                                                             : kNone;
                                 return mark;
                               }});
}

PlotGroup memory_plots(const Collection& collection) {
  // Of each line the place that takes most: that must fit.
  std::vector<std::pair<std::size_t, const Point*>> largest;
  std::vector<double> values;
  bool measured = false;
  for (std::size_t i = 0; i < collection.lines().size(); ++i) {
    const Point* most = nullptr;
    for (const auto& [setting, point] : collection.lines()[i].points) {
      if (most == nullptr || point->peak_planned > most->peak_planned) most = point;
    }
    if (most == nullptr || most->peak_planned == 0) continue;
    largest.emplace_back(i, most);
    values.push_back(number_of(most->peak_planned));
    measured = measured || most->peak_resident.value;
  }
  if (largest.empty()) return {};
  const Unit unit = unit_for(Quantity::bytes, values);
  BarChart chart;
  chart.title = "Memory";
  chart.note = "planned before the run, at the place of the grid that takes most";
  chart.axis = "Memory, " + unit.text;
  const auto any = [&](std::uint64_t Point::*member) {
    return std::any_of(largest.begin(), largest.end(),
                       [member](const auto& line) { return line.second->*member > 0; });
  };
  chart.legend = {{6, "file, mapped"}};
  if (any(&Point::scratch_planned)) chart.legend.emplace_back(4, "scratch");
  if (any(&Point::state_bytes)) chart.legend.emplace_back(7, "state");
  if (measured) chart.mark_name = "measured peak, with the program";
  for (const std::size_t c : chosen_of(largest.size(), kMostBars)) {
    const auto& [i, point] = largest[c];
    const Line& line = collection.lines()[i];
    const std::string where = collection.text_of(Setting::of(*point));
    Bar bar;
    bar.label = line.label + (where.empty() ? "" : ", " + where);
    bar.amount = number(number_of(point->peak_planned) / unit.size) + " " + unit.text;
    const auto part = [&](std::uint64_t bytes, int style, const char* what) {
      if (bytes == 0) return;
      bar.segments.push_back(
          {number_of(bytes) / unit.size, style, what + amount(Quantity::bytes, number_of(bytes))});
    };
    part(collection.model_of(line).file_bytes, 6, "file: ");
    part(point->scratch_planned, 4, "scratch: ");
    part(point->state_bytes, 7, "state: ");
    if (point->peak_resident.value) {
      bar.mark = number_of(*point->peak_resident.value) / unit.size;
      bar.mark_title = "measured: " + number(bar.mark) + " " + unit.text;
    }
    chart.bars.push_back(bar);
  }
  PlotGroup group;
  group.plots.push_back({"memory", chart.title, draw(chart)});
  if (largest.size() > kMostBars) group.note = "More models are in the table.";
  return group;
}

PlotGroup accuracy_plots(const Collection& collection) {
  std::vector<std::pair<std::string, std::string>> kinds;
  for (const Line& line : collection.lines()) {
    for (const Accuracy& accuracy : collection.model_of(line).accuracy) {
      const std::pair kind(accuracy.group, accuracy.name);
      if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
    }
  }
  PlotGroup group;
  const std::size_t shown = std::min(kinds.size(), kMostPlots);
  for (std::size_t i = 0; i < shown; ++i) {
    const Chart chart = accuracy_chart(collection, kinds[i].first, kinds[i].second);
    if (chart.series.empty()) continue;
    group.plots.push_back({numbered("accuracy", i, shown), chart.title, draw(chart)});
  }
  if (shown < kinds.size()) group.note = "More kinds of accuracy are in the table.";
  return group;
}

PlotGroup roofline_plots(const Collection& collection) {
  std::vector<Chart> charts;
  for (std::size_t run = 0; run < collection.runs().size(); ++run) {
    for (const Limits& limits : collection.runs()[run].limits) {
      const Chart chart = roofline_chart(collection, limits, static_cast<int>(run));
      if (!chart.series.empty() && !chart.rules.empty()) charts.push_back(chart);
    }
  }
  PlotGroup group;
  const std::vector<std::size_t> chosen = chosen_of(charts.size(), kMostPlots);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const Chart& chart = charts[chosen[i]];
    group.plots.push_back({numbered("roofline", i, chosen.size()), chart.title, draw(chart)});
  }
  if (charts.size() > kMostPlots) group.note = "More of them would be like these; see the table.";
  return group;
}

PlotGroup op_plots(const Collection& collection) {
  std::vector<BarChart> charts;
  for (std::size_t i = 0; i < collection.lines().size(); ++i) {
    const Line& line = collection.lines()[i];
    for (const auto& [setting, point] : line.points) {
      if (point->ops.empty()) continue;
      charts.push_back(op_chart(collection, line, *point, static_cast<int>(i)));
      break;
    }
  }
  PlotGroup group;
  const std::vector<std::size_t> chosen = chosen_of(charts.size(), kMostPlots);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const BarChart& chart = charts[chosen[i]];
    group.plots.push_back({numbered("ops", i, chosen.size()), chart.title, draw(chart)});
  }
  return group;
}

std::vector<NamedPlot> all_plots(const Collection& collection) {
  std::vector<NamedPlot> all;
  for (const auto make :
       {latency_plots, roofline_plots, op_plots, memory_plots, energy_plots, accuracy_plots}) {
    for (const NamedPlot& plot : make(collection).plots) all.push_back(plot);
  }
  return all;
}

}  // namespace kinglet::tools::report
