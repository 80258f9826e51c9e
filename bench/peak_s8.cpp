// The int8 peak: the instructions of an int8 GEMM's inner loop on operands that stay in registers.

#include "peak.hpp"

namespace kinglet::tools {
namespace {

typedef int Int4 __attribute__((vector_size(16)));
typedef int Int8 __attribute__((vector_size(32)));
typedef int Int16 __attribute__((vector_size(64)));

#if defined(__x86_64__)
#define KINGLET_REGISTER "x"
#else
#define KINGLET_REGISTER "w"
#endif

// kSteps times the instructions on each of kChains accumulators. They are given as text, since a
// compiler would see that the products are always the same and compute them once.
// %0 accumulator, %1 temporary, %2 and %3 operands, %4 ones
#define KINGLET_BURST(Vector, instructions)                                    \
  Vector a[kChains], t = {};                                                   \
  Vector x = t + 0x03030303, w = t + 0x02020202, ones = t + 0x00010001;        \
  _Pragma("GCC unroll 20") for (int i = 0; i < kChains; ++i) a[i] = t;         \
  for (int step = 0; step < kSteps; ++step) {                                  \
    _Pragma("GCC unroll 20") for (int i = 0; i < kChains; ++i) {               \
      asm(instructions                                                         \
          : "+" KINGLET_REGISTER(a[i]), "=&" KINGLET_REGISTER(t)               \
          : KINGLET_REGISTER(x), KINGLET_REGISTER(w), KINGLET_REGISTER(ones)); \
    }                                                                          \
  }                                                                            \
  int sum = t[0];                                                              \
  _Pragma("GCC unroll 20") for (int i = 0; i < kChains; ++i) sum += a[i][0];   \
  return static_cast<float>(sum)

#if defined(__x86_64__)
__attribute__((target("ssse3"))) float burst_sse() {
  KINGLET_BURST(Int4, "movdqa %2, %1; pmaddubsw %3, %1; pmaddwd %4, %1; paddd %1, %0");
}
__attribute__((target("avx2"))) float burst_avx2() {
  KINGLET_BURST(Int8, "vpmaddubsw %3, %2, %1; vpmaddwd %4, %1, %1; vpaddd %1, %0, %0");
}
__attribute__((target("avx512f,avx512bw"))) float burst_avx512() {
  KINGLET_BURST(Int16, "vpmaddubsw %3, %2, %1; vpmaddwd %4, %1, %1; vpaddd %1, %0, %0");
}
__attribute__((target("avx512f,avx512bw,avx512vnni"))) float burst_avx512_vnni() {
  KINGLET_BURST(Int16, "vpdpbusd %3, %2, %0");
}
#elif defined(__aarch64__)
float burst_neon() {
  KINGLET_BURST(Int4,
                "smull %1.8h, %2.8b, %3.8b\n smlal2 %1.8h, %2.16b, %3.16b\n sadalp %0.4s, %1.8h");
}
#if defined(__clang__)
#define KINGLET_WITH(extension) __attribute__((target(extension)))
#else
#define KINGLET_WITH(extension) __attribute__((target("arch=armv8.2-a+" extension)))
#endif
KINGLET_WITH("dotprod") float burst_dot() { KINGLET_BURST(Int4, "sdot %0.4s, %2.16b, %3.16b"); }
KINGLET_WITH("i8mm") float burst_i8mm() { KINGLET_BURST(Int4, "smmla %0.4s, %2.16b, %3.16b"); }
#endif

float burst_scalar() {
  unsigned a[kChains];
  for (unsigned i = 0; i < kChains; ++i) a[i] = i;
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 20
    for (int i = 0; i < kChains; ++i) {
      unsigned x = 3;
      asm volatile("" : "+r"(x));  // else the compiler multiplies once, and makes vectors of it
      a[i] += x * a[i];
    }
  }
  unsigned sum = 0;
  for (const unsigned x : a) sum += x;
  return static_cast<float>(sum);
}

}  // namespace

Burst s8_burst(const std::string& isa) {
  const auto with = [](float (*run)(), int products) {
    return Burst{run, 2.0 * kSteps * kChains * products};
  };
#if defined(__x86_64__)
  if (isa == "avx512_vnni") return with(burst_avx512_vnni, 64);
  if (isa == "avx512") return with(burst_avx512, 64);
  if (isa == "avx2") return with(burst_avx2, 32);
  if (isa == "sse4_2") return with(burst_sse, 16);
#elif defined(__aarch64__)
  if (isa == "neon64_i8mm") return with(burst_i8mm, 32);
  if (isa == "neon64_dot") return with(burst_dot, 16);
  if (isa == "neon64") return with(burst_neon, 16);
#endif
  return with(burst_scalar, 1);
}

}  // namespace kinglet::tools
