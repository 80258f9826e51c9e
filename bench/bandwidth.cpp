// The memory's speed: plain loops that read or copy.

#include <cstring>
#include <kinglet/kernels/macros.hpp>

#include "peak.hpp"

namespace kinglet::tools {
namespace {

// They may lie anywhere in memory that holds floats or bytes.
typedef unsigned Word4 __attribute__((vector_size(16), aligned(1), may_alias));
typedef unsigned Word8 __attribute__((vector_size(32), aligned(1), may_alias));

constexpr std::size_t kAtOnce = 8;

template <class Vector>
KINGLET_INLINE float read_all(const void* from, std::size_t bytes) noexcept {
  const auto* p = static_cast<const Vector*>(from);
  const std::size_t count = bytes / sizeof(Vector);
  Vector any[kAtOnce];
#pragma GCC unroll 8
  for (std::size_t j = 0; j < kAtOnce; ++j) any[j] = Vector{};
  std::size_t i = 0;
  for (; i + kAtOnce <= count; i += kAtOnce) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kAtOnce; ++j) any[j] |= p[i + j];
  }
  for (; i < count; ++i) any[0] |= p[i];
#pragma GCC unroll 8
  for (std::size_t j = 1; j < kAtOnce; ++j) any[0] |= any[j];
  return static_cast<float>(any[0][0]);
}

template <class Vector>
KINGLET_INLINE void copy_all(const void* from, void* to, std::size_t bytes) noexcept {
  const auto* p = static_cast<const Vector*>(from);
  auto* q = static_cast<Vector*>(to);
  const std::size_t count = bytes / sizeof(Vector);
  std::size_t i = 0;
  for (; i + kAtOnce <= count; i += kAtOnce) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kAtOnce; ++j) {
      q[i + j] = p[i + j];
      asm volatile("" ::: "memory");  // else the compiler calls memcpy
    }
  }
  std::memcpy(q + i, p + i, bytes - i * sizeof(Vector));
}

float read128(const void* from, std::size_t bytes) { return read_all<Word4>(from, bytes); }
void copy128(const void* from, void* to, std::size_t bytes) { copy_all<Word4>(from, to, bytes); }
#if defined(__x86_64__)
__attribute__((target("avx2"))) float read256(const void* from, std::size_t bytes) {
  return read_all<Word8>(from, bytes);
}
__attribute__((target("avx2"))) void copy256(const void* from, void* to, std::size_t bytes) {
  copy_all<Word8>(from, to, bytes);
}
bool has_256() { return __builtin_cpu_supports("avx2") != 0; }
#else
bool has_256() { return false; }
const auto read256 = read128;
const auto copy256 = copy128;
#endif

}  // namespace

float read_pass(const void* from, std::size_t bytes) {
  return has_256() ? read256(from, bytes) : read128(from, bytes);
}

void copy_pass(const void* from, void* to, std::size_t bytes) {
  has_256() ? copy256(from, to, bytes) : copy128(from, to, bytes);
}

}  // namespace kinglet::tools
