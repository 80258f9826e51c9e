#pragma once
// Inputs for workloads, their size, and a hash over what came out.

#include <cstdint>
#include <cstring>
#include <vector>

namespace kinglet::tools {

/// The same numbers on every machine.
class Random {
 public:
  std::int32_t below(int n) {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<std::int32_t>((state_ >> 8) % static_cast<std::uint32_t>(n));
  }
  std::vector<std::int32_t> ids(int rows, int each, int n) {
    std::vector<std::int32_t> out(static_cast<std::size_t>(rows) * static_cast<std::size_t>(each));
    for (auto& id : out) id = below(n);
    return out;
  }
  std::vector<float> numbers(int rows, int each) {
    std::vector<float> out(static_cast<std::size_t>(rows) * static_cast<std::size_t>(each));
    for (auto& x : out) x = static_cast<float>(below(256)) / 256.0f;
    return out;
  }

 private:
  std::uint32_t state_ = 1;
};

template <class... T>
std::size_t bytes_of(const std::vector<T>&... all) {
  return (... + (all.size() * sizeof(T)));
}

/// FNV-1a.
class Hash {
 public:
  void add(const std::vector<float>& x) {
    for (const float value : x) {
      std::uint32_t bits;
      std::memcpy(&bits, &value, sizeof bits);
      for (int i = 0; i < 4; ++i) state_ = (state_ ^ ((bits >> (8 * i)) & 0xff)) * 1099511628211u;
    }
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 14695981039346656037u;
};

}  // namespace kinglet::tools
