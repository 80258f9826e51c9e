// The tables with a line for each place of the grid.

#include <algorithm>
#include <results/roofline.hpp>

#include "chart.hpp"
#include "compare.hpp"
#include "svg.hpp"
#include "table.hpp"
#include "tables.hpp"

namespace kinglet::tools::report {
namespace {

struct Row {
  const Line* line;
  Setting setting;
  const Point* point;
};

/// By place of the grid, so that models stand below each other.
std::vector<Row> rows_of(const Collection& collection) {
  std::vector<Row> rows;
  for (const Line& line : collection.lines()) {
    for (const auto& [setting, point] : line.points) rows.push_back({&line, setting, point});
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.setting < b.setting; });
  return rows;
}

/// The columns of the grid that differ anywhere.
void add_places(Table& table, const Collection& collection, const std::vector<Row>& rows) {
  table.text("model", [&](std::size_t i) { return rows[i].line->label; });
  const std::vector<Setting>& all = collection.settings();
  const auto varies = [&](auto member) {
    return std::any_of(all.begin(), all.end(),
                       [&](const Setting& setting) { return setting.*member != all[0].*member; });
  };
  if (varies(&Setting::task))
    table.text("task", [&](std::size_t i) { return rows[i].setting.task; });
  if (varies(&Setting::every_row)) {
    table.text("rows",
               [&](std::size_t i) { return rows[i].setting.every_row ? "every" : "those read"; });
  }
  const auto count = [&](const char* head, int Setting::*member) {
    if (!varies(member)) return;
    table.numbers(
        head, [&](std::size_t i) { return positive(rows[i].setting.*member); }, 0);
  };
  count("batch", &Setting::batch);
  count("positions", &Setting::length);
  count("image side", &Setting::image);
  count("steps", &Setting::steps);
  count("threads", &Setting::threads);
}

/// A figure in a column, or the words why not.
template <class T, class F>
std::string told(const Told<T>& figure, F text) {
  if (figure.value) return text(*figure.value);
  return figure.why.empty() ? "" : "not available: " + figure.why;
}

/// The place's point of the first model of the row's run that has one.
const Point* first_of(const Collection& collection, const Row& row) {
  for (const Line& line : collection.lines()) {
    if (line.run != row.line->run) continue;
    if (const Point* point = line.at(row.setting)) return point;
  }
  return nullptr;
}

bool several_lines_a_run(const Collection& collection) {
  const std::vector<Line>& lines = collection.lines();
  return std::adjacent_find(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
           return a.run == b.run;
         }) != lines.end();
}

}  // namespace

std::string latency_table(const Collection& collection) {
  const std::vector<Row> rows = rows_of(collection);
  Table table(rows.size());
  add_places(table, collection, rows);
  std::vector<double> medians;
  for (const Row& row : rows) medians.push_back(row.point->latency.p50);
  const Unit unit = unit_for(Quantity::seconds, medians);
  for (double& median : medians) median /= unit.size;
  const int decimals = decimals_for(medians);
  const auto of = [&](std::size_t i) -> const Latency& { return rows[i].point->latency; };
  const auto scaled = [&](double seconds) { return fixed(seconds / unit.size, decimals); };
  table.html("mean ± std, " + unit.text,
             [&](std::size_t i) { return scaled(of(i).mean) + " ± " + scaled(of(i).deviation); });
  const auto time = [&](const char* head, double Latency::*member) {
    table.html(head, [&](std::size_t i) { return scaled(of(i).*member); });
  };
  time("min", &Latency::min);
  time("p50", &Latency::p50);
  time("p90", &Latency::p90);
  time("p99", &Latency::p99);
  table.numbers(
      "runs", [&](std::size_t i) { return of(i).runs; }, 0);
  table.numbers(
      "outliers", [&](std::size_t i) { return of(i).outliers; }, 0);
  if (several_lines_a_run(collection)) {
    table.html("to the first model", [&](std::size_t i) {
      const Point* first = first_of(collection, rows[i]);
      if (first == nullptr || first == rows[i].point) return std::string();
      return marked(difference_of(first->latency, of(i)));
    });
  }
  table.html("CPU clock", [&](std::size_t i) {
    const auto& clock = rows[i].point->frequency.value;
    if (!clock) return std::string();
    return amount(Quantity::hertz, clock->lowest) +
           (clock->throttled ? " <span class=\"slower\">throttled</span>" : "");
  });
  return table.str();
}

std::string start_table(const Collection& collection) {
  const std::vector<Line>& lines = collection.lines();
  const auto of = [&](std::size_t i) -> const Point& { return collection.shown(lines[i]); };
  Table table(lines.size());
  table.text("model", [&](std::size_t i) { return collection.label_of_shown(lines[i]); });
  const auto time = [&](const char* head, Told<double> Point::*member) {
    table.amounts(head, Quantity::seconds,
                  [&](std::size_t i) { return (of(i).*member).value.value_or(kNone); });
  };
  time("to a bound model", &Point::ready);
  time("to the first output", &Point::first_output);
  table.html("cold starts, mean ± std", [&](std::size_t i) {
    const auto& cold = of(i).cold;
    return cold ? amount(Quantity::seconds, cold->mean, 4) + " ± " +
                      amount(Quantity::seconds, cold->deviation, 2)
                : "";
  });
  table.numbers(
      "starts", [&](std::size_t i) { return of(i).cold ? of(i).cold->runs : kNone; }, 0);
  return table.columns() > 1 ? table.str() : "";
}

