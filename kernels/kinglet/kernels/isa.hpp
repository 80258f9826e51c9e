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
// `fma`: one rounding, whatever the xsimd version makes of its own (8.1 rounds twice on AVX-512).

/// Plain C++: one float at a time, fused multiply-add from the C library where the CPU has none.
struct scalar {
  static constexpr const char* name = "scalar";
  static constexpr int accumulators = 16;
};
struct sse4_2;
struct avx2;
struct avx512;
struct neon64;
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
};
#endif

/// `best` is what the compiler's flags (-march=…) allow.
#if defined(__AVX512F__) && defined(__AVX512CD__) && defined(__AVX512DQ__) && \
    defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__FMA__)
struct avx512 {
  static constexpr const char* name = "avx512";
  static constexpr int accumulators = 24;
  using simd = xsimd::avx512bw;
  static KINGLET_INLINE __m512 fma(__m512 a, __m512 b, __m512 c) noexcept {
    return _mm512_fmadd_ps(a, b, c);
  }
};
using best = avx512;
#elif defined(__AVX2__) && defined(__FMA__)
using best = avx2;
#elif defined(__SSE4_2__)
using best = sse4_2;
#elif defined(__aarch64__)
using best = neon64;
#else
using best = scalar;
#endif

}  // namespace kinglet::isa
