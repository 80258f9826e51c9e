#include "convert_config.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace kinglet::tools {
namespace {

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

std::int32_t checked_id(std::int64_t value, const std::string& file, const std::string& where) {
  if (value < 0 || value > std::numeric_limits<std::int32_t>::max()) {
    throw FileError(file, where, std::to_string(value) + " is not an id");
  }
  return static_cast<std::int32_t>(value);
}

template <class T>
std::int64_t integer_at(const unsigned char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

}  // namespace

ConfigFile::ConfigFile(const std::string& path) : path_(path), root_(nlohmann::json::object()) {
  if (path.empty()) return;
  const auto file = MappedFile::open(path);
  try {
    root_ = nlohmann::json::parse(text_of(*file));
  } catch (const nlohmann::json::exception& error) {
    throw FileError(path, "JSON", printable(error.what(), 200));
  }
  if (!root_.is_object()) throw FileError(path, "JSON", "the top level is not an object");
}

void ConfigFile::fail(const std::string& key, const std::string& what) const {
  throw FileError(given() ? path_ : "--config", key, what);
}

const nlohmann::json* ConfigFile::find(const std::string& key) const {
  const nlohmann::json* at = &root_;
  for (std::size_t start = 0; start <= key.size();) {
    const std::size_t end = std::min(key.find('.', start), key.size());
    if (!at->is_object()) return nullptr;
    const auto found = at->find(key.substr(start, end - start));
    if (found == at->end() || found->is_null()) return nullptr;
    at = &*found;
    start = end + 1;
  }
  return at;
}

bool ConfigFile::is_number(const std::string& key) const {
  const nlohmann::json* value = find(key);
  return value != nullptr && value->is_number();
}

std::optional<int> ConfigFile::size(const std::string& key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_number_integer() || *value < 1 || *value > (1 << 28)) {
    fail(key, "is not a usable size");
  }
  return value->get<int>();
}

std::optional<int> ConfigFile::index(const std::string& key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_number_integer() || *value < 0 || *value > (1 << 28)) {
    fail(key, "is not a usable number");
  }
  return value->get<int>();
}

std::string ConfigFile::inside(const std::string& key) const {
  for (const char* parent : {"hf_config.", "config."}) {
    if (!has("model_type") &&
        (has(std::string(parent) + "model_type") || has(std::string(parent) + "architectures"))) {
      return parent + key;
    }
  }
  return key;
}

std::optional<double> ConfigFile::positive(const std::string& key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_number() || !(value->get<double>() > 0) || !std::isfinite(value->get<double>())) {
    fail(key, "is not a positive number");
  }
  return value->get<double>();
}

std::optional<bool> ConfigFile::boolean(const std::string& key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_boolean()) fail(key, "is neither true nor false");
  return value->get<bool>();
}

std::optional<std::string> ConfigFile::text(const std::string& key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) fail(key, "is not a text");
  return value->get<std::string>();
}

std::optional<std::vector<std::string>> ConfigFile::texts(const std::string& key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  std::vector<std::string> list;
  if (!value->is_array()) fail(key, "is not a list of texts");
  for (const auto& item : *value) {
    if (!item.is_string()) fail(key, "is not a list of texts");
    list.push_back(item.get<std::string>());
  }
  return list;
}

std::optional<Ids> ConfigFile::ids(const std::string& key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  Ids list;
  if (!value->is_array()) fail(key, "is not a list of ids");
  for (const auto& item : *value) {
    if (!item.is_number_integer()) fail(key, "is not a list of ids");
    list.push_back(checked_id(item.get<std::int64_t>(), path_, key));
  }
  return list;
}

std::optional<Ids> ConfigFile::id_rows(const std::string& key, std::size_t& columns) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  Ids list;
  if (!value->is_array() || value->empty()) fail(key, "is not a list of lists of ids");
  for (const auto& row : *value) {
    if (!row.is_array() || row.size() != value->front().size()) {
      fail(key, "is not a list of equally long lists of ids");
    }
    for (const auto& item : row) {
      if (!item.is_number_integer()) fail(key, "is not a list of lists of ids");
      list.push_back(checked_id(item.get<std::int64_t>(), path_, key));
    }
  }
  columns = value->front().size();
  return list;
}

Ids ids_of(const Checkpoint& tables, const Tensor& tensor) {
  const std::string where = "tensor " + in_quotes(tensor.name);
  std::int64_t (*read)(const unsigned char*) = nullptr;
  switch (tensor.dtype) {
    case DType::u8: read = integer_at<std::uint8_t>; break;
    case DType::s8: read = integer_at<std::int8_t>; break;
    case DType::s16: read = integer_at<std::int16_t>; break;
    case DType::s32: read = integer_at<std::int32_t>; break;
    case DType::s64: read = integer_at<std::int64_t>; break;
    default: throw FileError(tables.path, where, "holds " + tensor.dtype_name + ", not ids");
  }
  std::vector<unsigned char> bytes(static_cast<std::size_t>(tensor.nbytes()));
  copy_dense(tensor, bytes.data());
  Ids list;
  for (std::size_t at = 0; at < bytes.size(); at += size_of(tensor.dtype)) {
    list.push_back(checked_id(read(bytes.data() + at), tables.path, where));
  }
  return list;
}

std::vector<std::string> word_pieces_of(const std::string& path, int count) {
  std::vector<std::string> pieces = lines_of(path);
  if (pieces.size() != static_cast<std::size_t>(count)) {
    throw FileError(path, "vocabulary",
                    std::to_string(pieces.size()) + " lines for a word table of " +
                        std::to_string(count) + " rows");
  }
  return pieces;
}

int id_of_piece(const std::string& path, const std::vector<std::string>& pieces,
                const std::string& piece) {
  const auto found = std::find(pieces.begin(), pieces.end(), piece);
  if (found == pieces.end()) {
    throw FileError(path, "vocabulary", "has no line " + in_quotes(piece));
  }
  return static_cast<int>(found - pieces.begin());
}

std::vector<std::string> lines_of(const std::string& path) {
  const auto file = MappedFile::open(path);
  std::string_view rest = text_of(*file);
  std::vector<std::string> lines;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.emplace_back(line);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return lines;
}

}  // namespace kinglet::tools
