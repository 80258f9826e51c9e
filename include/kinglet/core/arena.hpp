#pragma once
// Arena: hands out scratch memory by moving a pointer. The memory is the caller's.
//
//   [ matrix | matrix | … | free …                    ]
//   base                  used                      size
//
// Without memory behind it, it only counts: take() gives null, peak() what would have been needed.
// That is how scratch is planned: the same code runs once with such an arena.

#include <cstddef>
#include <cstdint>
#include <kinglet/core/matrix.hpp>

namespace kinglet {

class Arena {
 public:
  static constexpr std::size_t kAlignment = 64;  ///< one cache line, one zmm register

  Arena() noexcept = default;

  /// memory: aligned to kAlignment, or null to count only.
  Arena(void* memory, std::size_t size) noexcept
      : base_(static_cast<unsigned char*>(memory)), size_(size) {}

  /// n elements aligned to kAlignment; null when there is no memory, or not enough (then overflowed() is true).
  template <class T>
  T* take(std::size_t n) noexcept {
    const std::size_t at = used_;
    const std::size_t size =
        n < kMost / sizeof(T) ? (n * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment : kMost;
    used_ = (used_ < kMost ? used_ : kMost) + size;  // too much stays too much
    if (used_ > peak_) peak_ = used_;
    if (base_ == nullptr || used_ > size_) return nullptr;
    return reinterpret_cast<T*>(base_ + at);
  }

  Matrix matrix(int rows, int cols) noexcept {
    return {take<float>(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols)), rows,
            cols};
  }

  std::size_t used() const noexcept { return used_; }
  std::size_t peak() const noexcept { return peak_; }
  std::size_t size() const noexcept { return size_; }
  bool overflowed() const noexcept { return base_ != nullptr && peak_ > size_; }
  void release(std::size_t mark) noexcept { used_ = mark; }

 private:
  static constexpr std::size_t kMost = SIZE_MAX / 4;

  unsigned char* base_ = nullptr;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

/// Gives back at the end of a block what was taken inside it.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) noexcept : arena_(arena), mark_(arena.used()) {}
  ~ArenaScope() { arena_.release(mark_); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
  std::size_t mark_;
};

}  // namespace kinglet
