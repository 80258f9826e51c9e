#include "dispatch.hpp"

#include <cstring>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace kinglet::kernels {

template <>
const Kernels<isa::runtime>& table<isa::scalar>() noexcept;
template <>
const Kernels<isa::runtime>& table<isa::sse4_2>() noexcept;
template <>
const Kernels<isa::runtime>& table<isa::avx2>() noexcept;
template <>
const Kernels<isa::runtime>& table<isa::avx512>() noexcept;
template <>
const Kernels<isa::runtime>& table<isa::avx512_vnni>() noexcept;
template <>
const Kernels<isa::runtime>& table<isa::neon64>() noexcept;
template <>
const Kernels<isa::runtime>& table<isa::neon64_dot>() noexcept;
template <>
const Kernels<isa::runtime>& table<isa::neon64_i8mm>() noexcept;

namespace {

// The compiler's CPU queries ask the operating system too: without its saving of the wide registers
// (XGETBV) they answer no.
#if defined(KINGLET_HAVE_AVX512) || defined(KINGLET_HAVE_AVX512_VNNI)
bool has_avx512() noexcept {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
}
#endif
#if defined(KINGLET_HAVE_AVX512_VNNI)
bool has_avx512_vnni() noexcept { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
#endif
#if defined(KINGLET_HAVE_AVX2)
bool has_avx2() noexcept { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#endif
#if defined(KINGLET_HAVE_SSE4_2)
bool has_sse4_2() noexcept { return __builtin_cpu_supports("sse4.2"); }
#endif
#if defined(KINGLET_HAVE_NEON64_I8MM) && defined(__linux__)
bool has_neon64_i8mm() noexcept {
  constexpr unsigned long kI8mm = 1ul << 13;  // HWCAP2_I8MM
  return (getauxval(AT_HWCAP2) & kI8mm) != 0;
}
#endif
#if defined(KINGLET_HAVE_NEON64_DOT) && defined(__linux__)
bool has_neon64_dot() noexcept {
  constexpr unsigned long kDotProd = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & kDotProd) != 0;
}
#endif
bool always() noexcept { return true; }

struct Compiled {
  const char* name;
  bool (*usable)() noexcept;
  const Kernels<isa::runtime>& (*table)() noexcept;
};

/// Best first.
constexpr Compiled kCompiled[] = {
#if defined(KINGLET_HAVE_AVX512_VNNI)
    {"avx512_vnni", has_avx512_vnni, table<isa::avx512_vnni>},
#endif
#if defined(KINGLET_HAVE_AVX512)
    {"avx512", has_avx512, table<isa::avx512>},
#endif
#if defined(KINGLET_HAVE_AVX2)
    {"avx2", has_avx2, table<isa::avx2>},
#endif
#if defined(KINGLET_HAVE_SSE4_2)
    {"sse4_2", has_sse4_2, table<isa::sse4_2>},
#endif
#if defined(KINGLET_HAVE_NEON64_I8MM) && defined(__linux__)
    {"neon64_i8mm", has_neon64_i8mm, table<isa::neon64_i8mm>},
#endif
#if defined(KINGLET_HAVE_NEON64_DOT) && defined(__linux__)
    {"neon64_dot", has_neon64_dot, table<isa::neon64_dot>},
#endif
#if defined(KINGLET_HAVE_NEON64)
    {"neon64", always, table<isa::neon64>},  // part of every 64-bit Arm CPU
#endif
    {"scalar", always, table<isa::scalar>},
};
constexpr int kCompiledCount = sizeof kCompiled / sizeof kCompiled[0];

struct Usable {
  const Kernels<isa::runtime>* tables[kCompiledCount];
  int count = 0;
};

Usable detect() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
#endif
  Usable u;
  for (const Compiled& isa : kCompiled) {
    if (isa.usable()) u.tables[u.count++] = &isa.table();
  }
  return u;
}

const Usable& usable() noexcept {
  static const Usable u = detect();
  return u;
}

}  // namespace

const char* compiled(int i) noexcept {
  KINGLET_ASSERT(i >= 0 && i <= kCompiledCount);
  return i < kCompiledCount ? kCompiled[i].name : nullptr;
}

int count() noexcept { return usable().count; }

const Kernels<isa::runtime>& at(int i) noexcept {
  KINGLET_ASSERT(i >= 0 && i < count());
  return *usable().tables[i];
}

const Kernels<isa::runtime>& best() noexcept { return at(0); }

const Kernels<isa::runtime>* find(const char* name) noexcept {
  for (int i = 0; i < count(); ++i) {
    if (std::strcmp(at(i).isa, name) == 0) return &at(i);
  }
  return nullptr;
}

}  // namespace kinglet::kernels
