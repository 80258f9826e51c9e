#pragma once
// Loops, loads, tails and lanes: what every kernel is written with. A kernel is then a formula over
// `Floats<Isa>`.
//
// The same bits on every ISA with fused multiply-add, compiler and thread count:
// - multiply-adds are explicit: fma(a, b, c). A product that must stay rounded never feeds + or −,
//   because compilers contract a·b + c, even of intrinsics;
// - sums and maxima over a row run in kLanes virtual lanes and one fixed tree (fold);
// - only correctly rounded operations: + − · / sqrt fma. No estimates.

#include <cstdint>
#include <cstring>
#include <kinglet/kernels/isa.hpp>
#include <type_traits>
#include <utility>

namespace kinglet::kernels {

/// Virtual lanes of every reduction: 2 zmm, 4 ymm, 8 NEON registers or 32 floats.
inline constexpr int kLanes = 32;

/// A vector register of floats.
template <class Isa>
struct Floats;

#if defined(XSIMD_VERSION_MAJOR)
template <class Isa>
struct Floats {
  using Batch = xsimd::batch<float, typename Isa::simd>;
  using Register = typename Batch::register_type;
  using Mask = typename Batch::batch_bool_type;
  using Bits __attribute__((vector_size(sizeof(Batch)))) = std::uint32_t;
  static constexpr int size = static_cast<int>(Batch::size);

  Batch v;

  Floats() = default;
  KINGLET_INLINE Floats(Batch b) noexcept : v(b) {}
  KINGLET_INLINE Floats(float s) noexcept : v(s) {}

  static KINGLET_INLINE Floats load(const float* x) noexcept { return Batch::load_unaligned(x); }
  KINGLET_INLINE void store(float* y) const noexcept { v.store_unaligned(y); }

  /// So many bytes.
  static KINGLET_INLINE Floats load_bytes(const std::int8_t* x) noexcept {
    return Batch(Isa::load_bytes(x));
  }

  /// Makes the compiler hold it in a register here.
  KINGLET_INLINE void keep() noexcept {
    Register r = v;
    asm("" : KINGLET_IN_REGISTER(r));
    v = Batch(r);
  }

  /// The first `count` elements, zeros after them; nothing else is read.
  static KINGLET_INLINE Floats load(const float* x, int count) noexcept {
    float t[size] = {};
    for (int i = 0; i < count; ++i) t[i] = x[i];
    return load(t);
  }
  /// The first `count` elements; nothing else is written.
  KINGLET_INLINE void store(float* y, int count) const noexcept {
    float t[size];
    store(t);
    for (int i = 0; i < count; ++i) y[i] = t[i];
  }

  friend KINGLET_INLINE Floats operator+(Floats a, Floats b) noexcept { return a.v + b.v; }
  friend KINGLET_INLINE Floats operator-(Floats a, Floats b) noexcept { return a.v - b.v; }
  friend KINGLET_INLINE Floats operator*(Floats a, Floats b) noexcept { return a.v * b.v; }
  /// The compiler's, correctly rounded: xsimd's is an estimate on NEON.
  friend KINGLET_INLINE Floats operator/(Floats a, Floats b) noexcept {
    return Batch(Register(a.v) / Register(b.v));
  }
  friend KINGLET_INLINE Mask operator<(Floats a, Floats b) noexcept { return a.v < b.v; }
  friend KINGLET_INLINE Floats fma(Floats a, Floats b, Floats c) noexcept {
    return Batch(Isa::fma(a.v, b.v, c.v));
  }
  friend KINGLET_INLINE Floats select(Mask m, Floats yes, Floats no) noexcept {
    return xsimd::select(m, yes.v, no.v);
  }
  /// The smaller and the larger one; b if either is not a number.
  friend KINGLET_INLINE Floats smaller(Floats a, Floats b) noexcept {
    return Batch(Isa::smaller(a.v, b.v));
  }
  friend KINGLET_INLINE Floats larger(Floats a, Floats b) noexcept {
    return Batch(Isa::larger(a.v, b.v));
  }
  friend KINGLET_INLINE Floats abs(Floats x) noexcept { return xsimd::abs(x.v); }
  /// |y| with the sign of x; y ≥ 0.
  friend KINGLET_INLINE Floats with_sign_of(Floats x, Floats y) noexcept {
    return y.v | (x.v & Batch(-0.0f));
  }
  /// p · 2^n for the n of `biased` = n + 1.5·2^23, whose low bits hold it. p and the result are
  /// normal numbers.
  friend KINGLET_INLINE Floats add_exponent(Floats p, Floats biased) noexcept {
    Bits b, e;
    std::memcpy(&b, &p.v, sizeof b);
    std::memcpy(&e, &biased.v, sizeof e);
    b += e << 23;
    std::memcpy(&p.v, &b, sizeof b);
    return p;
  }
};
#endif

/// One lane, no xsimd.
template <>
struct Floats<isa::scalar> {
  static constexpr int size = 1;

