#include "exercise.hpp"
#include "gguf_checkpoint.hpp"
#include "readers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace kinglet;
  return fuzz::expect_answer([&] {
    const Bytes bytes(data, size);
    tools::Checkpoint checkpoint = tools::read_gguf(bytes, "fuzz");
    checkpoint.container = "gguf";
    fuzz::read_all(checkpoint);
    tools::unpack_panels(bytes, checkpoint);
    fuzz::read_all(checkpoint);
  });
}
