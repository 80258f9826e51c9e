#include "table.hpp"

#include <algorithm>
#include <cmath>

#include "svg.hpp"

namespace kinglet::tools::report {

void Table::add(const std::string& head, bool number, std::vector<std::string> cells) {
  std::size_t longest = 0;
  for (const std::string& cell : cells) longest = std::max(longest, cell.size());
  if (longest == 0) return;
  columns_.push_back({head, number ? "n" : longest > 20 ? "wide" : "short", std::move(cells)});
}

void Table::text(const std::string& head, const std::function<std::string(std::size_t)>& of) {
  std::vector<std::string> cells;
  for (std::size_t i = 0; i < rows_; ++i) cells.push_back(escaped(of(i)));
  add(head, false, std::move(cells));
}

void Table::html(const std::string& head, const std::function<std::string(std::size_t)>& of) {
  std::vector<std::string> cells;
  for (std::size_t i = 0; i < rows_; ++i) cells.push_back(of(i));
  add(head, true, std::move(cells));
}

void Table::numbers(const std::string& head, const std::function<double(std::size_t)>& of,
                    int decimals) {
  std::vector<double> values;
  for (std::size_t i = 0; i < rows_; ++i) values.push_back(of(i));
  const int digits = decimals >= 0 ? decimals : decimals_for(values);
  std::vector<std::string> cells;
  for (const double value : values) {
    cells.push_back(std::isfinite(value) ? fixed(value, digits) : "");
  }
  add(head, true, std::move(cells));
}

void Table::amounts(const std::string& head, Quantity quantity,
                    const std::function<double(std::size_t)>& of) {
  std::vector<double> values;
  for (std::size_t i = 0; i < rows_; ++i) values.push_back(of(i));
  const Unit unit = unit_for(quantity, values);
  numbers(head + ", " + unit.text, [&](std::size_t i) { return values[i] / unit.size; });
}

std::string Table::str() const {
  if (rows_ == 0 || columns_.empty()) return "";
  std::string out = "<div class=\"scroll\" tabindex=\"0\">\n<table>\n<thead><tr>";
  const auto kind = [](const Column& column) {
    return std::string(" class=\"") + column.kind + "\"";
  };
  for (const Column& column : columns_) {
    out += "<th scope=\"col\"" + kind(column) + ">" + escaped(column.head) + "</th>";
  }
  out += "</tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < rows_; ++i) {
    out += "<tr>";
    for (const Column& column : columns_) {
      const bool first = &column == &columns_[0];
      const std::string& cell = column.cells[i];
      out += (first ? "<th scope=\"row\"" : "<td") + kind(column) + ">" +
             (cell.empty() ? "–" : cell) + (first ? "</th>" : "</td>");
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n</div>\n";
}

}  // namespace kinglet::tools::report
