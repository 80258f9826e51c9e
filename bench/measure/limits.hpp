#pragma once
// What the machine can do at most, measured in slices between the runs: both then see the same clock
// and the same neighbours.

#include <cstddef>
#include <string>
#include <vector>

#include "results/results.hpp"
#include "thread_pool.hpp"

namespace kinglet::tools {

/// Memory beyond all caches, to be read.
class FarMemory {
 public:
  /// root: where sys/ is.
  explicit FarMemory(const std::string& root);

  /// Reads a piece by these threads, another one than the last times; gives bytes a second.
  double read(const Parallel& parallel);

 private:
  static constexpr std::size_t kPiece = std::size_t{4} << 20;  // of each thread

  std::vector<unsigned char> bytes_;
  std::size_t next_ = 0;
};

/// Of an instruction set and a number of threads.
class LimitsProbe {
 public:
  LimitsProbe(const std::string& isa, int threads, FarMemory& memory);

  /// Some milliseconds of each limit.
  void slice();
  bool has_limits() const noexcept { return !f32_.empty(); }
  const std::string& isa() const noexcept { return isa_; }
  int threads() const noexcept { return threads_; }
  /// Medians of the slices, of which there was at least one.
  Limits limits() const;

 private:
  std::string isa_;
  int threads_;
  FarMemory& memory_;
  ThreadPool pool_;
  std::vector<double> f32_, s8_, bandwidth_;
};

}  // namespace kinglet::tools