  float v;

  Floats() = default;
  KINGLET_INLINE Floats(float s) noexcept : v(s) {}

  static KINGLET_INLINE Floats load(const float* x) noexcept { return *x; }
  KINGLET_INLINE void store(float* y) const noexcept { *y = v; }
  static KINGLET_INLINE Floats load_bytes(const std::int8_t* x) noexcept { return *x; }
  KINGLET_INLINE void keep() noexcept { asm("" : KINGLET_IN_REGISTER(v)); }
  static KINGLET_INLINE Floats load(const float* x, int) noexcept { return *x; }
  KINGLET_INLINE void store(float* y, int) const noexcept { *y = v; }

  friend KINGLET_INLINE Floats operator+(Floats a, Floats b) noexcept { return a.v + b.v; }
  friend KINGLET_INLINE Floats operator-(Floats a, Floats b) noexcept { return a.v - b.v; }
  friend KINGLET_INLINE Floats operator*(Floats a, Floats b) noexcept { return a.v * b.v; }
  friend KINGLET_INLINE Floats operator/(Floats a, Floats b) noexcept { return a.v / b.v; }
  friend KINGLET_INLINE bool operator<(Floats a, Floats b) noexcept { return a.v < b.v; }
  friend KINGLET_INLINE Floats fma(Floats a, Floats b, Floats c) noexcept {
    return __builtin_fmaf(a.v, b.v, c.v);
  }
  friend KINGLET_INLINE Floats select(bool m, Floats yes, Floats no) noexcept {
    return m ? yes : no;
  }
  friend KINGLET_INLINE Floats smaller(Floats a, Floats b) noexcept { return a.v < b.v ? a : b; }
  friend KINGLET_INLINE Floats larger(Floats a, Floats b) noexcept { return b.v < a.v ? a : b; }
  friend KINGLET_INLINE Floats abs(Floats x) noexcept { return __builtin_fabsf(x.v); }
  friend KINGLET_INLINE Floats with_sign_of(Floats x, Floats y) noexcept {
    return __builtin_copysignf(y.v, x.v);
  }
  friend KINGLET_INLINE Floats add_exponent(Floats p, Floats biased) noexcept {
    std::uint32_t b, e;
    std::memcpy(&b, &p.v, sizeof b);
    std::memcpy(&e, &biased.v, sizeof e);
    b += e << 23;
    std::memcpy(&p.v, &b, sizeof b);
    return p;
  }
};

namespace detail {

/// The compiler's own vector types of so many lanes, one type for each: g++ forgets a vector_size
/// that depends on a template parameter.
template <int Lanes>
struct Vectors;

template <>
struct Vectors<1> {
  using Bits = std::uint32_t;
  using Signed = std::int32_t;
  using Real = float;
};
template <>
struct Vectors<4> {
  using Bits __attribute__((vector_size(16))) = std::uint32_t;
  using Signed __attribute__((vector_size(16))) = std::int32_t;
  using Real __attribute__((vector_size(16))) = float;
};
template <>
struct Vectors<8> {
  using Bits __attribute__((vector_size(32))) = std::uint32_t;
  using Signed __attribute__((vector_size(32))) = std::int32_t;
  using Real __attribute__((vector_size(32))) = float;
};
template <>
struct Vectors<16> {
  using Bits __attribute__((vector_size(64))) = std::uint32_t;
  using Signed __attribute__((vector_size(64))) = std::int32_t;
  using Real __attribute__((vector_size(64))) = float;
};

/// Lane by lane.
template <class To, class From>
KINGLET_INLINE To convert(From x) noexcept {
  if constexpr (std::is_arithmetic_v<From>) {
    return static_cast<To>(x);
  } else {
    return __builtin_convertvector(x, To);
  }
}

}  // namespace detail

/// A vector register of s32 beside Floats<Isa>. Sums and products wrap.
template <class Isa>
struct Integers {
  using F = Floats<Isa>;
  using Types = detail::Vectors<F::size>;
  using Bits = typename Types::Bits;

