#include "peak.hpp"

#include <chrono>
#include <kinglet/kernels/macros.hpp>

#if defined(__x86_64__)
#define KINGLET_IN_REGISTER(x) "+x"(x)
#else
#define KINGLET_IN_REGISTER(x) "+w"(x)
#endif

namespace kinglet::tools {
namespace {

constexpr int kChains =
    12;  // latency 4–5 × 2 units, with some to spare; 12 + 2 registers fit everywhere
constexpr int kSteps = 4096;

typedef float Float4 __attribute__((vector_size(16)));
typedef float Float8 __attribute__((vector_size(32)));
typedef float Float16 __attribute__((vector_size(64)));

/// kSteps multiply-adds in each of kChains independent accumulators.
template <class Vector>
KINGLET_INLINE float chains() noexcept {
  constexpr int kLanes = sizeof(Vector) / sizeof(float);
  Vector a[kChains];
  Vector b, c;
  for (int l = 0; l < kLanes; ++l) {
    b[l] = 0.999f;
    c[l] = 0.001f;
    for (int i = 0; i < kChains; ++i) a[i][l] = static_cast<float>(i + l);
  }
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) a[i] = a[i] * b + c;
  }
  float sum = 0;
  for (int i = 0; i < kChains; ++i) {
    for (int l = 0; l < kLanes; ++l) sum += a[i][l];
  }
  return sum;
}

struct Burst {
  float (*run)();
  int lanes;
};

float burst128() { return chains<Float4>(); }
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) float burst256() { return chains<Float8>(); }
__attribute__((target("avx512f,fma"))) float burst512() { return chains<Float16>(); }
#endif
float burst_scalar() {
  float a[kChains];
  for (int i = 0; i < kChains; ++i) a[i] = static_cast<float>(i);
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      a[i] = a[i] * 0.999f + 0.001f;
      asm volatile("" : KINGLET_IN_REGISTER(a[i]));  // else the compiler makes vectors of it
    }
  }
  float sum = 0;
  for (const float x : a) sum += x;
  return sum;
}

Burst burst_for(const std::string& isa) {
  if (isa == "scalar") return {burst_scalar, 1};
#if defined(__x86_64__)
  if (isa.compare(0, 6, "avx512") == 0) return {burst512, 16};
  if (isa.compare(0, 3, "avx") == 0) return {burst256, 8};
#endif
  return {burst128, 4};
}

}  // namespace

double measure_peak_gflops(const std::string& isa, double milliseconds) {
  using Clock = std::chrono::steady_clock;
  const Burst burst = burst_for(isa);
  const double flops = 2.0 * kSteps * kChains * burst.lanes;
  volatile float sink = burst.run();
  const auto begin = Clock::now();
  double best = 0;
  do {
    const auto start = Clock::now();
    for (int i = 0; i < 8; ++i) sink = sink + burst.run();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const double rate = 8 * flops / seconds * 1e-9;
    if (rate > best) best = rate;
  } while (std::chrono::duration<double>(Clock::now() - begin).count() * 1e3 < milliseconds);
  return best;
}

}  // namespace kinglet::tools
