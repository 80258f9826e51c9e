// PyTorch's zip container, written since 1.6:
//
//   <root>/data.pkl     the object, its tensors naming storages by key
//   <root>/data/<key>   the bytes of a storage
//   <root>/version, <root>/byteorder and others
#include "readers.hpp"
#include "torch_weights.hpp"
#include "zip.hpp"

namespace kinglet::tools {
namespace {

constexpr std::string_view kPickle = "/data.pkl";
constexpr std::uint64_t kSlack = std::uint64_t{64} << 20;

std::string_view text_of(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The folder that data.pkl lies in: there must be one of each.
std::string_view find_root(const ZipArchive& zip, const std::string& file) {
  std::string_view root;
  for (const ZipArchive::Entry& entry : zip.entries()) {
    const std::string_view name = entry.name;
    if (name.size() <= kPickle.size() || name.substr(name.size() - kPickle.size()) != kPickle)
      continue;
    if (!root.empty()) throw FileError(file, "zip", "holds two data.pkl");
    root = name.substr(0, name.size() - kPickle.size());
  }
  if (root.empty())
    throw FileError(file, "zip", "holds no <root>/data.pkl: not a PyTorch checkpoint");
  if (root.find('/') != std::string_view::npos)
    throw FileError(file, "zip", "data.pkl is not in a top folder: " + in_quotes(root));
  for (const ZipArchive::Entry& entry : zip.entries())
    if (entry.name.substr(0, root.size()) != root || entry.name.substr(root.size(), 1) != "/")
      throw FileError(file, "zip entry " + in_quotes(entry.name),
                      "is not under the root " + in_quotes(root));
  return root;
}

void check_version(const ZipArchive::Entry* entry, const std::string& file) {
  if (entry == nullptr) return;
  std::string_view text = text_of(entry->data);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  constexpr unsigned kNewest = 10;  // of PyTorch 2; files say 3 today
  unsigned version = 0;
  for (const char c : text.substr(0, 4))
    version = c >= '0' && c <= '9' ? version * 10 + static_cast<unsigned>(c - '0') : 9999;
  if (version < 1 || version > kNewest || text.size() > 2)
    throw FileError(file, std::string(entry->name), "not a format version: " + in_quotes(text, 20));
}

class Records : public pickle::StorageSource {
 public:
  Records(const ZipArchive& zip, std::string_view root, const std::string& file)
      : zip_(zip), folder_(std::string(root) + "/data/"), file_(file) {}

  void resolve(pickle::Storage& storage, std::string_view tensor,
               const std::string& where) override {
    const ZipArchive::Entry* entry = zip_.find(folder_ + std::string(storage.key));
    if (entry == nullptr)
      throw FileError(file_, where, "storage " + in_quotes(storage.key) + " has no record");
    if (entry->data.size() != storage.nbytes) {
      const std::string name = tensor.empty() ? "a tensor" : "tensor " + in_quotes(tensor);
      throw FileError(file_, where,
                      name + " needs " + std::to_string(storage.nbytes) + " bytes of storage " +
                          in_quotes(storage.key) + ", the record holds " +
                          std::to_string(entry->data.size()));
    }
    storage.data = entry->data.data();
  }

 private:
  const ZipArchive& zip_;
  std::string folder_;
  const std::string& file_;
};

}  // namespace

Checkpoint read_torch_zip(Bytes bytes, const std::string& path) {
  Budget budget(path);
  const ZipArchive zip(bytes, path, budget);
  const std::string_view root = find_root(zip, path);
  const auto entry = [&](const char* name) { return zip.find(std::string(root) + name); };
  if (const ZipArchive::Entry* order = entry("/byteorder");
      order != nullptr && text_of(order->data) != "little")
    throw FileError(path, "byteorder",
                    "is " + in_quotes(text_of(order->data), 20) +
                        ", only little-endian checkpoints are supported");
  check_version(entry("/version"), path);
  check_version(entry("/.data/version"), path);

  Records records(zip, root, path);
  pickle::Options options;
  options.file = path;
  options.label = "data.pkl offset ";
  options.largest_dense = bytes.size() + kSlack;
  options.storages = &records;
  pickle::Heap heap(budget);
  const Bytes stream = entry("/data.pkl")->data;
  pickle::Unpickler unpickler(stream, options, heap);
  const pickle::Value object = unpickler.read();
  if (unpickler.position() != stream.size())
    throw FileError(path, "data.pkl offset " + std::to_string(unpickler.position()),
                    "something follows STOP");
  Checkpoint checkpoint;
  collect_weights(object, path, "data.pkl", budget, checkpoint);
  return checkpoint;
}

}  // namespace kinglet::tools
