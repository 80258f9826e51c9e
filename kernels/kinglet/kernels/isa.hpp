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
// `store_bytes`: the lanes of four registers of s32 as bytes, saturated.
// `load_bytes`: so many bytes as s8, as floats.
// `fma`: one rounding, whatever the xsimd version makes of its own (8.1 rounds twice on AVX-512).

/// Plain C++: one float at a time, fused multiply-add from the C library where the CPU has none.
struct scalar {
  static constexpr const char* name = "scalar";
  static constexpr int accumulators = 16;
  static KINGLET_INLINE void store_bytes(signed char* y, unsigned a, unsigned b, unsigned c,
                                         unsigned d) noexcept {
    y[0] = saturated(static_cast<int>(a));
    y[1] = saturated(static_cast<int>(b));
    y[2] = saturated(static_cast<int>(c));
    y[3] = saturated(static_cast<int>(d));
  }
  static KINGLET_INLINE signed char saturated(int x) noexcept {
    return static_cast<signed char>(x < -128 ? -128 : x > 127 ? 127 : x);
  }
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
  using Register = __m128i;
  using simd = xsimd::sse4_2;
  static KINGLET_INLINE __m128 fma(__m128 a, __m128 b, __m128 c) noexcept {
    return _mm_add_ps(_mm_mul_ps(a, b), c);
  }
  static KINGLET_INLINE __m128 smaller(__m128 a, __m128 b) noexcept { return _mm_min_ps(a, b); }
  static KINGLET_INLINE __m128 larger(__m128 a, __m128 b) noexcept { return _mm_max_ps(a, b); }
  static KINGLET_INLINE void store_bytes(signed char* y, __m128i a, __m128i b, __m128i c,
                                         __m128i d) noexcept {
    const __m128i bytes = _mm_packs_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y), bytes);
  }
  static KINGLET_INLINE __m128 load_bytes(const signed char* x) noexcept {
    int bytes;
    __builtin_memcpy(&bytes, x, sizeof bytes);
    return _mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_cvtsi32_si128(bytes)));
  }
};
#endif

#if defined(__AVX2__) && defined(__FMA__)
struct avx2 {
  static constexpr const char* name = "avx2";
  static constexpr int accumulators = 12;
  using Register = __m256i;
  using simd = xsimd::fma3<xsimd::avx2>;
  static KINGLET_INLINE __m256 fma(__m256 a, __m256 b, __m256 c) noexcept {
    return _mm256_fmadd_ps(a, b, c);
  }
  static KINGLET_INLINE __m256 smaller(__m256 a, __m256 b) noexcept { return _mm256_min_ps(a, b); }
  static KINGLET_INLINE __m256 larger(__m256 a, __m256 b) noexcept { return _mm256_max_ps(a, b); }
  static KINGLET_INLINE void store_bytes(signed char* y, __m256i a, __m256i b, __m256i c,
                                         __m256i d) noexcept {
    // The packs work within halves: what leaves them is a0 b0 c0 d0 a1 b1 c1 d1.
    const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), _mm256_permutevar8x32_epi32(bytes, order));
  }
  static KINGLET_INLINE __m256 load_bytes(const signed char* x) noexcept {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(x));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
  }
};
#endif

#if defined(__AVX512F__) && defined(__AVX512CD__) && defined(__AVX512DQ__) && \
    defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__FMA__)
struct avx512 {
  static constexpr const char* name = "avx512";
  static constexpr int accumulators = 24;
  using Register = __m512i;
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
  static KINGLET_INLINE void store_bytes(signed char* y, __m512i a, __m512i b, __m512i c,
                                         __m512i d) noexcept {
    // The packs work within quarters: what leaves them is a0 b0 c0 d0 a1 … d3.
    const __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_storeu_si512(y, _mm512_maskz_permutexvar_epi32(0xffff, order, bytes));
  }
  static KINGLET_INLINE __m512 load_bytes(const signed char* x) noexcept {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
    return _mm512_maskz_cvtepi32_ps(0xffff, _mm512_maskz_cvtepi8_epi32(0xffff, bytes));
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
  using Register = int32x4_t;
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
  static KINGLET_INLINE void store_bytes(signed char* y, int32x4_t a, int32x4_t b, int32x4_t c,
                                         int32x4_t d) noexcept {
    const int16x8_t low = vcombine_s16(vqmovn_s32(a), vqmovn_s32(b));
    const int16x8_t high = vcombine_s16(vqmovn_s32(c), vqmovn_s32(d));
    vst1q_s8(y, vcombine_s8(vqmovn_s16(low), vqmovn_s16(high)));
  }
  static KINGLET_INLINE float32x4_t load_bytes(const signed char* x) noexcept {
    std::int32_t bytes;
    __builtin_memcpy(&bytes, x, sizeof bytes);
    const int16x8_t pairs = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(bytes)));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(pairs)));
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
