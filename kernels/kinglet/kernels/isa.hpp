#pragma once
// Instruction sets. A kernel is `template <class Isa>` and Isa is one of these tags; a tag is
// complete only where the compiler's flags allow its instructions. With simd.hpp the only file that
// knows xsimd.

#include <kinglet/kernels/macros.hpp>

#if defined(__SSE4_2__) || defined(__aarch64__)
#include <xsimd/xsimd.hpp>
#endif

namespace kinglet::isa {

// In each tag:
// `accumulators`: registers in which a GEMM tile sums; the others hold its operands, of which
// compilers load as many as they can early.
// `smaller`, `larger`: a < b ? a : b, b < a ? a : b; the second if either is not a number.
// `fma`: one rounding, whatever the xsimd version makes of its own (8.1 rounds twice on AVX-512).

/// Plain C++: one float at a time, fused multiply-add from the C library where the CPU has none.
struct scalar {
  static constexpr const char* name = "scalar";
  static constexpr int accumulators = 16;
};
struct sse4_2;
struct avx2;
struct avx512;
struct avx512_vnni;
struct neon64;
struct neon64_dot;
struct neon64_i8mm;
/// Not an instruction set: kernels chosen when the program starts (table.hpp).
struct runtime;

#if defined(__SSE4_2__)
/// Has no fused multiply-add: two roundings, so accuracy bounds hold but not the bits of the other
/// ISAs.
struct sse4_2 {
  static constexpr const char* name = "sse4_2";
  static constexpr int accumulators = 8;
  using simd = xsimd::sse4_2;
  static KINGLET_INLINE __m128 fma(__m128 a, __m128 b, __m128 c) noexcept {
    return _mm_add_ps(_mm_mul_ps(a, b), c);
  }
  static KINGLET_INLINE __m128 smaller(__m128 a, __m128 b) noexcept { return _mm_min_ps(a, b); }
  static KINGLET_INLINE __m128 larger(__m128 a, __m128 b) noexcept { return _mm_max_ps(a, b); }
};
#endif

#if defined(__AVX2__) && defined(__FMA__)
struct avx2 {
  static constexpr const char* name = "avx2";
  static constexpr int accumulators = 12;
  using simd = xsimd::fma3<xsimd::avx2>;
  static KINGLET_INLINE __m256 fma(__m256 a, __m256 b, __m256 c) noexcept {
    return _mm256_fmadd_ps(a, b, c);
  }
  static KINGLET_INLINE __m256 smaller(__m256 a, __m256 b) noexcept { return _mm256_min_ps(a, b); }
  static KINGLET_INLINE __m256 larger(__m256 a, __m256 b) noexcept { return _mm256_max_ps(a, b); }
};
#endif

#if defined(__AVX512F__) && defined(__AVX512CD__) && defined(__AVX512DQ__) && \
    defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__FMA__)
struct avx512 {
  static constexpr const char* name = "avx512";
  static constexpr int accumulators = 24;
  using simd = xsimd::avx512bw;
  static KINGLET_INLINE __m512 fma(__m512 a, __m512 b, __m512 c) noexcept {
    return _mm512_fmadd_ps(a, b, c);
  }
  // g++ 12 warns of the plain forms' undefined source.
  static KINGLET_INLINE __m512 smaller(__m512 a, __m512 b) noexcept {
    return _mm512_maskz_min_ps(0xffff, a, b);
  }
  static KINGLET_INLINE __m512 larger(__m512 a, __m512 b) noexcept {
    return _mm512_maskz_max_ps(0xffff, a, b);
  }
};
#define KINGLET_AVX512
#endif

#if defined(KINGLET_AVX512) && defined(__AVX512VNNI__)
/// vpdpbusd: four products of int8 a lane.
struct avx512_vnni : avx512 {
  static constexpr const char* name = "avx512_vnni";
};
#endif

#if defined(__aarch64__)
struct neon64 {
  static constexpr const char* name = "neon64";
  static constexpr int accumulators = 20;
  using simd = xsimd::neon64;
  static KINGLET_INLINE float32x4_t fma(float32x4_t a, float32x4_t b, float32x4_t c) noexcept {
    return vfmaq_f32(c, a, b);
  }
  static KINGLET_INLINE float32x4_t smaller(float32x4_t a, float32x4_t b) noexcept {
    return vbslq_f32(vcltq_f32(a, b), a, b);
  }
  static KINGLET_INLINE float32x4_t larger(float32x4_t a, float32x4_t b) noexcept {
    return vbslq_f32(vcltq_f32(b, a), a, b);
  }
};
#endif

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
/// sdot: four products of int8 a lane (Armv8.2, Cortex-A55, A76 and later).
struct neon64_dot : neon64 {
  static constexpr const char* name = "neon64_dot";
};
#endif

#if defined(__aarch64__) && defined(__ARM_FEATURE_MATMUL_INT8)
/// smmla: 2 × 8 times 8 × 2 int8 (Armv8.6, Cortex-A510, A710, X2, Neoverse V1 and later).
struct neon64_i8mm : neon64 {
  static constexpr const char* name = "neon64_i8mm";
};
#endif

/// `best` is what the compiler's flags (-march=…) allow.
#if defined(KINGLET_AVX512) && defined(__AVX512VNNI__)
using best = avx512_vnni;
#elif defined(KINGLET_AVX512)
using best = avx512;
#elif defined(__AVX2__) && defined(__FMA__)
using best = avx2;
#elif defined(__SSE4_2__)
using best = sse4_2;
#elif defined(__aarch64__) && defined(__ARM_FEATURE_MATMUL_INT8)
using best = neon64_i8mm;
#elif defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
using best = neon64_dot;
#elif defined(__aarch64__)
using best = neon64;
#else
using best = scalar;
#endif
#undef KINGLET_AVX512

}  // namespace kinglet::isa