  Bits v;

  KINGLET_INLINE Integers(Bits b) noexcept : v(b) {}
  static KINGLET_INLINE Integers all(std::int32_t s) noexcept {
    return Bits{} + static_cast<std::uint32_t>(s);
  }
  static KINGLET_INLINE Integers load(const std::int32_t* x) noexcept {
    Bits b;
    std::memcpy(&b, x, sizeof b);
    return b;
  }
  static KINGLET_INLINE Integers bits_of(F f) noexcept {
    Bits b;
    std::memcpy(&b, &f, sizeof b);
    return b;
  }
  friend KINGLET_INLINE Integers operator+(Integers a, Integers b) noexcept { return a.v + b.v; }
  friend KINGLET_INLINE Integers operator-(Integers a, Integers b) noexcept { return a.v - b.v; }
  friend KINGLET_INLINE Integers operator*(Integers a, Integers b) noexcept { return a.v * b.v; }
  /// Rounded to nearest even.
  KINGLET_INLINE F to_floats() const noexcept {
    typename Types::Signed whole;
    std::memcpy(&whole, &v, sizeof whole);
    const auto real = detail::convert<typename Types::Real>(whole);
    F f;
    std::memcpy(&f, &real, sizeof f);
    return f;
  }
};

/// y[i] = f(x0[i], x1[i], …)
template <class Isa, class F, class... X>
KINGLET_INLINE void map(int n, float* y, F f, const X*... x) noexcept {
  using V = Floats<Isa>;
  int i = 0;
  for (; i <= n - V::size; i += V::size) f(V::load(x + i)...).store(y + i);
  if (i < n) f(V::load(x + i, n - i)...).store(y + i, n - i);
}

/// y = x
template <class Isa>
KINGLET_INLINE void copy(int n, float* y, const float* x) noexcept {
  map<Isa>(
      n, y, [](auto v) { return v; }, x);
}

namespace detail {
/// Lane i of the result is lane Order::lane(i) of a followed by b.
template <class Isa, class Order, int... I>
KINGLET_INLINE Floats<Isa> shuffle(Floats<Isa> a, Floats<Isa> b,
                                   std::integer_sequence<int, I...>) noexcept {
  using Types = Vectors<Floats<Isa>::size>;
  typename Types::Real x, y;
  std::memcpy(&x, &a, sizeof x);
  std::memcpy(&y, &b, sizeof y);
#if defined(__clang__)
  x = __builtin_shufflevector(x, y, Order::lane(I)...);
#else
  x = __builtin_shuffle(x, y, typename Types::Signed{Order::lane(I)...});
#endif
  std::memcpy(&a, &x, sizeof x);
  return a;
}

/// In each group of four lanes a0 b0 a1 b1; High: a2 b2 a3 b3.
template <int Size, bool High>
struct Interleaved {
  static constexpr int lane(int i) noexcept {
    return i / 4 * 4 + (High ? 2 : 0) + i % 4 / 2 + (i % 2 ? Size : 0);
  }
};

/// In each group of 2·D lanes the low D of a, then those of b; High: the high D of both.
template <int Size, int D, bool High>
struct Halves {
  static constexpr int lane(int i) noexcept {
    return (i & ~D) + (High ? D : 0) + (i & D ? Size : 0);
  }
};

template <class Isa, bool High>
KINGLET_INLINE Floats<Isa> interleave(Floats<Isa> a, Floats<Isa> b) noexcept {
  constexpr int kSize = Floats<Isa>::size;
  return shuffle<Isa, Interleaved<kSize, High>>(a, b, std::make_integer_sequence<int, kSize>());
}

template <class Isa, int D, bool High>
KINGLET_INLINE Floats<Isa> halves(Floats<Isa> a, Floats<Isa> b) noexcept {
  constexpr int kSize = Floats<Isa>::size;
  return shuffle<Isa, Halves<kSize, D, High>>(a, b, std::make_integer_sequence<int, kSize>());
}

template <class Isa, int D, class Join>
KINGLET_INLINE Floats<Isa> join_halves_of(Floats<Isa> v, Join join) noexcept {
  if constexpr (D >= 1) {
    return join_halves_of<Isa, D / 2>(join(v, halves<Isa, D, true>(v, v)), join);
  } else {
    return v;
  }
}
}  // namespace detail

/// The lanes of a register joined by the tree of fold.
template <class Isa, class Join>
KINGLET_INLINE float join_lanes(Floats<Isa> v, Join join) noexcept {
  v = detail::join_halves_of<Isa, Floats<Isa>::size / 2>(v, join);
  float first;
  std::memcpy(&first, &v, sizeof first);
  return first;
}

namespace detail {
/// What fold joins at last: acc = f(acc, i) for the register of elements i, i + 1, …; and
/// f(acc, i, count) for one of which only `count` exist, unless rows consist of whole registers.
template <class Isa, bool Whole, class F, class Join>
KINGLET_INLINE Floats<Isa> fold_lanes(int n, float init, F f, Join join) noexcept {
  using V = Floats<Isa>;
  constexpr int kCount = kLanes / V::size;
  V acc[kCount];
  KINGLET_UNROLL
  for (int j = 0; j < kCount; ++j) acc[j] = init;
  int i = 0;
  for (; i <= n - kLanes; i += kLanes) {
    KINGLET_UNROLL
    for (int j = 0; j < kCount; ++j) acc[j] = f(acc[j], i + j * V::size);
  }
  KINGLET_UNROLL
  for (int j = 0; j < kCount; ++j, i += V::size) {
    if (i <= n - V::size) {
      acc[j] = f(acc[j], i);
    } else if constexpr (!Whole) {
      if (i < n) {  // lanes without an element stay as they are
        float lanes[V::size];
        acc[j].store(lanes);
        f(acc[j], i, n - i).store(lanes, n - i);
        acc[j] = V::load(lanes);
      }
    }
  }
  KINGLET_UNROLL
  for (int half = kCount / 2; half > 0; half /= 2) {
    KINGLET_UNROLL
    for (int j = 0; j < half; ++j) acc[j] = join(acc[j], acc[j + half]);
  }
  return acc[0];
}
}  // namespace detail

/// Left fold of f(acc, x[i]) from init in kLanes lanes (element i in lane i mod kLanes); then lanes
/// i and i + 16 are joined, i and i + 8, … down to one.
template <class Isa, class F, class Join>
KINGLET_INLINE float fold(int n, const float* x, float init, F f, Join join) noexcept {
  using V = Floats<Isa>;
  const auto take = [=](V acc, int i, auto... count) { return f(acc, V::load(x + i, count...)); };
  return join_lanes(detail::fold_lanes<Isa, false>(n, init, take, join), join);
}

/// Σ x[i]
template <class Isa>
KINGLET_INLINE float sum(int n, const float* x) noexcept {
  const auto add = [](auto a, auto b) { return a + b; };
  return fold<Isa>(n, x, 0.0f, add, add);
}

}  // namespace kinglet::kernels
