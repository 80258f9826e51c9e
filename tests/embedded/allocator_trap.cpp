// Memory comes from one static block and is never given back: enough for a test, and it works the
// same in static and dynamic programs, where the C library's own allocator could not be called.
#include "allocator_trap.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

namespace {

constexpr std::size_t kHeapSize = std::size_t{64} << 20;
alignas(64) unsigned char heap[kHeapSize];
std::size_t heap_used = 0;
long calls = 0;

struct Header {
  std::size_t size;
};

void* take(std::size_t alignment, std::size_t size) {
  ++calls;
  if (alignment < alignof(std::max_align_t)) alignment = alignof(std::max_align_t);
  const std::size_t at = (heap_used + sizeof(Header) + alignment - 1) / alignment * alignment;
  if (alignment > 64 || at > kHeapSize || size > kHeapSize - at) return nullptr;
  heap_used = at + size;
  const Header header{size};
  std::memcpy(heap + at - sizeof header, &header, sizeof header);
  return heap + at;
}

}  // namespace

long trap::allocations() { return calls; }

extern "C" {
void* malloc(std::size_t size) noexcept { return take(0, size); }
void free(void*) noexcept {}
void* calloc(std::size_t count, std::size_t size) noexcept {
  if (size != 0 && count > kHeapSize / size) return nullptr;
  return take(0, count * size);  // static memory that is used once: zero already
}
void* realloc(void* old, std::size_t size) noexcept {
  void* fresh = take(0, size);
  if (old == nullptr || fresh == nullptr) return fresh;
  Header header;
  std::memcpy(&header, static_cast<unsigned char*>(old) - sizeof header, sizeof header);
  std::memcpy(fresh, old, header.size < size ? header.size : size);
  return fresh;
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return take(alignment, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept { return take(alignment, size); }
int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  *out = take(alignment, size);
  return *out ? 0 : ENOMEM;
}
}

void* operator new(std::size_t size) { return take(0, size); }
void* operator new[](std::size_t size) { return take(0, size); }
void operator delete(void*) noexcept {}
void operator delete[](void*) noexcept {}
void operator delete(void*, std::size_t) noexcept {}
void operator delete[](void*, std::size_t) noexcept {}
