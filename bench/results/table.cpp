// Results for people: one point in words, or a grid as a table; then what was measured beside it.

#include <algorithm>
#include <cmath>
#include <map>

#include "results.hpp"
#include "roofline.hpp"
#include "text_table.hpp"

namespace kinglet::tools {
namespace {

using Lines = std::vector<std::vector<std::string>>;

double number(std::uint64_t count) { return static_cast<double>(count); }
double mb(std::uint64_t bytes) { return number(bytes) * 1e-6; }

const Model& model_of(const Results& results, const Point& point) {
  return results.models[static_cast<std::size_t>(point.model)];
}

std::string plural(int count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

/// f(value) as text, or why there is none.
template <class T, class F>
std::string told(const Told<T>& figure, F f) {
  return figure.value ? f(*figure.value) : "not available: " + figure.why;
}

std::string seconds_text(const Told<double>& seconds) {
  return told(seconds, [](double s) { return text_of("%.1f ms", s * 1e3); });
}

std::string line(const char* name, const std::string& text) {
  return text_of("  %-12s ", name) + text + "\n";
}

/// Millions with as many digits as tell small models from each other.
std::string millions(std::uint64_t count) {
  return text_of(count < 1000000 ? "%.4f M" : "%.2f M", number(count) * 1e-6);
}

std::string model_text(const Model& model) {
  std::string text = millions(model.parameters) + " parameters";
  if (model.source_parameters > 0) {
    text += " stored, " + millions(model.source_parameters) + " in the checkpoint (shared once)";
  }
  return text + text_of("; %s; file %.2f MB, weights %.2f", model.precision.c_str(),
                        mb(model.file_bytes), mb(model.weight_bytes));
}

std::string energy_text(const Energy& e) {
  std::string text =
      text_of("%.4g J a run; %.3g W on average, idle %.3g W, rail %s of %s", e.joules_per_run,
              e.watts, e.idle_watts, e.rail.c_str(), e.source.c_str());
  std::string others;
  for (const std::string& rail : e.other_rails) others += (others.empty() ? "" : ", ") + rail;
  return others.empty() ? text : text + " (not added: " + others + ")";
}

std::string frequency_text(const Frequency& f) {
  return text_of("%.0f MHz at first, %.0f at last, %.0f at least; %s", f.begin * 1e-6, f.end * 1e-6,
                 f.lowest * 1e-6, f.throttled ? "THROTTLED" : "not throttled");
}

std::string memory_text(const Point& p, const Model& model) {
  std::string text =
      text_of("file %.2f MB, scratch %.2f MB planned and %.2f used, state %.2f MB",
              mb(model.file_bytes), mb(p.scratch_planned), mb(p.scratch_used), mb(p.state_bytes));
  if (p.scratch_planned != p.scratch_used) text += "  NOT WHAT WAS PLANNED";
  return text;
}

/// What is resident and nobody planned: code, and what the program itself holds.
std::string resident_text(const Point& p) {
  if (!p.peak_resident.value || !p.program_resident.value)
    return "not available: " + p.peak_resident.why;
  const double peak = mb(*p.peak_resident.value), program = mb(*p.program_resident.value);
  const double planned = mb(p.peak_planned), io = mb(p.io_bytes);
  return text_of(
      "%.2f MB at most = %.2f before the model is opened + %.2f planned + %.2f inputs and "
      "outputs %+.2f; growth over the runs %s",
      peak, program, planned, io, peak - program - planned - io,
      told(p.resident_growth, [](std::uint64_t bytes) {
        return text_of("%.0f kB", number(bytes) / 1024);
      }).c_str());
}

std::string latency_text(const Latency& l) {
  return text_of("%.3f ms median, %.3f ± %.3f mean, %.3f min, %.3f p90, %.3f p99, %.3f max of ",
                 l.p50 * 1e3, l.mean * 1e3, l.deviation * 1e3, l.min * 1e3, l.p90 * 1e3,
                 l.p99 * 1e3, l.max * 1e3) +
         plural(l.runs, "run") + ", " + plural(l.outliers, "outlier") + " kept";
}

/// What the machine can do at most, and the point's share.
std::string limits_text(const Point& p, const Limits& limits) {
  const double floor = floor_seconds(p, limits);
  std::string text =
      line("peak", text_of("%.1f GFLOP/s fp32, %.1f GOP/s int8, %.1f GB/s read; "
                           "measured between the runs",
                           limits.f32_flops * 1e-9, limits.s8_ops * 1e-9, limits.bandwidth * 1e-9));
  return text +
         line("floor", text_of("%.3f ms; the run takes %.3f × that, %.1f %% of the peak",
                               floor * 1e3, p.latency.p50 / floor, 100 * floor / p.latency.p50));
}

/// "(avx2, 2 threads)"
std::string processor_text(const Point& p) {
  return "(" + p.isa + ", " + plural(p.threads, "thread") + ")";
}

/// "low_mani, batch 2, 40 live positions"
std::string work_text(const Point& p) {
  std::string text = p.task + text_of(", batch %d", p.batch);
  if (p.length > 0) text += text_of(", %d live positions", p.length);
  if (p.steps > 0) text += ", " + plural(p.steps, "step");
  if (p.image > 0) text += text_of(", images of %d × %d", p.image, p.image);
  return text + (p.every_row ? ", every row computed" : "");
}

std::string one_point(const Results& results, const Point& p) {
  const Model& model = model_of(results, p);
  std::string text = model.file + "  " + processor_text(p) + "\n  " + work_text(p) + "\n\n";
  text += line("model", model_text(model));
  text += line("latency", latency_text(p.latency));
  text += line("work", text_of("%.4f GFLOP, %.1f GFLOP/s; %.2f MB moved, %.1f FLOP a byte",
                               number(p.flops) * 1e-9, number(p.flops) * 1e-9 / p.latency.p50,
                               mb(p.bytes_moved), number(p.flops) / number(p.bytes_moved)));
  if (const Limits* limits = limits_of(results, p)) text += limits_text(p, *limits);
  if (p.weight_reads) {
    const WeightReads& reads = *p.weight_reads;
    text += line("weights", text_of("%.1f MB read, %.1f GB/s; a plain loop takes %.3f ms, %.1f %% "
                                    "of the run",
                                    mb(reads.bytes), number(reads.bytes) * 1e-9 / p.latency.p50,
                                    reads.seconds * 1e3, 100 * reads.seconds / p.latency.p50));
  }
  text +=
      line("start", seconds_text(p.ready) + " to a bound model, " + seconds_text(p.first_output) +
                        " to the first output, of a fresh process");
  if (p.cold) text += line("cold starts", latency_text(*p.cold));
  text += line("memory", memory_text(p, model));
  text += line("resident", resident_text(p));
  text += line("frequency", told(p.frequency, frequency_text));
  text += line("energy", told(p.energy, energy_text));
  return text + line("logits", p.output_hash);
}

/// A column of the grid.
struct Column {
  std::string name;
  std::vector<std::string> cells;

  bool varies() const {
    return std::adjacent_find(cells.begin(), cells.end(), std::not_equal_to<>()) != cells.end();
  }
  bool is_empty() const {
    return std::all_of(cells.begin(), cells.end(), [](const auto& cell) { return cell.empty(); });
  }
};

std::string positive(int value) { return value > 0 ? std::to_string(value) : ""; }

std::vector<Column> columns_of_places(const Results& results) {
  std::vector<Column> columns = {{"model", {}}, {"task", {}},   {"isa", {}},   {"threads", {}},
                                 {"batch", {}}, {"length", {}}, {"image", {}}, {"steps", {}}};
  for (const Point& p : results.points) {
    const std::string cells[] = {model_of(results, p).name,
                                 p.task,
                                 p.isa,
                                 std::to_string(p.threads),
                                 std::to_string(p.batch),
                                 positive(p.length),
                                 positive(p.image),
                                 positive(p.steps)};
    for (std::size_t c = 0; c < columns.size(); ++c) columns[c].cells.push_back(cells[c]);
  }
  return columns;
}

std::vector<Column> columns_of_figures(const Results& results) {
  std::vector<Column> columns = {
      {"mean ms", {}}, {"± std", {}},     {"min", {}},        {"median", {}},   {"p90", {}},
      {"p99", {}},     {"max", {}},       {"runs", {}},       {"outliers", {}}, {"cold ms", {}},
      {"GFLOP/s", {}}, {"% of peak", {}}, {"planned MB", {}}, {"peak MB", {}},  {"J a run", {}}};
  for (const Point& p : results.points) {
    const Latency& l = p.latency;
    const auto ms = [](double seconds) { return text_of("%.3f", seconds * 1e3); };
    const Limits* const limits = limits_of(results, p);
    const std::string cells[] = {
        ms(l.mean),
        ms(l.deviation),
        ms(l.min),
        ms(l.p50),
        ms(l.p90),
        ms(l.p99),
        ms(l.max),
        std::to_string(l.runs),
        std::to_string(l.outliers),
        p.cold ? ms(p.cold->mean) : "",
        text_of("%.1f", number(p.flops) * 1e-9 / l.p50),
        limits ? text_of("%.1f", 100 * floor_seconds(p, *limits) / l.p50) : "",
        text_of("%.2f", mb(p.peak_planned)),
        p.peak_resident.value ? text_of("%.2f", mb(*p.peak_resident.value)) : "",
        p.energy.value ? text_of("%.4g", p.energy.value->joules_per_run) : ""};
    for (std::size_t c = 0; c < columns.size(); ++c) columns[c].cells.push_back(cells[c]);
  }
  return columns;
}

/// What all points have in common stands above the table.
std::string grid(const Results& results) {
  Lines lines(results.points.size() + 1);
  std::string common;
  const auto show = [&](const Column& column) {
    lines[0].push_back(column.name);
    for (std::size_t i = 0; i < column.cells.size(); ++i) lines[i + 1].push_back(column.cells[i]);
  };
  for (const Column& column : columns_of_places(results)) {
    if (column.varies()) {
      show(column);
    } else if (!column.is_empty()) {
      common += (common.empty() ? "" : ", ") + column.name + " " + column.cells[0];
    }
  }
  for (const Column& column : columns_of_figures(results)) {
    if (!column.is_empty()) show(column);
  }
  std::string text = common + "\n\n" + text_table(lines) + "\n";
  for (const Point& p : results.points) {
    if (p.scratch_planned != p.scratch_used)
      text += "  " + model_of(results, p).name + ": " + memory_text(p, model_of(results, p)) + "\n";
    if (p.frequency.value && p.frequency.value->throttled)
      text += "  " + model_of(results, p).name + ": " + frequency_text(*p.frequency.value) + "\n";
  }
  for (const Model& model : results.models)
    text += "  " + model.name + ": " + model_text(model) + "\n";
  for (const Limits& l : results.limits) {
    text += text_of("  peak of %s, %s: %.1f GFLOP/s fp32, %.1f GOP/s int8, %.1f GB/s read\n",
                    l.isa.c_str(), plural(l.threads, "thread").c_str(), l.f32_flops * 1e-9,
                    l.s8_ops * 1e-9, l.bandwidth * 1e-9);
  }
  const Point& first = results.points[0];
  if (!first.energy.value) text += "  energy: not available: " + first.energy.why + "\n";
  return text;
}

/// The fastest point of a model; null where it has none.
const Point* fastest(const Results& results, std::size_t model) {
  const Point* best = nullptr;
  for (const Point& p : results.points) {
    if (static_cast<std::size_t>(p.model) != model) continue;
    if (!best || p.latency.p50 / p.batch < best->latency.p50 / best->batch) best = &p;
  }
  return best;
}

/// Accuracy beside size and time.
std::string accuracies(const Results& results) {
  Lines lines = {{"model", "file MB", "ms a row, fastest"}};
  std::map<std::string, std::size_t> columns;
  for (const Model& model : results.models) {
    for (const Accuracy& a : model.accuracy) {
      if (columns.emplace(a.group + " " + a.name, lines[0].size()).second)
        lines[0].push_back(a.group + " " + a.name);
    }
  }
  for (std::size_t m = 0; m < results.models.size(); ++m) {
    const Model& model = results.models[m];
    const Point* const best = fastest(results, m);
    std::vector<std::string> cells(lines[0].size());
    cells[0] = model.name;
    cells[1] = text_of("%.2f", mb(model.file_bytes));
    if (best) cells[2] = text_of("%.3f", best->latency.p50 * 1e3 / best->batch);
    for (const Accuracy& a : model.accuracy) {
      cells[columns[a.group + " " + a.name]] = text_of("%.4f", a.value);
    }
    lines.push_back(cells);
  }
  return columns.empty() ? "" : "\naccuracy\n\n" + text_table(lines);
}

std::string ops(const Results& results, const Point& p) {
  if (p.ops.empty()) return "";
  double sum = 0;
  for (const OpTime& op : p.ops) sum += op.seconds;
  Lines lines = {{"op", "tensor", "calls", "ms", "%", "GFLOP/s", "GB/s", "% of roofline"}};
  const Limits* const limits = limits_of(results, p);
  const auto positive_text = [](double x) { return x > 0 ? text_of("%.1f", x) : ""; };
  for (const OpTime& op : p.ops) {
    lines.push_back({op.op, op.tensor + (op.int8 ? " int8" : ""), std::to_string(op.calls),
                     text_of("%.4f", op.seconds * 1e3), text_of("%.1f", 100 * op.seconds / sum),
                     positive_text(number(op.flops) * 1e-9 / op.seconds),
                     positive_text(number(op.bytes) * 1e-9 / op.seconds),
                     limits ? positive_text(100 * roofline_share(op, *limits)) : ""});
  }
  lines.push_back({"all", "", "", text_of("%.4f", sum * 1e3), "100.0"});
  return "\n" + model_of(results, p).name + ", " + work_text(p) + "  " + processor_text(p) +
         ": ops\n\n" + text_table(lines);
}

}  // namespace

std::string to_table(const Results& named) {
  Results results = named;
  const std::vector<std::string> names = distinct_names(results.models);
  for (std::size_t m = 0; m < names.size(); ++m) results.models[m].name = names[m];
  std::string text;
  if (results.points.size() == 1) text = one_point(results, results.points[0]);
  if (results.points.size() > 1) text = grid(results);
  for (const Point& p : results.points) text += ops(results, p);
  text += accuracies(results);
  if (results.interrupted) text += "\ninterrupted: points are missing\n";
  return text;
}

}  // namespace kinglet::tools
