// Results as CSV: the keys of JSON, joined by points, are the columns. All of them always, so that
// files from several machines fit together; those of accuracies come last.

#include <map>
#include <nlohmann/json.hpp>

#include "fields.hpp"
#include "text.hpp"

namespace kinglet::tools {
namespace {

struct Cell {
  std::string column, text;
};
using Row = std::vector<Cell>;

// add(name, value or null, row): a cell for each number or text of the value.
template <class T>
void add(const std::string& name, const T* value, Row& row);
template <class T>
void add(const std::string& name, const std::vector<T>* items, Row& row);
template <class T>
void add(const std::string& name, const std::optional<T>* value, Row& row);
template <class T>
void add(const std::string& name, const Told<T>* told, Row& row);

template <class T>
void add(const std::string& name, const T* value, Row& row) {
  if constexpr (std::is_same_v<T, std::string>) {
    row.push_back({name, value ? *value : ""});
  } else if constexpr (is_plain<T>) {
    row.push_back({name, value ? nlohmann::json(*value).dump() : ""});
  } else {
    fields(value, [&](const char* key, auto member) {
      add(name.empty() ? key : name + "." + key, value ? &(value->*member) : nullptr, row);
    });
  }
}

/// Lists are no columns, but for one of names.
template <class T>
void add(const std::string& name, const std::vector<T>* items, Row& row) {
  if constexpr (std::is_same_v<T, std::string>) {
    std::string all;
    for (const std::string& item : items ? *items : std::vector<T>{}) {
      all += (all.empty() ? "" : "; ") + item;
    }
    row.push_back({name, all});
  }
}

template <class T>
void add(const std::string& name, const std::optional<T>* value, Row& row) {
  add(name, value && *value ? &**value : nullptr, row);
}

template <class T>
void add(const std::string& name, const Told<T>* told, Row& row) {
  const std::size_t first = row.size();
  add(name, told ? &told->value : nullptr, row);
  if (told && !told->value) row[first].text = "not available: " + told->why;
}

std::string quoted_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

template <class Get>
std::string line_of(const Row& row, Get get) {
  std::string line;
  for (const Cell& cell : row) line += quoted_cell(get(cell)) + ",";
  line.back() = '\n';
  return line;
}

Row row_of(const Results& results, const Point& point,
           const std::map<std::string, std::string>& no_accuracies) {
  Row row;
  const Model& model = results.models[static_cast<std::size_t>(point.model)];
  add("model", &model, row);
  Row of_point;
  add("", &point, of_point);
  row.insert(row.end(), of_point.begin() + 1, of_point.end());  // the index says nothing here
  const Limits* const limits = limits_of(results, point);
  add("limits.f32_flops", limits ? &limits->f32_flops : nullptr, row);
  add("limits.s8_ops", limits ? &limits->s8_ops : nullptr, row);
  add("limits.bandwidth", limits ? &limits->bandwidth : nullptr, row);
  auto accuracies = no_accuracies;
  for (const Accuracy& a : model.accuracy) {
    accuracies["accuracy." + a.group + "." + a.name] = nlohmann::json(a.value).dump();
  }
  for (const auto& [column, text] : accuracies) row.push_back({column, text});
  return row;
}

}  // namespace

std::string to_csv(const Results& results) {
  std::string text;
  Row machine;
  add("", &results.machine, machine);
  for (const Cell& cell : machine) {
    text += "# " + cell.column + ": " + printable(cell.text, 1000) + "\n";
  }
  if (results.interrupted) text += "# interrupted: points are missing\n";

  std::map<std::string, std::string> no_accuracies;
  for (const Model& model : results.models) {
    for (const Accuracy& a : model.accuracy) {
      no_accuracies["accuracy." + a.group + "." + a.name] = "";
    }
  }
  std::string header;
  for (const Point& point : results.points) {
    const Row row = row_of(results, point, no_accuracies);
    if (header.empty()) {
      header = line_of(row, [](const Cell& cell) { return cell.column; });
      text += header;
    }
    text += line_of(row, [](const Cell& cell) { return cell.text; });
  }
  return text;
}

}  // namespace kinglet::tools
