#pragma once
// Dot<Isa>: the int8 step of a register tile, a handful of intrinsics an ISA. An accumulator sums,
// for `rows` rows of a and `lanes` columns of W, the products over `depth` groups of `group` = 4 k.
//
//   weights   the panel bytes of `lanes` columns, made ready once for all rows; plain_weights: as
//             they are
//   load      bytes of a row (or of two), a copy for every column
//   dot       acc + w·a, exact: no step saturates for w, q in [−127, 127] (or q in [−128, 127])
//   keep      makes the compiler hold the sums in a register here
//   row       the sums of one row, as lanes of s32
//
// maddubs multiplies u8 by s8 and adds pairs in s16. With m = w < 0 ? −1 : 0,
// Σ w·q = Σ |w|·(q xor m) + Σ_{w<0} |w|, no pair exceeds 2·127·128 < 2^15, and the last term is a
// constant of the column: `needs_negative_sums`. Exact, and cheaper than giving q the sign of w.
// vpdpbusd takes u8 as well: rows are stored with `offset` 128 added to q and to the zero point.

#include <cstddef>
#include <cstdint>
#include <kinglet/kernels/simd.hpp>

namespace kinglet::kernels {

/// One lane, no intrinsics.
template <class Isa>
struct Dot {
  static constexpr int lanes = 1, rows = 1, depth = 1, group = 4, accumulators = 16;
  static constexpr int offset = 0;
  static constexpr bool needs_negative_sums = false, plain_weights = false;

  using Element = std::int8_t;
  using Sums = std::int32_t;
  struct Weights {
    const std::int8_t* w;
  };
  using Row = Weights;

  static KINGLET_INLINE Sums zero() noexcept { return 0; }
  static KINGLET_INLINE Weights weights(const std::int8_t* panel) noexcept { return {panel}; }
  static KINGLET_INLINE Row load(const std::int8_t* a, std::ptrdiff_t) noexcept { return {a}; }
  static KINGLET_INLINE Sums dot(Sums sums, Weights w, Row a) noexcept {
    for (int i = 0; i < 4; ++i) sums += w.w[i] * a.w[i];
    return sums;
  }
  static KINGLET_INLINE void keep(Sums&) noexcept {}
  static KINGLET_INLINE std::uint32_t row(Sums sums, int) noexcept {
    return static_cast<std::uint32_t>(sums);
  }
};

#if defined(__x86_64__) || defined(__i386__)
namespace detail {

/// Four bytes of a row, whatever their alignment.
KINGLET_INLINE int four_bytes(const std::int8_t* a) noexcept {
  int bytes;
  __builtin_memcpy(&bytes, a, sizeof bytes);
  return bytes;
}

/// What SSE, AVX2 and AVX-512 without VNNI have in common. R holds the intrinsics.
template <class R>
struct Maddubs {
  using Register = typename R::Register;
  static constexpr int lanes = sizeof(Register) / 4, rows = 1, depth = 1, group = 4;
  static constexpr int offset = 0;
  static constexpr bool needs_negative_sums = true, plain_weights = false;

  using Element = std::int8_t;
  using Sums = Register;
  struct Weights {
    Register magnitude, negative;
  };
  using Row = Register;

  static KINGLET_INLINE Sums zero() noexcept { return R::dup(0); }
  static KINGLET_INLINE Weights weights(const std::int8_t* panel) noexcept {
    const Register w = R::load(panel);
    return {R::abs(w), R::negative(w)};
  }
  static KINGLET_INLINE Row load(const std::int8_t* a, std::ptrdiff_t) noexcept {
    return R::dup(four_bytes(a));
  }
  static KINGLET_INLINE Sums dot(Sums sums, Weights w, Row a) noexcept {
    return R::add_pairs(sums, w.magnitude, a ^ w.negative);
  }
  static KINGLET_INLINE void keep(Sums& sums) noexcept { asm("" : KINGLET_IN_REGISTER(sums)); }
  static KINGLET_INLINE typename Vectors<lanes>::Bits row(Sums sums, int) noexcept {
    return reinterpret_cast<typename Vectors<lanes>::Bits>(sums);
  }
};

}  // namespace detail
#endif

#if defined(__SSE4_2__)
namespace detail {
struct Maddubs128 {
  using Register = __m128i;
  static KINGLET_INLINE __m128i load(const std::int8_t* x) noexcept {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
  }
  static KINGLET_INLINE __m128i dup(int x) noexcept { return _mm_set1_epi32(x); }
  static KINGLET_INLINE __m128i abs(__m128i w) noexcept { return _mm_abs_epi8(w); }
  static KINGLET_INLINE __m128i negative(__m128i w) noexcept {
    return _mm_cmpgt_epi8(_mm_setzero_si128(), w);
  }
  static KINGLET_INLINE __m128i add_pairs(__m128i sums, __m128i w, __m128i a) noexcept {
    return _mm_add_epi32(sums, _mm_madd_epi16(_mm_maddubs_epi16(w, a), _mm_set1_epi16(1)));
  }
};
}  // namespace detail

template <>
struct Dot<isa::sse4_2> : detail::Maddubs<detail::Maddubs128> {
  static constexpr int accumulators = 8;
};
#endif

#if defined(__AVX2__) && defined(__FMA__)
namespace detail {
struct Maddubs256 {
  using Register = __m256i;
  static KINGLET_INLINE __m256i load(const std::int8_t* x) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
  }
  static KINGLET_INLINE __m256i dup(int x) noexcept { return _mm256_set1_epi32(x); }
  static KINGLET_INLINE __m256i abs(__m256i w) noexcept { return _mm256_abs_epi8(w); }
  static KINGLET_INLINE __m256i negative(__m256i w) noexcept {
    return _mm256_cmpgt_epi8(_mm256_setzero_si256(), w);
  }
  static KINGLET_INLINE __m256i add_pairs(__m256i sums, __m256i w, __m256i a) noexcept {
    return _mm256_add_epi32(sums,
                            _mm256_madd_epi16(_mm256_maddubs_epi16(w, a), _mm256_set1_epi16(1)));
  }
};
}  // namespace detail

