#pragma once
// What a reader may build in memory, whatever a file claims: mapped bytes are free, descriptions
// of them are counted.

#include <cstdint>
#include <string>
#include <utility>

#include "file_error.hpp"

namespace kinglet::tools {

class Budget {
 public:
  /// Far above what real checkpoints need (a tensor takes about 1 kB), far below 64 MB.
  static constexpr std::uint64_t kLimit = std::uint64_t{40} << 20;

  explicit Budget(std::string file) : file_(std::move(file)) {}

  void charge(std::uint64_t bytes) {
    if (bytes > left_)
      throw FileError(file_, "memory", "its contents take more than 40 MB to describe");
    left_ -= bytes;
  }

 private:
  std::string file_;
  std::uint64_t left_ = kLimit;
};

}  // namespace kinglet::tools
