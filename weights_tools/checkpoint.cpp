#include "checkpoint.hpp"

#include <algorithm>
#include <cstring>

#include "readers.hpp"

namespace kinglet::tools {
namespace {

using Reader = Checkpoint (*)(Bytes, const std::string&);

struct Container {
  const char* name;
  Reader read;
};

/// By the first bytes; the file's name only helps to say what is wrong with a broken one.
Container container_of(Bytes bytes, const std::string& path) {
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min<std::size_t>(bytes.size(), 9));
  if (start.empty()) throw FileError(path, "", "the file is empty");
  if (start.substr(0, 4) == "GGUF") return {"gguf", read_gguf};
  if (start.substr(0, 2) == "PK") return {"torch-zip", read_torch_zip};
  // safetensors: the header's length, below 2^32, and a brace, perhaps behind blanks
  const bool has_header = start.size() == 9 &&
                          start.substr(4, 4) == std::string_view("\0\0\0\0", 4) &&
                          std::string_view("{ \t\r\n").find(start[8]) != std::string_view::npos;
  if (has_header || ends_with(path, ".safetensors")) return {"safetensors", read_safetensors};
  if (start[0] == '\x80') return {"torch-legacy", read_torch_legacy};
  throw FileError(path, "start",
                  "not a checkpoint (PyTorch's zip or older stream, safetensors, GGUF)");
}

const std::vector<std::int64_t>& shape_of_view(const Tensor& tensor) noexcept {
  return tensor.view_shape.empty() ? tensor.shape : tensor.view_shape;
}

/// Elements first … first + count − 1 in row-major order. Item: a type of the element's size.
template <class Item>
void copy_items(const Tensor& tensor, std::uint64_t first, std::uint64_t count,
                unsigned char* out) {
  const std::vector<std::int64_t>& shape = shape_of_view(tensor);
  const std::size_t rank = shape.size();
  std::vector<std::uint64_t> index(rank);
  std::uint64_t rest = first, offset = 0;
  for (std::size_t i = rank; i-- > 0;) {
    const auto length = static_cast<std::uint64_t>(shape[i]);
    index[i] = rest % length;
    rest /= length;
    offset += index[i] * static_cast<std::uint64_t>(tensor.stride[i]);
  }
  while (count > 0) {
    // the rest of a row, then one step in the outer dimensions
    const std::size_t last = rank - 1;
    const auto length = static_cast<std::uint64_t>(rank > 0 ? shape[last] : 1);
    const auto stride = static_cast<std::uint64_t>(rank > 0 ? tensor.stride[last] : 0);
    const std::uint64_t run = std::min(count, length - (rank > 0 ? index[last] : 0));
    const unsigned char* from = tensor.storage + offset * sizeof(Item);
    for (std::uint64_t i = 0; i < run; ++i, from += stride * sizeof(Item), out += sizeof(Item))
      std::memcpy(out, from, sizeof(Item));
    count -= run;
    if (count == 0) return;
    offset += run * stride;
    index[last] = length;
    for (std::size_t i = rank; i-- > 0 && index[i] == static_cast<std::uint64_t>(shape[i]);) {
      offset -= index[i] * static_cast<std::uint64_t>(tensor.stride[i]);
      index[i] = 0;
      if (i == 0) break;
      ++index[i - 1];
      offset += static_cast<std::uint64_t>(tensor.stride[i - 1]);
    }
  }
}

}  // namespace

bool Tensor::contiguous() const noexcept {
  if (item_size == 0 || count() == 0) return true;
  const std::vector<std::int64_t>& lengths = shape_of_view(*this);
  std::int64_t expected = 1;
  for (std::size_t i = lengths.size(); i-- > 0;) {
    if (lengths[i] != 1 && stride[i] != expected) return false;
    expected *= lengths[i];
  }
  return true;
}

std::int64_t Tensor::count() const noexcept {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::int64_t product = 1;
  for (const std::int64_t length : shape) product *= length;
  return product;
}

std::uint64_t Tensor::nbytes() const noexcept {
  return item_size == 0 ? storage_bytes : static_cast<std::uint64_t>(count()) * item_size;
}

bool is_statistic(const Tensor& tensor) noexcept {
  return ends_with(tensor.name, ".running_mean") || ends_with(tensor.name, ".running_var");
}

void copy_elements(const Tensor& tensor, std::uint64_t first, std::uint64_t count, void* out) {
  if (count == 0) return;
  auto* bytes = static_cast<unsigned char*>(out);
  if (tensor.contiguous()) {
    std::memcpy(bytes, tensor.storage + first * tensor.item_size,
                static_cast<std::size_t>(count * tensor.item_size));
    return;
  }
  struct Item16 {
    std::uint64_t half[2];
  };
  switch (tensor.item_size) {
    case 1: return copy_items<std::uint8_t>(tensor, first, count, bytes);
    case 2: return copy_items<std::uint16_t>(tensor, first, count, bytes);
    case 4: return copy_items<std::uint32_t>(tensor, first, count, bytes);
    case 8: return copy_items<std::uint64_t>(tensor, first, count, bytes);
    default: return copy_items<Item16>(tensor, first, count, bytes);
  }
}

void copy_dense(const Tensor& tensor, void* out) {
  if (tensor.item_size == 0) {
    if (tensor.storage_bytes > 0)
      std::memcpy(out, tensor.storage, static_cast<std::size_t>(tensor.storage_bytes));
    return;
  }
  copy_elements(tensor, 0, static_cast<std::uint64_t>(tensor.count()), out);
}

const Tensor* Checkpoint::find(std::string_view name) const {
  const auto named = [&](std::string_view wanted) -> const Tensor* {
    const auto at = std::find_if(tensors.begin(), tensors.end(),
                                 [&](const Tensor& tensor) { return tensor.name == wanted; });
    return at != tensors.end() ? &*at : nullptr;
  };
  if (const Tensor* tensor = named(name)) return tensor;
  for (const auto& [dropped, kept] : aliases)
    if (dropped == name) return named(kept);
  return nullptr;
}

Checkpoint read_checkpoint_bytes(Bytes bytes, const std::string& path) {
  const Container container = container_of(bytes, path);
  Checkpoint checkpoint = container.read(bytes, path);
  checkpoint.path = path;
  checkpoint.container = container.name;
  return checkpoint;
}

Checkpoint read_checkpoint(const std::string& path) {
  const std::shared_ptr<MappedFile> file = MappedFile::open(path);
  Checkpoint checkpoint = read_checkpoint_bytes(file->bytes(), path);
  checkpoint.file = file;
  return checkpoint;
}

}  // namespace kinglet::tools
