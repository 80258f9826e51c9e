#pragma once
// A table of a page, column by column.

#include <functional>
#include <string>
#include <vector>

#include "numbers.hpp"

namespace kinglet::tools::report {

class Table {
 public:
  explicit Table(std::size_t rows) : rows_(rows) {}

  /// Columns get their cells from of(row). One without any is left out; the first heads its rows.
  void text(const std::string& head, const std::function<std::string(std::size_t)>& of);
  /// Already HTML.
  void html(const std::string& head, const std::function<std::string(std::size_t)>& of);
  /// As many decimals in each cell; kNone: an empty one.
  void numbers(const std::string& head, const std::function<double(std::size_t)>& of,
               int decimals = -1);
  /// In one unit, which the head names.
  void amounts(const std::string& head, Quantity quantity,
               const std::function<double(std::size_t)>& of);

  std::size_t columns() const { return columns_.size(); }
  std::string str() const;

 private:
  struct Column {
    std::string head;
    const char* kind = "";  ///< a class of the page's style
    std::vector<std::string> cells;
  };
  void add(const std::string& head, bool number, std::vector<std::string> cells);

  std::size_t rows_;
  std::vector<Column> columns_;
};

}  // namespace kinglet::tools::report
