#pragma once
// What every fuzz target does with what a reader lets through: reads it all.

#include <ostream>
#include <streambuf>
#include <vector>

#include "checkpoint.hpp"
#include "inspect.hpp"

namespace kinglet::fuzz {

/// Swallows what is printed.
class NullBuffer : public std::streambuf {
  int overflow(int c) override { return c; }
  std::streamsize xsputn(const char*, std::streamsize count) override { return count; }
};

/// Copies the elements in parts of odd size, so that every byte a view reaches is read.
inline void read_elements(const tools::Tensor& tensor) {
  constexpr std::uint64_t kPart = 1021, kMost = std::uint64_t{1} << 16;
  if (tensor.item_size == 0) {
    std::vector<unsigned char> raw(static_cast<std::size_t>(tensor.nbytes()));
    return tools::copy_dense(tensor, raw.data());
  }
  std::vector<unsigned char> part(kPart * tensor.item_size);
  const auto count = static_cast<std::uint64_t>(tensor.count());
  for (std::uint64_t first = 0; first < count && first < kMost; first += kPart)
    tools::copy_elements(tensor, first, std::min(kPart, count - first), part.data());
  if (count > 0) tools::copy_elements(tensor, count - 1, 1, part.data());
}

inline void read_all(const tools::Checkpoint& checkpoint) {
  for (const tools::Tensor& tensor : checkpoint.tensors) read_elements(tensor);
  for (const tools::Tensor& tensor : checkpoint.other_tensors) read_elements(tensor);
  NullBuffer nowhere;
  std::ostream out(&nowhere);
  tools::print_checkpoint(out, checkpoint);
  tools::print_checkpoint_json(out, checkpoint);
}

/// Runs f; a FileError is an answer like any other.
template <class F>
int expect_answer(F f) {
  try {
    f();
  } catch (const tools::FileError&) {
  }
  return 0;
}

}  // namespace kinglet::fuzz