template <>
struct Dot<isa::avx2> : detail::Maddubs<detail::Maddubs256> {
  static constexpr int accumulators = 8;
};
#endif

#if defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__FMA__)
namespace detail {
struct Maddubs512 {
  using Register = __m512i;
  static KINGLET_INLINE __m512i load(const std::int8_t* x) noexcept {
    return _mm512_loadu_si512(x);
  }
  static KINGLET_INLINE __m512i dup(int x) noexcept { return _mm512_set1_epi32(x); }
  static KINGLET_INLINE __m512i abs(__m512i w) noexcept { return _mm512_abs_epi8(w); }
  static KINGLET_INLINE __m512i negative(__m512i w) noexcept {
    return _mm512_movm_epi8(_mm512_movepi8_mask(w));
  }
  static KINGLET_INLINE __m512i add_pairs(__m512i sums, __m512i w, __m512i a) noexcept {
    return _mm512_add_epi32(sums,
                            _mm512_madd_epi16(_mm512_maddubs_epi16(w, a), _mm512_set1_epi16(1)));
  }
};
}  // namespace detail

template <>
struct Dot<isa::avx512> : detail::Maddubs<detail::Maddubs512> {
  static constexpr int accumulators = 20;
};

#if defined(__AVX512VNNI__)
template <>
struct Dot<isa::avx512_vnni> {
  static constexpr int lanes = 16, rows = 1, depth = 1, group = 4, accumulators = 24;
  static constexpr int offset = 128;
  static constexpr bool needs_negative_sums = false, plain_weights = true;

  using Element = std::int8_t;
  using Lanes = detail::Vectors<lanes>::Bits;
  using Sums = __m512i;
  using Weights = __m512i;
  using Row = __m512i;

  static KINGLET_INLINE Sums zero() noexcept { return _mm512_setzero_si512(); }
  static KINGLET_INLINE Weights weights(const std::int8_t* panel) noexcept {
    return _mm512_loadu_si512(panel);
  }
  static KINGLET_INLINE Row load(const std::int8_t* a, std::ptrdiff_t) noexcept {
    return _mm512_set1_epi32(detail::four_bytes(a));
  }
  static KINGLET_INLINE Sums dot(Sums sums, Weights w, Row a) noexcept {
    return _mm512_dpbusd_epi32(sums, a, w);
  }
  static KINGLET_INLINE void keep(Sums& sums) noexcept { asm("" : KINGLET_IN_REGISTER(sums)); }
  static KINGLET_INLINE Lanes row(Sums sums, int) noexcept { return reinterpret_cast<Lanes>(sums); }
};
#endif
#endif

#if defined(__aarch64__)
namespace detail {
/// Between the columns of a tile: compilers would make the weights of all of them ready first, and
/// then lack registers for the sums.
KINGLET_INLINE void one_column_at_a_time() noexcept { asm volatile(""); }
}  // namespace detail

/// smull and smlal add the products of two groups in s16, sadalp adds neighbours to s32: a column
/// has two partial sums.
template <>
struct Dot<isa::neon64> {
  static constexpr int lanes = 4, rows = 1, depth = 2, group = 4, accumulators = 8;
  static constexpr int offset = 0;
  static constexpr bool needs_negative_sums = false, plain_weights = false;

  using Element = std::int8_t;
  using Lanes = detail::Vectors<lanes>::Bits;
  struct Sums {
    int32x4_t low, high;
  };
  struct Weights {
    int8x16_t first, second;
  };
  using Row = Weights;

