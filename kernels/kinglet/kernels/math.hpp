#pragma once
// exp, exp2, erf, tanh, sigmoid for a vector or one lane: the same bits on every ISA with fused
// multiply-add. Our own minimax fits; the bounds were found by sweeps over floats;
// tests/kernels/test_math.cpp repeats them on a grid and where they were worst.

#include <kinglet/kernels/simd.hpp>
#include <limits>

namespace kinglet::kernels {

/// c0 + c1·x + c2·x² + …, by Horner's rule
template <class V>
KINGLET_INLINE V polynomial(V, float c) noexcept {
  return c;
}
template <class V, class... C>
KINGLET_INLINE V polynomial(V x, float c0, C... c) noexcept {
  return fma(polynomial(x, c...), x, V(c0));
}

/// e^x, within 1.01 ulp on [-87.33, 88.72]; 0 below (no subnormal results), inf above, NaN for NaN.
/// x = n·ln 2 + r, |r| ≤ ln 2 / 2; n is rounded to even by the addition of 1.5·2^23; 2^n is an
/// integer added to the exponent.
template <class V>
KINGLET_INLINE V exp(V x) noexcept {
  const V bias = 12582912.0f;
  const V biased = fma(x, V(1.44269504088896341f), bias);
  const V n = biased - bias;
  V r = fma(n, V(-0.693359375f), x);  // exact: ten bits
  r = fma(n, V(2.12194440e-4f), r);
  const V tail =
      polynomial(r, 0.499999940f, 0.166665196f, 0.0416684039f, 0.00836889911f, 0.00138142204f);
  const V p = fma(r * r, tail, r) + 1.0f;
  const V infinity = std::numeric_limits<float>::infinity();
  const V y = select(x < V(88.7228394f), add_exponent(p, biased), x + infinity);
  return select(x < V(-87.33f), V(0.0f), y);
}

/// 2^x for x < 127.5, within 1 ulp; 0 below −126 (no subnormal results), NaN for NaN. Takes two thirds
/// of the instructions of exp: splitting x needs no product, and one product with 2^n keeps NaN. The
/// low bits of x + 1.5·2^23 + 127 are the exponent of 2^n. The result is exactly p·2^n, so it may
/// feed an addition.
template <class V>
KINGLET_INLINE V exp2(V x) noexcept {
  const V bias = 12583039.0f;
  const V biased = x + bias;
  const V r = x - (biased - bias);
  const V p = polynomial(r, 1.0f, 0.693147182f, 0.240226462f, 0.0555035919f, 0.00961867161f,
                         0.00133911369f, 0.000152830587f);
  return select(x < V(-126.0f), V(0.0f), p * add_exponent(V(0.0f), biased));
}

/// erf(x), within 6 ulp (3.6e-7). x·P(x²)/Q(x²) up to 3.925, from where on the result rounds to ±1.
template <class V>
KINGLET_INLINE V erf(V x) noexcept {
  const V a = abs(x);
  const V z = x * x;
  const V p = a * polynomial(z, 1.12837911f, 0.19058466f, 0.0527679101f, 0.00377211091f,
                             2.84825714e-4f, 2.0459936e-6f);
  const V q = polynomial(z, 1.0f, 0.502233982f, 0.114178792f, 0.0149823222f, 0.00116373657f,
                         3.80464917e-5f);
  const V y = p / q;
  return with_sign_of(x, select(V(1.0f) < y, V(1.0f), select(V(3.925f) < a, V(1.0f), y)));
}

/// |tanh(x)| = p/q for a = |x| up to kTanhOne, from where on it rounds to 1: a·P(a²), Q(a²).
template <class V>
struct TanhRatio {
  V p, q;

  KINGLET_INLINE explicit TanhRatio(V a) noexcept {
    const V z = a * a;
    p = a * polynomial(z, 1.0f, 0.13083154f, 0.003102998f, 1.11442132e-5f, -2.01837391e-8f,
                       5.25764432e-11f, -8.43564789e-14f);
    q = polynomial(z, 1.0f, 0.464164823f, 0.0244913697f, 2.54474609e-4f);
  }
};
inline constexpr float kTanhOne = 9.02f;

/// tanh(x), within 6 ulp (3.5e-7).
template <class V>
KINGLET_INLINE V tanh(V x) noexcept {
  const V a = abs(x);
  const TanhRatio<V> t(a);
  const V y = t.p / t.q;
  return with_sign_of(x, select(V(1.0f) < y, V(1.0f), select(V(kTanhOne) < a, V(1.0f), y)));
}

/// 1 / (1 + e^-x), within 2.5 ulp (9e-8) from −87.33 on; below, within 3e-39; 0 from −88.73 down.
template <class V>
KINGLET_INLINE V sigmoid(V x) noexcept {
  return V(1.0f) / (exp(V(0.0f) - x) + 1.0f);
}

/// 1 + e^-x, at most 2^126; e^-x within |x|·1e-7 + 2 ulp: exp2 of a rounded product is enough for a
/// gate, whose error is below 1e-7. The fma is one that nothing fuses with what follows.
template <class V>
KINGLET_INLINE V one_plus_exp(V x) noexcept {
  const V t = fma(x, V(-1.44269504088896341f), V(0.0f));
  return exp2(select(V(126.0f) < t, V(126.0f), t)) + 1.0f;
}

/// 1 / (1 + e^-x), within 1e-7
template <class V>
KINGLET_INLINE V gate(V x) noexcept {
  return V(1.0f) / one_plus_exp(x);
}

/// tanh(y) / (1 + e^-x), a gate and what it lets through, with one division, within 5e-7;
/// at most 1 + 2^-23
template <class V>
KINGLET_INLINE V gate_times_tanh(V x, V y) noexcept {
  const V a = abs(y);
  const TanhRatio<V> t(select(V(kTanhOne) < a, V(kTanhOne), a));
  return with_sign_of(y, t.p / (t.q * one_plus_exp(x)));
}

}  // namespace kinglet::kernels
