#include "safetensors_writer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "safetensors_types.hpp"

namespace kinglet::tools {
namespace {

std::string json_string(const std::string& text) { return nlohmann::json(text).dump(); }

/// Tensors in falling element size, otherwise as given: every tensor is then aligned.
std::vector<const Tensor*> in_order(const std::vector<Tensor>& tensors) {
  std::vector<const Tensor*> order;
  order.reserve(tensors.size());
  for (const Tensor& tensor : tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(),
                   [](const Tensor* a, const Tensor* b) { return a->item_size > b->item_size; });
  return order;
}

std::string header_of(const std::vector<const Tensor*>& tensors, const TextPairs& metadata) {
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (header.back() != '{') header += ',';
      header += json_string(key) + ":" + json_string(value);
    }
    header += '}';
  }
  std::uint64_t begin = 0;
  for (const Tensor* tensor : tensors) {
    if (header.back() != '{' || header.size() > 1) header += ',';
    header += json_string(tensor->name) + ":{\"dtype\":\"";
    header += safetensors_type_of(tensor->dtype_name)->code;
    header += "\",\"shape\":[";
    for (std::size_t i = 0; i < tensor->shape.size(); ++i)
      header += (i > 0 ? "," : "") + std::to_string(tensor->shape[i]);
    const std::uint64_t end = begin + tensor->nbytes();
    header += "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
    begin = end;
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');  // the data starts aligned
  return header;
}

void write_dense(OutputFile& out, const Tensor& tensor) {
  if (tensor.contiguous())
    return out.write(tensor.storage, static_cast<std::size_t>(tensor.nbytes()));
  constexpr std::size_t kPart = std::size_t{1} << 16;  // bytes
  std::vector<unsigned char> part(kPart);
  const std::uint64_t step = kPart / tensor.item_size;
  const auto count = static_cast<std::uint64_t>(tensor.count());
  for (std::uint64_t first = 0; first < count; first += step) {
    const std::uint64_t n = std::min(step, count - first);
    copy_elements(tensor, first, n, part.data());
    out.write(part.data(), static_cast<std::size_t>(n * tensor.item_size));
  }
}

}  // namespace

void check_fits_safetensors(const std::string& file, const std::vector<Tensor>& tensors) {
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const Tensor& tensor : tensors) {
    const std::string where = "tensor " + in_quotes(tensor.name);
    if (safetensors_type_of(tensor.dtype_name) == nullptr)
      throw FileError(file, where, "safetensors has no dtype " + tensor.dtype_name);
    if (tensor.name == "__metadata__")
      throw FileError(file, where, "safetensors keeps this name for itself");
    names.push_back(tensor.name);
  }
  std::sort(names.begin(), names.end());
  const auto twin = std::adjacent_find(names.begin(), names.end());
  if (twin != names.end())
    throw FileError(file, "tensor " + in_quotes(std::string(*twin)), "comes twice");
}

void write_safetensors(OutputFile& out, const std::vector<Tensor>& tensors,
                       const TextPairs& metadata) {
  check_fits_safetensors(out.path(), tensors);
  const std::vector<const Tensor*> order = in_order(tensors);
  const std::string header = header_of(order, metadata);
  constexpr std::size_t kLongestHeader = 100'000'000;
  if (header.size() > kLongestHeader)
    throw FileError(out.path(), "header", "takes more than the 100 MB that safetensors allows");
  unsigned char length[8];
  for (unsigned i = 0; i < 8; ++i)
    length[i] = static_cast<unsigned char>(std::uint64_t{header.size()} >> (8 * i));
  out.write(length, sizeof length);
  out.write(header.data(), header.size());
  for (const Tensor* tensor : order) write_dense(out, *tensor);
}

}  // namespace kinglet::tools
