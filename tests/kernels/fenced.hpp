#pragma once
// Memory that ends where a page begins that must not be touched, or begins where one ends: a
// trespasser is stopped by the operating system.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <list>

#include "kernels/check.hpp"

namespace kinglet::test {

class Fenced {
 public:
  Fenced(std::size_t bytes, bool fence_after) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inside = (bytes + page - 1) / page * page;
    size_ = inside + 2 * page;
    void* all = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(all != MAP_FAILED);
    all_ = static_cast<unsigned char*>(all);
    unsigned char* first = all_ + page;
    // Of nothing, which an emulator refuses to unlock, there is no byte that may be touched.
    if (inside > 0) REQUIRE(mprotect(first, inside, PROT_READ | PROT_WRITE) == 0);
    data_ = fence_after ? first + inside - bytes : first;
  }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  ~Fenced() { munmap(all_, size_); }
  void* data() const { return data_; }

 private:
  unsigned char* all_;
  std::size_t size_;
  void* data_;
};

/// Hands out fenced memory; all of it goes at the end.
class Fences {
 public:
  explicit Fences(bool after) : after_(after) {}

  /// n numbers: −1 … 1, integers −127 … 127.
  template <class T>
  T* of(std::size_t n) {
    T* const data = take<T>(n);
    Random random(1);
    for (std::size_t i = 0; i < n; ++i) {
      data[i] = static_cast<T>(std::is_integral<T>::value ? 127.0f * random.next() : random.next());
    }
    return data;
  }
  float* operator()(std::size_t n) { return of<float>(n); }

  template <class T>
  T* copy(const std::vector<T>& from) {
    T* const data = take<T>(from.size());
    std::copy(from.begin(), from.end(), data);
    return data;
  }

 private:
  template <class T>
  T* take(std::size_t n) {
    return static_cast<T*>(all_.emplace_back(n * sizeof(T), after_).data());
  }

  bool after_;
  std::list<Fenced> all_;
};

template <class F>
void for_each_isa_and_fence(F f) {
  for (int i = 0; i < kernels::count(); ++i) {
    const std::string isa = kernels::at(i).isa;
    CAPTURE(isa);
    for (bool after : {true, false}) {
      Fences fenced(after);
      f(kernels::at(i), fenced);
    }
  }
}

inline std::size_t size(int rows, int cols) { return static_cast<std::size_t>(rows * cols); }

/// An image of numbers without gaps.
template <class T>
kernels::ImageView<T> fenced_image(Fences& fenced, int height, int width, int channels) {
  return {fenced.of<T>(size(height * width, channels)),
          height,
          width,
          channels,
          width * channels,
          channels};
}

}  // namespace kinglet::test
