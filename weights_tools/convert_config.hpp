#pragma once
// Typed access to a JSON config and to id tables, with errors that name file and key.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "convert_source.hpp"

namespace kinglet::tools {

using Ids = std::vector<std::int32_t>;

class ConfigFile {
 public:
  /// An empty path gives an empty config.
  explicit ConfigFile(const std::string& path);

  const std::string& path() const { return path_; }
  bool given() const { return !path_.empty(); }

  /// Keys are joined by dots: "dims.heads". Nothing when the key is not there or null; FileError when it has another type.
  std::optional<int> size(const std::string& key) const;   // 1 … 2^28
  std::optional<int> index(const std::string& key) const;  // 0 … 2^28
  std::optional<double> positive(const std::string& key) const;
  std::optional<bool> boolean(const std::string& key) const;
  std::optional<std::string> text(const std::string& key) const;
  std::optional<std::vector<std::string>> texts(const std::string& key) const;
  /// A list of ids, or a list of such lists of one length (flattened; `columns` is that length).
  std::optional<Ids> ids(const std::string& key) const;
  std::optional<Ids> id_rows(const std::string& key, std::size_t& columns) const;

  bool has(const std::string& key) const { return find(key) != nullptr; }
  /// Where a key of a Hugging Face config is: at the top, or in the object that other files keep the config in.
  std::string inside(const std::string& key) const;
  bool is_number(const std::string& key) const;

  [[noreturn]] void fail(const std::string& key, const std::string& what) const;

 private:
  const nlohmann::json* find(const std::string& key) const;

  std::string path_;
  nlohmann::json root_;
};

/// An integer tensor of a table file; FileError when an element is no id (negative, or ≥ 2^31).
Ids ids_of(const Checkpoint& tables, const Tensor& tensor);

/// A vocabulary of word pieces, one a line; FileError unless there are `count`.
std::vector<std::string> word_pieces_of(const std::string& path, int count);
/// The line of a piece; FileError, naming `path`, when there is none.
int id_of_piece(const std::string& path, const std::vector<std::string>& pieces,
                const std::string& piece);

/// The lines of a text file, without their ends.
std::vector<std::string> lines_of(const std::string& path);

}  // namespace kinglet::tools
