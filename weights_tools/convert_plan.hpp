#pragma once
// TensorPlan: the tensors of a model file in order, each with the form it is stored in and a function
// that gives its rows. Nothing is loaded before write(), and then one matrix at a time.
//
//   vector   [n]                        norms
//   table    [rows][cols]               embeddings: rows are gathered
//   matrix   [parts * ceil(n/16)][k][16]   `parts` matrices of n x k in 16-row panels
//   bias     [parts * ceil(n/16)][16]      a matrix's bias: panels with one column

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gguf_writer.hpp"

namespace kinglet::tools {

/// Writes rows first … first + count − 1 to out.
using FillRows = std::function<void(std::int64_t first, std::int64_t count, float* out)>;

class TensorPlan {
 public:
  void vector(const std::string& name, int n, FillRows fill);
  void table(const std::string& name, int rows, int cols, FillRows fill);
  /// fill counts rows through all parts: part p has rows p·n … p·n + n − 1.
  void matrix(const std::string& name, int parts, int n, int k, FillRows fill);
  void bias(const std::string& name, int parts, int n, FillRows fill);

  /// kinglet.panels.*: which tensors are panels, and the sizes without padding (k = 0: a bias).
  void add_panel_values(GgufWriter& file) const;

  /// Declares the tensors, begins the data and writes them; progress may be empty.
  void write(GgufWriter& file,
             const std::function<void(std::size_t done, std::size_t all)>& progress) const;

  std::size_t size() const { return entries_.size(); }

 private:
  enum class Form { vector, table, matrix, bias };
  struct Entry {
    std::string name;
    Form form;
    int parts, n, k;
    FillRows fill;
  };
  static void write_entry(GgufWriter& file, const Entry& entry);

  std::vector<Entry> entries_;
};

}  // namespace kinglet::tools
