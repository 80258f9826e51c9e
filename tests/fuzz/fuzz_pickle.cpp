// The unpickler by itself: what a zip archive holds as data.pkl. Every storage it names exists.
#include "exercise.hpp"
#include "torch_weights.hpp"

namespace {

using namespace kinglet;

class AnyStorage : public tools::pickle::StorageSource {
 public:
  void resolve(tools::pickle::Storage& storage, std::string_view, const std::string&) override {
    constexpr std::uint64_t kMost = 1 << 16;
    if (storage.nbytes > kMost) throw tools::FileError("fuzz", "storage", "too large");
    bytes_.emplace_back(static_cast<std::size_t>(storage.nbytes));
    storage.data = bytes_.back().data();
  }

 private:
  std::deque<std::vector<unsigned char>> bytes_;  // each of its own, so that over-reads are seen
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  return fuzz::expect_answer([&] {
    tools::Budget budget("fuzz");
    tools::pickle::Heap heap(budget);
    AnyStorage storages;
    tools::pickle::Options options;
    options.file = "fuzz";
    options.label = "offset ";
    options.largest_dense = 1 << 20;
    options.storages = &storages;
    tools::pickle::Unpickler unpickler(Bytes(data, size), options, heap);
    const tools::pickle::Value root = unpickler.read();
    tools::Checkpoint checkpoint;
    tools::collect_weights(root, "fuzz", "object", budget, checkpoint);
    fuzz::read_all(checkpoint);
  });
}
