#include "limits.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "machine.hpp"
#include "peak.hpp"
#include "statistics.hpp"

namespace kinglet::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kMilliseconds = 2;

std::size_t far_bytes(const std::string& root) {
  constexpr std::size_t kLeast = std::size_t{64} << 20;
  const auto memory = static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) *
                      static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return std::min(std::max(kLeast, 4 * largest_cache(root)), memory / 8);
}

/// Operations a second of all threads at once.
double rate(const Burst& burst, const Parallel& parallel) {
  std::vector<double> rates(static_cast<std::size_t>(parallel.threads));
  parallel.for_each(parallel.threads, [&](int task, int) {
    rates[static_cast<std::size_t>(task)] = measure_rate(burst, kMilliseconds);
  });
  double sum = 0;
  for (const double r : rates) sum += r * 1e9;
  return sum;
}

}  // namespace

// Written, since pages that nobody wrote are all the same zeros.
FarMemory::FarMemory(const std::string& root)
    : bytes_(std::max(far_bytes(root) / kPiece, std::size_t{1}) * kPiece, 1) {}

double FarMemory::read(const Parallel& parallel) {
  const std::size_t pieces = bytes_.size() / kPiece;
  const auto begin = Clock::now();
  parallel.for_each(parallel.threads, [&](int task, int) {
    const std::size_t piece = (next_ + static_cast<std::size_t>(task)) % pieces;
    volatile float sink = read_pass(bytes_.data() + piece * kPiece, kPiece);
    static_cast<void>(sink);
  });
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  next_ = (next_ + static_cast<std::size_t>(parallel.threads)) % pieces;
  return static_cast<double>(parallel.threads) * static_cast<double>(kPiece) / seconds;
}

LimitsProbe::LimitsProbe(const std::string& isa, int threads, FarMemory& memory)
    : isa_(isa), threads_(threads), memory_(memory), pool_(threads) {}

void LimitsProbe::slice() {
  const Parallel parallel = pool_.parallel();
  f32_.push_back(rate(f32_burst(isa_), parallel));
  s8_.push_back(rate(s8_burst(isa_), parallel));
  bandwidth_.push_back(memory_.read(parallel));
}

Limits LimitsProbe::limits() const {
  return {isa_, threads_, median(f32_), median(s8_), median(bandwidth_)};
}

}  // namespace kinglet::tools
