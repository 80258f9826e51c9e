#include "gguf_checkpoint.hpp"

#include <algorithm>
#include <kinglet/io/model_file.hpp>

#include "budget.hpp"
#include "gguf_text.hpp"
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

/// One entry of kinglet.panels.*: `parts` matrices of n × k, or vectors of n where k is 0.
struct Panels {
  std::string name;
  std::uint64_t parts, n, k;
};

constexpr std::uint64_t kRows = 16;  // of a panel
constexpr std::uint64_t kMostRows = std::uint64_t{1} << 31;

class PanelReader {
 public:
  PanelReader(Bytes bytes, Checkpoint& checkpoint)
      : checkpoint_(checkpoint), budget_(checkpoint.path), file_(open(bytes, checkpoint.path)) {}

  void run() {
    if (!file_.has("kinglet.panels.tensor")) return;
    const GgufArray names = array("tensor"), parts = array("parts"), n = array("n"), k = array("k");
    if (names.type() != GgufType::string || parts.count() != names.count() ||
        n.count() != names.count() || k.count() != names.count())
      fail("kinglet.panels", "its arrays do not belong together");
    std::vector<Panels> all;
    std::uint64_t i = 0;
    for (const std::string_view name : names.strings()) {
      all.push_back({std::string(name), number(parts, i), number(n, i), number(k, i)});
      ++i;
      if (i > checkpoint_.tensors.size())
        fail("kinglet.panels", "names more tensors than there are");
    }
    std::sort(all.begin(), all.end(),
              [](const Panels& a, const Panels& b) { return a.name < b.name; });
    std::vector<Tensor> tensors;
    std::size_t used = 0;
    for (const Tensor& tensor : checkpoint_.tensors) {
      const auto entry = std::lower_bound(
          all.begin(), all.end(), tensor.name,
          [](const Panels& panels, const std::string& name) { return panels.name < name; });
      if (entry == all.end() || entry->name != tensor.name) {
        tensors.push_back(tensor);
      } else {
        unpack(tensor, *entry, tensors);
        ++used;
      }
    }
    if (used != all.size())
      fail("kinglet.panels", "names tensors that are not there, or one twice");
    checkpoint_.tensors = std::move(tensors);
  }

 private:
  [[noreturn]] void fail(const std::string& where, const std::string& what) const {
    throw FileError(checkpoint_.path, where, what);
  }

  GgufArray array(const char* name) const {
    const Result<GgufArray> values = file_.array(std::string("kinglet.panels.") + name);
    if (!values) fail(std::string("kinglet.panels.") + name, values.status().what());
    return *values;
  }

  std::uint64_t number(const GgufArray& values, std::uint64_t i) const {
    const Result<std::uint64_t> value = values.number(i);
    if (!value || *value > kMostRows) fail("kinglet.panels", "holds a number out of range");
    return *value;
  }

  void unpack(const Tensor& stored, const Panels& panels, std::vector<Tensor>& tensors) {
    const std::string where = "tensor " + quoted(stored.name);
    const std::uint64_t columns = panels.k == 0 ? 1 : panels.k;
    const std::uint64_t blocks = (panels.n + kRows - 1) / kRows;
    const std::uint64_t items = stored.item_size == 0 ? 0 : stored.nbytes() / stored.item_size;
    const std::uint64_t block_items = kRows * columns;
    if (panels.n == 0 || panels.parts == 0 || items % block_items != 0 ||
        items / block_items % panels.parts != 0 || items / block_items / panels.parts != blocks)
      fail(where, "does not hold " + std::to_string(panels.parts) + " times " +
                      std::to_string(panels.n) + " x " + std::to_string(panels.k) + " in panels");
    const auto n = static_cast<std::int64_t>(panels.n), k = static_cast<std::int64_t>(columns);
    for (std::uint64_t part = 0; part < panels.parts; ++part) {
      budget_.charge(3 * sizeof(Tensor) + 8 * stored.name.size() + 256);
      Tensor tensor = stored;
      tensor.name = part_name(stored.name, part, panels.parts);
      const std::uint64_t skipped = part * blocks * block_items;
      tensor.storage += skipped * stored.item_size;
      tensor.storage_bytes = blocks * block_items * stored.item_size;
      tensor.storage_offset = skipped;
      tensor.shape = {n};
      if (panels.k > 0) tensor.shape.push_back(k);
      tensor.view_shape = {static_cast<std::int64_t>(blocks), std::int64_t{kRows}, k};
      tensor.stride = {std::int64_t{kRows} * k, 1, std::int64_t{kRows}};
      tensors.push_back(std::move(tensor));
    }
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
