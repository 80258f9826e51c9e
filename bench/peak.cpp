#include "peak.hpp"

#include <chrono>
#include <kinglet/kernels/macros.hpp>

namespace kinglet::tools {
namespace {

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
#pragma GCC unroll 20
    for (int i = 0; i < kChains; ++i) a[i] = a[i] * b + c;
  }
  float sum = 0;
  for (int i = 0; i < kChains; ++i) {
    for (int l = 0; l < kLanes; ++l) sum += a[i][l];
  }
  return sum;
}

float burst128() { return chains<Float4>(); }
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) float burst256() { return chains<Float8>(); }
__attribute__((target("avx512f,fma"))) float burst512() { return chains<Float16>(); }
#endif
float burst_scalar() {
  float a[kChains];
  for (int i = 0; i < kChains; ++i) a[i] = static_cast<float>(i);
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 20
    for (int i = 0; i < kChains; ++i) {
      a[i] = a[i] * 0.999f + 0.001f;
      asm volatile("" : KINGLET_IN_REGISTER(a[i]));  // else the compiler makes vectors of it
    }
  }
  float sum = 0;
  for (const float x : a) sum += x;
  return sum;
}

}  // namespace

Burst f32_burst(const std::string& isa) {
  const auto with = [](float (*run)(), int lanes) {
    return Burst{run, 2.0 * kSteps * kChains * lanes};
  };
  if (isa == "scalar") return with(burst_scalar, 1);
#if defined(__x86_64__)
  if (isa.compare(0, 6, "avx512") == 0) return with(burst512, 16);
  if (isa.compare(0, 3, "avx") == 0) return with(burst256, 8);
#endif
  return with(burst128, 4);
}

double measure_rate(const Burst& burst, double milliseconds) {
  using Clock = std::chrono::steady_clock;
  volatile float sink = burst.run();
  const auto begin = Clock::now();
  double best = 0;
  do {
    const auto start = Clock::now();
    for (int i = 0; i < 8; ++i) sink = sink + burst.run();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const double rate = 8 * burst.operations / seconds * 1e-9;
    if (rate > best) best = rate;
  } while (std::chrono::duration<double>(Clock::now() - begin).count() * 1e3 < milliseconds);
  return best;
}

}  // namespace kinglet::tools
