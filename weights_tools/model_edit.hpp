#pragma once
// ModelEdit: a model file taken apart for change and written again. Values and tensors keep their
// order; what is not touched is copied from the source as it is, so a file of ours that nothing was
// done to comes out byte for byte. It goes by kinglet.panels.* and by types, not by architecture.
//
//   ModelEdit edit(path);
//   edit.put_matrix_s8("blk.0.ffn_up.weight", edit.matrix("blk.0.ffn_up.weight"));
//   edit.add_step("quantize");
//   edit.save(output);

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gguf_writer.hpp"
#include "mapped_file.hpp"
#include "panel_list.hpp"

namespace kinglet::tools {

/// `parts` matrices of n × k, row-major, one after the other: parts · n rows. A table has one part.
struct DenseMatrix {
  int parts = 1, n = 0, k = 0;
  std::vector<float> values;

  std::size_t rows() const noexcept {
    return static_cast<std::size_t>(parts) * static_cast<std::size_t>(n);
  }
  float* row(std::size_t i) noexcept { return values.data() + i * static_cast<std::size_t>(k); }
  const float* row(std::size_t i) const noexcept {
    return values.data() + i * static_cast<std::size_t>(k);
  }
};

/// Rows of int8 with a scale each: x ≈ scale · w.
struct RowsS8 {
  int parts = 1, n = 0, k = 0;
  std::vector<std::int8_t> values;  // row-major, as in DenseMatrix
  std::vector<float> scale;         // a row
};

/// w = rne(x / scale), scale = max|row| / 127; 1 for a row of zeros. Throws std::domain_error on
/// values that are not finite.
RowsS8 quantize_rows(const DenseMatrix& x);
/// What the integers stand for.
DenseMatrix dequantize_rows(const RowsS8& x);

class ModelEdit {
 public:
  struct Value {
    std::string key;
    bool is_array = false;
    GgufArray items;                           // views the source, or `own`
    std::shared_ptr<const std::string> own{};  // encoded as in the file
  };
  struct Tensor {
    std::string name;
    std::uint32_t type = kGgufF32;     // GGUF's number
    std::vector<std::uint64_t> shape;  // slowest first
    Bytes bytes;                       // in the source, or in `own`
    std::shared_ptr<const std::vector<unsigned char>> own{};
    std::optional<Panels> panels{};

    bool is_f32() const noexcept { return type == kGgufF32; }
    bool is_s8() const noexcept { return type == kGgufS8; }
    /// Weights that a Linear reads; false for what belongs to their columns.
    bool is_matrix() const noexcept { return panels && panels->k > 0 && (is_f32() || is_s8()); }
    /// Rows that are gathered.
    bool is_table() const noexcept {
      return !panels && shape.size() == 2 && shape[0] <= kMostRows && shape[1] <= kMostRows &&
             (is_f32() || is_s8());
    }
  };

  /// Throws FileError.
  explicit ModelEdit(const std::string& path);
  /// Bytes that outlive it; `path` is for messages.
  ModelEdit(Bytes bytes, const std::string& path);

  const std::string& path() const noexcept { return path_; }
  const std::string& architecture() const noexcept { return architecture_; }

  // Values, general.architecture and general.alignment left out.
  const std::vector<Value>& values() const noexcept { return values_; }
  const Value* find_value(std::string_view key) const;
  /// As ModelFile reads them. Throw FileError when the value is not there or of another kind.
  std::uint64_t number(std::string_view key) const;
  std::string text(std::string_view key) const;
  /// An array of integers, none negative.
  std::vector<std::uint32_t> numbers(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  /// Replace a value where it stands; a new one goes in front of the arrays of strings, which lookups
  /// have to walk through, and a new array of strings to the end.
  void set_u32(std::string_view key, std::uint32_t value);
  void set_bool(std::string_view key, bool value);
  void set_string(std::string_view key, std::string_view value);
  void set_u32s(std::string_view key, const std::vector<std::uint32_t>& values);
  void set_strings(std::string_view key, const std::vector<std::string>& values);
  void remove_value(std::string_view key);
  /// Appended to kinglet.recipe.
  void add_step(std::string_view step);

  // Tensors
  const std::vector<Tensor>& tensors() const noexcept { return tensors_; }
  const Tensor* find_tensor(std::string_view name) const;
  /// Throws FileError when it is not there.
  const Tensor& tensor(std::string_view name) const;
  /// In its place, or at the end where there is none of the name.
  void put_tensor(Tensor tensor);
  /// With what belongs to its columns or rows; nothing happens where there is none of the name.
  void remove_tensor(std::string_view name);
  /// f gives the new name of every tensor, "" for those that go. Throws when two get the same.
  void rename_tensors(const std::function<std::string(const std::string&)>& f);

  // Weights by their full name, "blk.0.ffn_up.weight", without padding; s8 comes out of matrix() and
  // table() as the floats that it stands for. Put where the name is, or at the end. Throw FileError
  // when the tensor is nothing of the kind.
  DenseMatrix matrix(std::string_view name) const;
  DenseMatrix table(std::string_view name) const;
  RowsS8 matrix_s8(std::string_view name) const;
  RowsS8 table_s8(std::string_view name) const;
  /// A bias in panels or a plain vector, f32.
  std::vector<float> vector(std::string_view name) const;
  /// As many values in the form that the vector has.
  void put_vector(std::string_view name, const std::vector<float>& values);
  /// A bias of one part, of any length.
  void put_bias(std::string_view name, const std::vector<float>& values, int parts = 1);
  void put_matrix(std::string_view name, const DenseMatrix& x);
  void put_table(std::string_view name, const DenseMatrix& x);
  /// smooth: a factor for each column of the rows that the matrix reads, by which x was divided; empty: as it is.
  void put_matrix_s8(std::string_view name, const RowsS8& x, const std::vector<float>& smooth = {});
  void put_table_s8(std::string_view name, const RowsS8& x);

  /// The size of the file that would be written.
  std::uint64_t file_bytes() const;
  void write(Sink& out) const;
  /// A file at once; never over the source or one of the other `inputs`.
  void save(const std::string& output, std::vector<std::string> inputs = {}) const;

 private:
  void open(Bytes bytes);
  [[noreturn]] void fail(std::string_view what, const std::string& why) const;
  const Value& value(std::string_view key) const;
  void set_encoded(std::string_view key, GgufType type, bool is_array, std::uint64_t count,
                   std::string bytes);
  void add_panels(GgufWriter& file) const;
  void put_after(std::string_view name, Tensor tensor);

  std::string path_;
  std::shared_ptr<MappedFile> mapped_;
  std::string architecture_;
  std::vector<Value> values_;
  std::vector<Tensor> tensors_;
};

}  // namespace kinglet::tools