  static KINGLET_INLINE Sums zero() noexcept { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
  static KINGLET_INLINE Weights weights(const std::int8_t* panel) noexcept {
    const Weights w{vld1q_s8(panel), vld1q_s8(panel + 64)};
    detail::one_column_at_a_time();
    return w;
  }
  static KINGLET_INLINE Row load(const std::int8_t* a, std::ptrdiff_t) noexcept {
    const int32x2_t both = vreinterpret_s32_s8(vld1_s8(a));
    return {vreinterpretq_s8_s32(vdupq_lane_s32(both, 0)),
            vreinterpretq_s8_s32(vdupq_lane_s32(both, 1))};
  }
  static KINGLET_INLINE Sums dot(Sums sums, Weights w, Row a) noexcept {
    const int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(w.first), vget_low_s8(a.first)),
                                   vget_low_s8(w.second), vget_low_s8(a.second));
    const int16x8_t high = vmlal_high_s8(vmull_high_s8(w.first, a.first), w.second, a.second);
    return {vpadalq_s16(sums.low, low), vpadalq_s16(sums.high, high)};
  }
  static KINGLET_INLINE void keep(Sums& sums) noexcept {
    asm("" : KINGLET_IN_REGISTER(sums.low), KINGLET_IN_REGISTER(sums.high));
  }
  static KINGLET_INLINE Lanes row(Sums sums, int) noexcept {
    return reinterpret_cast<Lanes>(vpaddq_s32(sums.low, sums.high));
  }
};
#endif

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
template <>
struct Dot<isa::neon64_dot> {
  static constexpr int lanes = 4, rows = 1, depth = 2, group = 4, accumulators = 20;
  static constexpr int offset = 0;
  static constexpr bool needs_negative_sums = false, plain_weights = false;

  using Element = std::int8_t;
  using Lanes = detail::Vectors<lanes>::Bits;
  using Sums = int32x4_t;
  struct Weights {
    int8x16_t first, second;
  };
  using Row = int8x8_t;

  static KINGLET_INLINE Sums zero() noexcept { return vdupq_n_s32(0); }
  static KINGLET_INLINE Weights weights(const std::int8_t* panel) noexcept {
    return {vld1q_s8(panel), vld1q_s8(panel + 64)};
  }
  static KINGLET_INLINE Row load(const std::int8_t* a, std::ptrdiff_t) noexcept {
    return vld1_s8(a);
  }
  static KINGLET_INLINE Sums dot(Sums sums, Weights w, Row a) noexcept {
    return vdotq_lane_s32(vdotq_lane_s32(sums, w.first, a, 0), w.second, a, 1);
  }
  static KINGLET_INLINE void keep(Sums& sums) noexcept { asm("" : KINGLET_IN_REGISTER(sums)); }
  static KINGLET_INLINE Lanes row(Sums sums, int) noexcept { return reinterpret_cast<Lanes>(sums); }
};
#endif

#if defined(__aarch64__) && defined(__ARM_FEATURE_MATMUL_INT8)
/// An accumulator holds two rows: [row 0, row 1] × columns 0, 1 and × columns 2, 3.
template <>
struct Dot<isa::neon64_i8mm> {
  static constexpr int lanes = 4, rows = 2, depth = 2, group = 4, accumulators = 12;
  static constexpr int offset = 0;
  static constexpr bool needs_negative_sums = false, plain_weights = false;

  using Element = std::int8_t;
  using Lanes = detail::Vectors<lanes>::Bits;
  struct Sums {
    int32x4_t low, high;
  };
  struct Weights {
    int8x16_t low, high;
  };
  using Row = int8x16_t;

  static KINGLET_INLINE Sums zero() noexcept { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
  static KINGLET_INLINE Weights weights(const std::int8_t* panel) noexcept {
    const int32x4_t first = vreinterpretq_s32_s8(vld1q_s8(panel));
    const int32x4_t second = vreinterpretq_s32_s8(vld1q_s8(panel + 64));
    detail::one_column_at_a_time();
    return {vreinterpretq_s8_s32(vzip1q_s32(first, second)),
            vreinterpretq_s8_s32(vzip2q_s32(first, second))};
  }
  static KINGLET_INLINE Row load(const std::int8_t* a, std::ptrdiff_t next) noexcept {
    return vcombine_s8(vld1_s8(a), vld1_s8(a + next));
  }
  static KINGLET_INLINE Sums dot(Sums sums, Weights w, Row a) noexcept {
    return {vmmlaq_s32(sums.low, a, w.low), vmmlaq_s32(sums.high, a, w.high)};
  }
  static KINGLET_INLINE void keep(Sums& sums) noexcept {
    asm("" : KINGLET_IN_REGISTER(sums.low), KINGLET_IN_REGISTER(sums.high));
  }
  static KINGLET_INLINE Lanes row(Sums sums, int second) noexcept {
    const int64x2_t low = vreinterpretq_s64_s32(sums.low), high = vreinterpretq_s64_s32(sums.high);
    return reinterpret_cast<Lanes>(second ? vzip2q_s64(low, high) : vzip1q_s64(low, high));
  }
};
#endif

}  // namespace kinglet::kernels
