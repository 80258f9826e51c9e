#include "tables.hpp"

#include <algorithm>
#include <cmath>

#include "chart.hpp"
#include "compare.hpp"
#include "svg.hpp"
#include "table.hpp"

namespace kinglet::tools::report {

std::string machine_table(const Collection& collection) {
  Table table(collection.runs().size());
  const auto of = [&](std::size_t i) -> const Machine& { return collection.runs()[i].machine; };
  table.text("machine",
             [&](std::size_t i) { return collection.machine_label(static_cast<int>(i)); });
  table.text("label", [&](std::size_t i) {
    const bool same = of(i).label == collection.machine_label(static_cast<int>(i));
    return same ? "" : of(i).label;
  });
  table.text("CPU", [&](std::size_t i) { return of(i).cpu; });
  table.text("architecture", [&](std::size_t i) { return of(i).architecture; });
  table.numbers(
      "cores", [&](std::size_t i) { return positive(of(i).cores); }, 0);
  table.amounts("memory", Quantity::bytes,
                [&](std::size_t i) { return positive(number_of(of(i).memory)); });
  table.text("system", [&](std::size_t i) { return of(i).system; });
  table.text("kinglet", [&](std::size_t i) { return of(i).version; });
  table.text("compiler", [&](std::size_t i) { return of(i).compiler; });
  table.text("measured", [&](std::size_t i) { return of(i).date; });
  return table.str();
}

std::string limits_table(const Collection& collection) {
  std::vector<std::pair<int, const Limits*>> rows;
  for (std::size_t run = 0; run < collection.runs().size(); ++run) {
    for (const Limits& limits : collection.runs()[run].limits) {
      rows.emplace_back(static_cast<int>(run), &limits);
    }
  }
  Table table(rows.size());
  table.text("machine", [&](std::size_t i) { return collection.machine_label(rows[i].first); });
  table.text("instruction set", [&](std::size_t i) { return rows[i].second->isa; });
  table.numbers(
      "threads", [&](std::size_t i) { return rows[i].second->threads; }, 0);
  table.amounts("fp32 peak", Quantity::rate_flops,
                [&](std::size_t i) { return positive(rows[i].second->f32_flops); });
  table.amounts("int8 peak", Quantity::rate_ops,
                [&](std::size_t i) { return positive(rows[i].second->s8_ops); });
  table.amounts("memory", Quantity::rate_bytes,
                [&](std::size_t i) { return positive(rows[i].second->bandwidth); });
  return table.str();
}

std::string model_table(const Collection& collection) {
  const std::vector<Line>& lines = collection.lines();
  Table table(lines.size());
  const auto of = [&](std::size_t i) -> const Model& { return collection.model_of(lines[i]); };
  table.text("model", [&](std::size_t i) { return collection.label_of_shown(lines[i]); });
  const auto is_cut = [](const Line& line) { return line.label.find("…") != std::string::npos; };
  if (std::any_of(lines.begin(), lines.end(), is_cut)) {
    table.text("name", [&](std::size_t i) { return of(i).name; });
  }
  table.text("architecture", [&](std::size_t i) { return of(i).architecture; });
  table.text("precision", [&](std::size_t i) { return of(i).precision; });
  const auto grouped_count = [](std::uint64_t n) { return n > 0 ? grouped(n) : std::string(); };
  table.html("parameters", [&](std::size_t i) { return grouped_count(of(i).parameters); });
  table.html("in the checkpoint",
             [&](std::size_t i) { return grouped_count(of(i).source_parameters); });
  table.amounts("file", Quantity::bytes,
                [&](std::size_t i) { return positive(number_of(of(i).file_bytes)); });
  table.amounts("weights", Quantity::bytes,
                [&](std::size_t i) { return positive(number_of(of(i).weight_bytes)); });
  table.amounts("median latency", Quantity::seconds,
                [&](std::size_t i) { return positive(collection.shown(lines[i]).latency.p50); });
  table.text("path", [&](std::size_t i) { return of(i).file; });
  return table.str();
}

std::string accuracy_table(const Collection& collection) {
  struct Kind {
    std::string group, name;
  };
  std::vector<Kind> kinds;
  std::vector<const Line*> lines;
  const auto find = [&](const Line& line, const Kind& kind) -> const Accuracy* {
    for (const Accuracy& accuracy : collection.model_of(line).accuracy) {
      if (accuracy.group == kind.group && accuracy.name == kind.name) return &accuracy;
    }
    return nullptr;
  };
  for (const Line& line : collection.lines()) {
    if (!collection.model_of(line).accuracy.empty()) lines.push_back(&line);
    for (const Accuracy& accuracy : collection.model_of(line).accuracy) {
      const bool known = std::any_of(kinds.begin(), kinds.end(), [&](const Kind& kind) {
        return kind.group == accuracy.group && kind.name == accuracy.name;
      });
      if (!known) kinds.push_back({accuracy.group, accuracy.name});
    }
  }
  Table table(lines.size());
  table.text("model", [&](std::size_t i) { return lines[i]->label; });
  for (const Kind& kind : kinds) {
    table.html(kind.group + " " + kind.name, [&](std::size_t i) {
      const Accuracy* accuracy = find(*lines[i], kind);
      if (accuracy == nullptr) return std::string();
      if (accuracy->asked == 0) return fixed(accuracy->value, 4);
      return fixed(100 * accuracy->value, 1) + " % <span class=\"small\">" +
             std::to_string(accuracy->right) + " of " + std::to_string(accuracy->asked) + "</span>";
    });
  }
  return table.str();
}

std::string comparison_table(const Collection& collection) {
  const std::vector<ComparedRow> rows = compared_rows(collection);
  Table table(rows.size());
  table.text("model", [&](std::size_t i) {
    return rows[i].model + (rows[i].isa.empty() ? "" : ", " + rows[i].isa);
  });
  table.text("place", [&](std::size_t i) { return collection.text_of(rows[i].setting); });
  for (std::size_t machine = 0; machine < collection.runs().size(); ++machine) {
    table.html(collection.machine_label(static_cast<int>(machine)), [&](std::size_t i) {
      const std::vector<const Point*>& points = rows[i].points;
      if (points[machine] == nullptr) return std::string();
      const Point& point = *points[machine];
      std::string cell = amount(Quantity::seconds, point.latency.p50, 4);
      if (rows[i].isas_differ) cell += " <span class=\"small\">" + escaped(point.isa) + "</span>";
      const Point& first = **std::find_if(points.begin(), points.end(),
                                          [](const Point* other) { return other != nullptr; });
      if (&first != &point) cell += "<br>" + marked(difference_of(first.latency, point.latency));
      return cell;
    });
  }
  table.text("outputs", [&](std::size_t i) -> std::string {
    std::string hash;
    for (const Point* point : rows[i].points) {
      if (point == nullptr) continue;
      if (point->output_hash.empty()) return "";
      if (!hash.empty() && hash != point->output_hash) return "differ";
      hash = point->output_hash;
    }
    return "same bits";
  });
  return table.str();
}

}  // namespace kinglet::tools::report
