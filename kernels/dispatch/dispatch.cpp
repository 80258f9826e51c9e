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

struct Usable {
  const Kernels<isa::runtime>* tables[6];
  int count = 0;

  void add(const Kernels<isa::runtime>& t) noexcept { tables[count++] = &t; }
};

/// The compiler's CPU queries ask the operating system too: without its saving of the wide
/// registers (XGETBV) they answer no.
Usable detect() noexcept {
  Usable u;
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
#endif
#if defined(KINGLET_HAVE_AVX512) || defined(KINGLET_HAVE_AVX512_VNNI)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma")) {
#if defined(KINGLET_HAVE_AVX512_VNNI)
    if (__builtin_cpu_supports("avx512vnni")) u.add(table<isa::avx512_vnni>());
#endif
#if defined(KINGLET_HAVE_AVX512)
    u.add(table<isa::avx512>());
#endif
  }
#endif
#if defined(KINGLET_HAVE_AVX2)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) u.add(table<isa::avx2>());
#endif
#if defined(KINGLET_HAVE_SSE4_2)
  if (__builtin_cpu_supports("sse4.2")) u.add(table<isa::sse4_2>());
#endif
#if defined(__aarch64__) && defined(__linux__)
  constexpr unsigned long kDotProd = 1ul << 20;  // HWCAP_ASIMDDP
  constexpr unsigned long kI8mm = 1ul << 13;     // HWCAP2_I8MM
#if defined(KINGLET_HAVE_NEON64_I8MM)
  if (getauxval(AT_HWCAP2) & kI8mm) u.add(table<isa::neon64_i8mm>());
#endif
#if defined(KINGLET_HAVE_NEON64_DOT)
  if (getauxval(AT_HWCAP) & kDotProd) u.add(table<isa::neon64_dot>());
#endif
#endif
#if defined(KINGLET_HAVE_NEON64)
  u.add(table<isa::neon64>());  // part of every 64-bit Arm CPU
#endif
  u.add(table<isa::scalar>());
  return u;
}

const Usable& usable() noexcept {
  static const Usable u = detect();
  return u;
}

}  // namespace

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
