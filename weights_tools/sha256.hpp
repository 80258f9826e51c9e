#pragma once
// SHA-256 (FIPS 180-4), for naming the file a model came from.

#include <cstddef>
#include <cstdint>
#include <kinglet/core/span.hpp>
#include <string>

namespace kinglet::tools {

class Sha256 {
 public:
  void update(const void* data, std::size_t size);
  /// 64 lower-case hexadecimal digits. Ends the computation.
  std::string hex();

 private:
  void compress(const unsigned char* block);

  std::uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::uint64_t size_ = 0;
  unsigned char block_[64] = {};
};

std::string sha256_hex(Bytes bytes);

}  // namespace kinglet::tools
