#include "chart.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "scale.hpp"

namespace kinglet::tools::report {
namespace {

constexpr double kEdge = Svg::kEdge, kLine = 17, kPlotHeight = 220, kGap = 8;
constexpr double kInner = kChartWidth - 2 * kEdge;

/// Title and note; returns the y below them.
double draw_head(Svg& svg, const std::string& title, const std::string& note) {
  double y = kEdge;
  for (const std::string& line : wrapped(title, 1.06 * Svg::kTitleFont, kInner)) {
    svg.text(kEdge, y + 11, Anchor::start, line, "title");
    y += kLine + 1;
  }
  for (const std::string& line : wrapped(note, Svg::kFont, kInner)) {
    svg.text(kEdge, y + 11, Anchor::start, line, "muted");
    y += kLine - 1;
  }
  return y + kGap;
}

struct Entry {
  std::string name;
  std::function<void(double x, double y)> sample;
};

constexpr double kSample = 26;

/// In as many lines as it takes; returns the y below them.
double draw_legend(Svg& svg, const std::vector<Entry>& entries, double y) {
  double x = kEdge;
  for (const Entry& entry : entries) {
    const std::string name = fitted(entry.name, Svg::kFont, kInner - kSample);
    const double width = kSample + text_width(name, Svg::kFont);
    if (x > kEdge && x + width > kEdge + kInner) {
      x = kEdge;
      y += kLine + 1;
    }
    entry.sample(x, y + 7);
    svg.text(x + kSample, y + 11, Anchor::start, name);
    x += width + 14;
  }
  return entries.empty() ? y : y + kLine + 1;
}

/// Ticks whose labels have room beside those already chosen; the outer ones come first.
std::vector<double> with_room(const Scale& scale, std::vector<double> ticks) {
  std::sort(ticks.begin(), ticks.end());
  ticks.erase(std::unique(ticks.begin(), ticks.end()), ticks.end());
  if (ticks.size() > 2) std::rotate(ticks.begin() + 1, ticks.end() - 1, ticks.end());
  std::vector<double> chosen;
  for (const double tick : ticks) {
    const double half = text_width(tick_label(tick), Svg::kFont) / 2 + 4;
    const bool free = std::none_of(chosen.begin(), chosen.end(), [&](double other) {
      const double other_half = text_width(tick_label(other), Svg::kFont) / 2 + 4;
      return std::abs(scale(tick) - scale(other)) < half + other_half;
    });
    if (free && scale(tick) + half < kChartWidth) chosen.push_back(tick);
  }
  return chosen;
}

Range range_of(const std::vector<double>& values, const Axis& axis) {
  if (axis.range.high > axis.range.low) return axis.range;
  Range range = {kNone, kNone};
  for (const double value : values) {
    if (!std::isfinite(value) || (axis.log && !(value > 0))) continue;
    range.low = std::isnan(range.low) ? value : std::min(range.low, value);
    range.high = std::isnan(range.high) ? value : std::max(range.high, value);
  }
  if (std::isnan(range.low)) return axis.log ? Range{1, 10} : Range{0, 1};
  return axis.log ? log_range(range) : linear_range(range, axis.from_zero);
}

/// Where the ticks are the values themselves, the axis ends a little beyond them.
Range around(Range range, const Axis& axis) {
  const auto [low, high] = std::minmax_element(axis.ticks.begin(), axis.ticks.end());
  if (axis.ticks.empty() || !(*high > *low)) return range;
  if (axis.log) {
    const double room = std::pow(*high / *low, 0.06);
    return {*low / room, *high * room};
  }
  return {*low - 0.06 * (*high - *low), *high + 0.06 * (*high - *low)};
}

void draw_series(Svg& svg, const Series& series, const Scale& x, const Scale& y) {
  const auto has = [&](const Mark& mark) { return x.has(mark.x) && y.has(mark.y); };
  if (series.joined) {
    std::vector<std::pair<double, double>> points;
    for (const Mark& mark : series.marks) {
      if (has(mark)) points.emplace_back(x(mark.x), y(mark.y));
    }
    if (points.size() > 1) svg.curve(points, series.style);
  }
  for (const Mark& mark : series.marks) {
    if (!has(mark) || !std::isfinite(mark.low) || !y.has(mark.high)) continue;
    // Below a logarithmic axis' lower end there is no place: the bar then goes to the end.
    const double low = y.has(mark.low) ? mark.low : y.range().low;
    svg.whisker(x(mark.x), y(low), x(mark.x), y(mark.high), series.style);
  }
  for (const Mark& mark : series.marks) {
    if (has(mark)) svg.marker(x(mark.x), y(mark.y), series.style, mark.small, mark.title);
  }
}

}  // namespace

Svg draw(const Chart& chart) {
  std::vector<double> xs, ys;
  for (const Series& series : chart.series) {
    for (const Mark& mark : series.marks) {
      xs.push_back(mark.x);
      for (const double y : {mark.y, mark.low, mark.high}) ys.push_back(y);
    }
  }
  for (const Rule& rule : chart.rules) {
    for (const auto& [x, y] : rule.points) xs.push_back(x), ys.push_back(y);
  }

  Svg svg(kChartWidth);
  double top = draw_head(svg, chart.title, chart.note);
  svg.text(kEdge, top + 11, Anchor::start, fitted(chart.y.title, Svg::kFont, kInner), "muted");
  top += kLine + kGap;
  const double bottom = top + kPlotHeight;

  const Scale y(range_of(ys, chart.y), chart.y.log, bottom, top);
  const std::vector<double> y_ticks = y.ticks(8);
  double label_width = 0;
  for (const double tick : y_ticks) {
    label_width = std::max(label_width, text_width(tick_label(tick), Svg::kFont));
  }
  const double left = kEdge + label_width + 6, right = kChartWidth - kEdge - 12;
  const Scale x(around(range_of(xs, chart.x), chart.x), chart.x.log, left, right);

  for (const double tick : y_ticks) {
    svg.line(left, y(tick), right, y(tick), "grid");
    svg.text(left - 6, y(tick) + 4, Anchor::end, tick_label(tick), "muted");
  }
  for (const double tick : with_room(x, chart.x.ticks.empty() ? x.ticks(7) : chart.x.ticks)) {
    svg.line(x(tick), top, x(tick), bottom, "grid");
    svg.text(x(tick), bottom + 17, Anchor::middle, tick_label(tick), "muted");
  }
  svg.line(left, bottom, right, bottom, "axis");
  svg.text((left + right) / 2, bottom + 35, Anchor::middle,
           fitted(chart.x.title, Svg::kFont, right - left), "muted");

  std::vector<Entry> entries;
  for (const Rule& rule : chart.rules) {
    std::vector<std::pair<double, double>> points;
    for (const auto& point : rule.points) points.emplace_back(x(point.first), y(point.second));
    svg.rule(points, rule.pattern);
    entries.push_back({rule.name, [&svg, &rule](double at, double middle) {
                         svg.rule({{at, middle}, {at + 20, middle}}, rule.pattern);
                       }});
  }
  for (const Series& series : chart.series) {
    draw_series(svg, series, x, y);
    entries.push_back({series.name, [&svg, &series](double at, double middle) {
                         if (series.joined) {
                           svg.curve({{at, middle}, {at + 20, middle}}, series.style);
                         }
                         svg.marker(at + 10, middle, series.style, false, "");
                       }});
  }
  svg.set_height(draw_legend(svg, entries, bottom + 48) + kGap);
  return svg;
}

Svg draw(const BarChart& chart) {
  constexpr double kBar = 10, kPitch = 36;
  std::vector<double> values = {0};
  for (const Bar& bar : chart.bars) {
    double sum = 0;
    for (const Segment& segment : bar.segments) sum += segment.value;
    for (const double value : {sum, bar.high, bar.mark}) values.push_back(value);
  }

  Svg svg(kChartWidth);
  double y = draw_head(svg, chart.title, chart.note);
  std::vector<Entry> entries;
  for (const auto& [style, name] : chart.legend) {
    entries.push_back({name, [&svg, at_style = style](double at, double middle) {
                         svg.rect(at + 2, middle - 5, 18, 10, at_style, "");
                       }});
  }
  if (!chart.mark_name.empty()) {
    entries.push_back({chart.mark_name, [&svg](double at, double middle) {
                         svg.marker(at + 10, middle, 3, true, "");
                       }});
  }
  y = draw_legend(svg, entries, y) + (entries.empty() ? 0 : kGap);

  const double left = kEdge, right = kChartWidth - kEdge - 12;
  const double bottom = y + kPitch * static_cast<double>(chart.bars.size()) + 4;
  const Scale x(range_of(values, {"", false, true, {}, {}}), false, left, right);
  const std::vector<double> ticks = with_room(x, x.ticks(6));
  for (const double tick : ticks) {
    const Anchor anchor = x(tick) == left ? Anchor::start : Anchor::middle;
    svg.text(x(tick), bottom + 17, anchor, tick_label(tick), "muted");
  }
  for (const Bar& bar : chart.bars) {
    const double amount = text_width(bar.amount, Svg::kFont);
    svg.text(left, y + 12, Anchor::start,
             fitted(bar.label, Svg::kFont, right - left - amount - 10));
    svg.text(right, y + 12, Anchor::end, bar.amount);
    // Behind the bars alone: not through the words.
    for (const double tick : ticks) svg.line(x(tick), y + 17, x(tick), y + 31, "grid");
    double sum = 0;
    for (const Segment& segment : bar.segments) {
      svg.rect(x(sum), y + 18, x(sum + segment.value) - x(sum), kBar, segment.style, segment.title);
      sum += segment.value;
    }
    const double middle = y + 18 + kBar / 2;
    if (x.has(bar.low) && x.has(bar.high)) svg.whisker(x(bar.low), middle, x(bar.high), middle, 6);
    if (x.has(bar.mark)) svg.marker(x(bar.mark), middle, 3, true, bar.mark_title);
    y += kPitch;
  }
  svg.line(left, bottom, right, bottom, "axis");
  svg.text((left + right) / 2, bottom + 35, Anchor::middle,
           fitted(chart.axis, Svg::kFont, right - left), "muted");
  svg.set_height(bottom + 35 + kEdge);
  return svg;
}

}  // namespace kinglet::tools::report
