#include "exercise.hpp"
#include "readers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace kinglet;
  return fuzz::expect_answer(
      [&] { fuzz::read_all(tools::read_torch_legacy(Bytes(data, size), "fuzz")); });
}
