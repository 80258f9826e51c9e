#pragma once
// Memory for the cases.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace kinglet::tools {

inline std::size_t area(int a, int b, int c = 1) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * static_cast<std::size_t>(c);
}

struct FreeMemory {
  void operator()(void* p) const noexcept { std::free(p); }
};

template <class T>
using Buffer = std::unique_ptr<T[], FreeMemory>;

/// n zeros from the beginning of a cache line on.
template <class T>
Buffer<T> make_buffer(std::size_t n) {
  const std::size_t bytes = (n * sizeof(T) + 63) / 64 * 64 + 64;
  Buffer<T> buffer(static_cast<T*>(std::aligned_alloc(64, bytes)));
  if (!buffer) throw std::bad_alloc();
  for (std::size_t i = 0; i < n; ++i) buffer[i] = T();
  return buffer;
}

/// Numbers in [−1, 1), always the same.
inline Buffer<float> numbers(std::size_t n) {
  Buffer<float> x = make_buffer<float>(n);
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < n; ++i) {
    state = state * 1664525u + 1013904223u;
    x[i] = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  }
  return x;
}

}  // namespace kinglet::tools