std::string work_table(const Collection& collection) {
  const std::vector<Row> rows = rows_of(collection);
  Table table(rows.size());
  add_places(table, collection, rows);
  const auto flops = [&](std::size_t i) { return number_of(rows[i].point->flops); };
  const auto bytes = [&](std::size_t i) { return number_of(rows[i].point->bytes_moved); };
  const auto seconds = [&](std::size_t i) { return rows[i].point->latency.p50; };
  const auto limits = [&](std::size_t i) {
    return limits_of(collection.run_of(*rows[i].line), *rows[i].point);
  };
  table.amounts("work", Quantity::flops, [&](std::size_t i) { return positive(flops(i)); });
  table.amounts("traffic", Quantity::bytes, [&](std::size_t i) { return positive(bytes(i)); });
  table.numbers("FLOP a byte", [&](std::size_t i) { return positive(flops(i) / bytes(i)); });
  table.amounts("rate", Quantity::rate_flops,
                [&](std::size_t i) { return positive(flops(i) / seconds(i)); });
  table.amounts("traffic", Quantity::rate_bytes,
                [&](std::size_t i) { return positive(bytes(i) / seconds(i)); });
  table.numbers(
      "% of peak",
      [&](std::size_t i) {
        return limits(i) ? positive(100 * floor_seconds(*rows[i].point, *limits(i)) / seconds(i))
                         : kNone;
      },
      1);
  table.numbers(
      "% of bandwidth",
      [&](std::size_t i) {
        return limits(i) ? positive(100 * bytes(i) / seconds(i) / limits(i)->bandwidth) : kNone;
      },
      1);
  return table.str();
}

std::string op_tables(const Collection& collection) {
  std::string html;
  for (const Line& line : collection.lines()) {
    for (const auto& [setting, point] : line.points) {
      const std::vector<OpTime>& ops = point->ops;
      if (ops.empty()) continue;
      const Limits* limits = limits_of(collection.run_of(line), *point);
      double sum = 0;
      for (const OpTime& op : ops) sum += op.seconds;
      Table table(ops.size());
      table.text("op", [&](std::size_t i) { return ops[i].op + (ops[i].int8 ? " int8" : ""); });
      table.text("weights", [&](std::size_t i) { return ops[i].tensor; });
      table.numbers(
          "calls", [&](std::size_t i) { return number_of(ops[i].calls); }, 0);
      table.amounts("time", Quantity::seconds, [&](std::size_t i) { return ops[i].seconds; });
      table.numbers(
          "% of all", [&](std::size_t i) { return 100 * ops[i].seconds / sum; }, 1);
      table.amounts("rate", Quantity::rate_flops, [&](std::size_t i) {
        return positive(number_of(ops[i].flops) / ops[i].seconds);
      });
      table.numbers("FLOP a byte", [&](std::size_t i) {
        return positive(number_of(ops[i].flops) / number_of(ops[i].bytes));
      });
      table.numbers(
          "% of roofline",
          [&](std::size_t i) {
            if (limits == nullptr) return kNone;
            return positive(100 * roofline_share(ops[i], *limits));
          },
          1);
      const std::string where = collection.text_of(setting);
      html += "<h3>" + escaped(line.label + (where.empty() ? "" : ", " + where)) + "</h3>\n" +
              table.str();
    }
  }
  return html;
}

std::string memory_table(const Collection& collection) {
  const std::vector<Row> rows = rows_of(collection);
  Table table(rows.size());
  add_places(table, collection, rows);
  const auto mb = [](std::uint64_t bytes) { return fixed(number_of(bytes) * 1e-6, 2); };
  table.html("file, MB",
             [&](std::size_t i) { return mb(collection.model_of(*rows[i].line).file_bytes); });
  const auto part = [&](const char* head, std::uint64_t Point::*member) {
    table.html(head, [&](std::size_t i) { return mb(rows[i].point->*member); });
  };
  part("scratch planned", &Point::scratch_planned);
  part("scratch used", &Point::scratch_used);
  part("state", &Point::state_bytes);
  part("peak planned", &Point::peak_planned);
  const auto measured = [&](const char* head, auto member) {
    table.html(head, [&](std::size_t i) { return escaped(told(rows[i].point->*member, mb)); });
  };
  measured("program alone", &Point::program_resident);
  measured("peak measured", &Point::peak_resident);
  measured("growth over the runs", &Point::resident_growth);
  return table.str();
}

std::string energy_table(const Collection& collection) {
  const std::vector<Row> rows = rows_of(collection);
  const bool none = std::none_of(
      rows.begin(), rows.end(), [](const Row& row) { return row.point->energy.value.has_value(); });
  if (none) return "";
  Table table(rows.size());
  add_places(table, collection, rows);
  const auto energy = [&](std::size_t i) -> const Told<Energy>& { return rows[i].point->energy; };
  table.amounts("energy a run", Quantity::joules, [&](std::size_t i) {
    return energy(i).value ? energy(i).value->joules_per_run : kNone;
  });
  table.amounts("power", Quantity::watts,
                [&](std::size_t i) { return energy(i).value ? energy(i).value->watts : kNone; });
  table.amounts("idle", Quantity::watts, [&](std::size_t i) {
    return energy(i).value ? energy(i).value->idle_watts : kNone;
  });
  table.text("rail", [&](std::size_t i) {
    return told(energy(i), [](const Energy& e) { return e.rail + " (" + e.source + ")"; });
  });
  table.text("not added", [&](std::size_t i) {
    std::string rails;
    if (!energy(i).value) return rails;
    for (const std::string& rail : energy(i).value->other_rails) {
      rails += (rails.empty() ? "" : ", ") + rail;
    }
    return rails;
  });
  return table.str();
}

}  // namespace kinglet::tools::report
