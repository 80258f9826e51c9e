#include "gguf_checkpoint.hpp"

#include <algorithm>
#include <kinglet/io/model_file.hpp>
#include <kinglet/kernels/gemm_f32.hpp>

#include "budget.hpp"
#include "gguf_text.hpp"
#include "panel_list.hpp"
#include "readers.hpp"

namespace kinglet::tools {
namespace {

ModelFile open(Bytes bytes, const std::string& path) {
  const Result<ModelFile> file = ModelFile::open(bytes);
  if (file) return *file;
  throw FileError(path, file.status());
}

std::string dtype_name(const TensorInfo& tensor) {
  switch (tensor.dtype) {
    case DType::f32: return "float32";
    case DType::f16: return "float16";
    case DType::bf16: return "bfloat16";
    case DType::f64: return "float64";
    case DType::s8: return "int8";
    case DType::s16: return "int16";
    case DType::s32: return "int32";
    case DType::s64: return "int64";
    case DType::u8:
    case DType::boolean:
    case DType::other: break;
  }
  return gguf_tensor_type(tensor.gguf_type).name;
}

void set_dense_strides(Tensor& tensor) {
  tensor.stride.resize(tensor.shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = tensor.shape.size(); i-- > 0; stride *= tensor.shape[i])
    tensor.stride[i] = stride;
}

constexpr std::int64_t kRows = kernels::kPanel;
constexpr std::int64_t kGroup = 4;  // of k, in the panels of an s8 matrix

class PanelReader {
 public:
  PanelReader(Bytes bytes, Checkpoint& checkpoint)
      : checkpoint_(checkpoint), budget_(checkpoint.path), file_(open(bytes, checkpoint.path)) {}

  void run() {
    PanelList list = read_panel_list(file_, checkpoint_.path);
    std::vector<Tensor> tensors;
    for (const Tensor& tensor : checkpoint_.tensors) {
      const auto entry = list.find(tensor.name);
      if (entry == list.end()) {
        tensors.push_back(tensor);
      } else {
        unpack(tensor, entry->second, tensors);
        list.erase(entry);
      }
    }
    if (!list.empty())
      throw FileError(checkpoint_.path, "kinglet.panels", "names tensors that are not there");
    checkpoint_.tensors = std::move(tensors);
  }

 private:
  void unpack(const Tensor& stored, const Panels& panels, std::vector<Tensor>& tensors) {
    const std::uint64_t items = stored.item_size == 0 ? 0 : stored.nbytes() / stored.item_size;
    const std::uint64_t part_items =
        panel_part_items(panels, stored.dtype, items, checkpoint_.path, stored.name);
    const auto n = static_cast<std::int64_t>(panels.n);
    const std::int64_t k = panels.k == 0 ? 1 : static_cast<std::int64_t>(panels.k);
    const std::int64_t blocks = (n + kRows - 1) / kRows;
    const bool grouped = stored.dtype == DType::s8 && panels.k > 0;
    for (std::uint64_t part = 0; part < panels.parts; ++part) {
      budget_.charge(3 * sizeof(Tensor) + 8 * stored.name.size() + 256);
      Tensor tensor = stored;
      tensor.name = part_name(stored.name, part, panels.parts);
      const std::uint64_t skipped = part * part_items;
      tensor.storage += skipped * stored.item_size;
      tensor.storage_bytes = part_items * stored.item_size;
      tensor.storage_offset = skipped;
      tensor.shape = {n};
      if (panels.k > 0) tensor.shape.push_back(k);
      if (grouped) {
        const std::int64_t depth = static_cast<std::int64_t>(part_items) / (blocks * kRows);
        tensor.view_shape = {blocks, kRows, (k + kGroup - 1) / kGroup, kGroup};
        tensor.stride = {kRows * depth, kGroup, kRows * kGroup, 1};
        if (k % kGroup != 0) unpad_columns(tensor);
      } else {
        tensor.view_shape = {blocks, kRows, k};
        tensor.stride = {kRows * k, 1, kRows};
      }
      tensors.push_back(std::move(tensor));
    }
  }

  /// Strides cannot leave out what pads a row to whole groups: a copy does.
  void unpad_columns(Tensor& tensor) {
    const auto n = static_cast<std::size_t>(tensor.shape[0]);
    const auto k = static_cast<std::size_t>(tensor.shape[1]);
    const std::size_t row = (k + kGroup - 1) / kGroup * kGroup;
    budget_.charge(n * k);
    auto dense = std::make_shared<std::vector<unsigned char>>(n * k);
    for (std::size_t i = 0; i < n; ++i) copy_elements(tensor, i * row, k, dense->data() + i * k);
    tensor.storage = dense->data();
    tensor.storage_bytes = dense->size();
    tensor.view_shape.clear();
    set_dense_strides(tensor);
    checkpoint_.copies.push_back(std::move(dense));
  }

  static std::string part_name(const std::string& name, std::uint64_t part, std::uint64_t parts) {
    if (parts == 1) return name;
    constexpr std::string_view kJoined = "attn_qkv";
    const std::size_t at = name.find(kJoined);
    if (parts != 3 || at == std::string::npos) return name + "." + std::to_string(part);
    std::string one = name;
    static constexpr const char* kApart[] = {"attn_q", "attn_k", "attn_v"};
    return one.replace(at, kJoined.size(), kApart[part]);
  }

  Checkpoint& checkpoint_;
  Budget budget_;
  ModelFile file_;
};

}  // namespace

Checkpoint read_gguf(Bytes bytes, const std::string& path) {
  const ModelFile file = open(bytes, path);
  Budget budget(path);
  Checkpoint checkpoint;
  checkpoint.tensors.reserve(static_cast<std::size_t>(file.tensor_count()));
  file.for_each_tensor([&](const TensorInfo& info) {
    budget.charge(2 * sizeof(Tensor) + 400);  // also for the matrices in its panels
    Tensor tensor;
    tensor.name = info.name;
    tensor.dtype = info.dtype;
    tensor.dtype_name = dtype_name(info);
    tensor.item_size = size_of(info.dtype);
    for (int i = 0; i < info.rank; ++i)
      tensor.shape.push_back(static_cast<std::int64_t>(info.shape[i]));
    set_dense_strides(tensor);
    tensor.storage = info.data;
    tensor.storage_bytes = info.nbytes;
    tensor.storage_id = checkpoint.tensors.size();
    checkpoint.tensors.push_back(std::move(tensor));
  });
  file.for_each_value([&](const GgufValue& value) {
    if (value.is_array) return;
    std::string text = text_of(value.items, 0);
    budget.charge(8 * (value.key.size() + text.size()) + 3 * 64);
    checkpoint.metadata.emplace_back(value.key, std::move(text));
  });
  return checkpoint;
}

void unpack_panels(Bytes bytes, Checkpoint& checkpoint) {
  if (checkpoint.container == "gguf") PanelReader(bytes, checkpoint).run();
}

}  // namespace kinglet::tools
