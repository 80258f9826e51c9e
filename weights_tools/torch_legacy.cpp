// PyTorch's stream before 1.6: five pickles, one after another, then the storages.
//
//   magic number | protocol 1001 | system information | object | list of storage keys
//   then for each key, in that order: number of elements (int64) and the elements
#include <cstring>
#include <unordered_map>

#include "readers.hpp"
#include "torch_weights.hpp"

namespace kinglet::tools {
namespace {

using pickle::Kind;
using pickle::Value;

constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::int64_t kProtocol = 1001;
constexpr std::uint64_t kSlack = std::uint64_t{64} << 20;

/// The storages lie behind the pickles that name them.
class Later : public pickle::StorageSource {
 public:
  void resolve(pickle::Storage&, std::string_view, const std::string&) override {}
};

class LegacyReader {
 public:
  LegacyReader(Bytes bytes, const std::string& file)
      : bytes_(bytes), file_(file), budget_(file), heap_(budget_) {}

  Checkpoint read() {
    const Value magic = read_pickle();
    if (magic.kind != Kind::big_integer || magic.string() != kMagic)
      fail("start", "not a PyTorch checkpoint: its magic number is missing");
    const Value protocol = read_pickle();
    if (protocol.kind != Kind::integer || protocol.integer != kProtocol)
      fail("protocol number", "is not 1001");
    check_system(read_pickle());

    Later later;
    std::unordered_map<std::string_view, pickle::Storage*> storages;
    const Value object = read_pickle(&later, &storages);
    const Value keys = read_pickle();
    if (keys.kind != Kind::list) fail("storage keys", "are not a list");
    for (const Value& key : keys.node->items) read_storage(key, storages);
    if (!storages.empty())
      fail("storage keys", "lack " + in_quotes(storages.begin()->first) + ", which a tensor uses");
    if (at_ != bytes_.size())
      fail("offset " + std::to_string(at_), "something follows the last storage");
    Checkpoint checkpoint;
    collect_weights(object, file_, "object", budget_, checkpoint);
    return checkpoint;
  }

 private:
  [[noreturn]] void fail(const std::string& where, const std::string& what) const {
    throw FileError(file_, where, what);
  }

  Value read_pickle(pickle::StorageSource* source = nullptr,
                    std::unordered_map<std::string_view, pickle::Storage*>* storages = nullptr) {
    pickle::Options options;
    options.file = file_;
    options.label = "offset ";
    options.base = at_;
    options.legacy = true;
    options.largest_dense = bytes_.size() + kSlack;
    options.storages = source;
    pickle::Unpickler unpickler(bytes_.subspan(at_, bytes_.size() - at_), options, heap_);
    const Value value = unpickler.read();
    at_ += unpickler.position();
    if (storages != nullptr)
      for (pickle::Storage* storage : unpickler.storages())
        storages->emplace(storage->key, storage);
    return value;
  }

  void check_system(const Value& system) const {
    const Value* little_endian = nullptr;
    if (!system.is_dict()) fail("system information", "is not a dict");
    const std::vector<Value>& items = system.node->items;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i].is_text() && items[i].string() == "little_endian") little_endian = &items[i + 1];
    if (little_endian == nullptr || little_endian->kind != Kind::boolean)
      fail("system information", "does not say whether it is little-endian");
    if (little_endian->integer == 0)
      fail("system information", "only little-endian checkpoints are supported");
  }

  /// Takes the storage of this key out of the map: a key may come once, and must be in use.
  void read_storage(const Value& key,
                    std::unordered_map<std::string_view, pickle::Storage*>& storages) {
    if (!key.is_text()) fail("storage keys", std::string("hold ") + pickle::name_of(key.kind));
    const auto found = storages.find(key.string());
    if (found == storages.end())
      fail("storage keys", "name " + in_quotes(key.string()) + " twice, or no tensor uses it");
    pickle::Storage& storage = *found->second;
    storages.erase(found);
    const std::string where = "offset " + std::to_string(at_);
    const std::string name = "storage " + in_quotes(storage.key);
    std::uint64_t count = 0;
    if (bytes_.size() - at_ < sizeof count) fail(where, name + " is not there");
    for (unsigned i = 0; i < sizeof count; ++i) count |= std::uint64_t{bytes_[at_++]} << (8 * i);
    if (count != storage.count)
      fail(where, name + " has " + std::to_string(count) + " elements, its tensors say " +
                      std::to_string(storage.count));
    if (bytes_.size() - at_ < storage.nbytes)
      fail(where, name + " needs " + std::to_string(storage.nbytes) + " bytes, " +
                      std::to_string(bytes_.size() - at_) + " are left");
    storage.data = bytes_.data() + at_;
    at_ += static_cast<std::size_t>(storage.nbytes);
  }

  Bytes bytes_;
  const std::string& file_;
  Budget budget_;
  pickle::Heap heap_;
  std::size_t at_ = 0;
};

}  // namespace

Checkpoint read_torch_legacy(Bytes bytes, const std::string& path) {
  return LegacyReader(bytes, path).read();
}

}  // namespace kinglet::tools
