#pragma once
// One head in int8: both products are gemm_s8, the softmax between them is f32.
//
//     k row by row, v column by column: a scale each, symmetric; int8 panels, masked keys left out
//     for each block of kQueryRows rows of q
//       q row by row: a scale each, symmetric
//       s = q·Kᵀ             f32 (rows, n) in scratch
//       p = rne(255·2^(s − max s)), Σ p         u8: the largest of a row is always 255
//       y = p·V / Σ p

#include <kinglet/kernels/attention.hpp>
#include <kinglet/kernels/gemm_s8.hpp>

namespace kinglet::kernels {

namespace detail {

/// kRoundBits + rne(255·2^x) for x ≤ 0; the power is within 8e-5, relatively, before it is rounded.
/// NaN gives any bits.
template <class Isa>
KINGLET_INLINE Integers<Isa> byte_of_exp2(Floats<Isa> x) noexcept {
  using V = Floats<Isa>;
  const V bias = 12583039.0f;  // as in exp2
  x = larger(V(-20.0f), x);
  const V biased = x + bias;
  const V r = x - (biased - bias);
  const V p = polynomial(r, 254.981659f, 176.781551f, 61.8658361f, 14.0687764f);
  return Integers<Isa>::bits_of(fma(p, add_exponent(V(0.0f), biased), V(kRound)));
}

/// Stores the bytes u − 128 of four registers kRoundBits + u, with the offset of Dot<Isa>.
template <class Isa>
KINGLET_INLINE void store_rounded(std::int8_t* y, Integers<Isa> a, Integers<Isa> b, Integers<Isa> c,
                                  Integers<Isa> d) noexcept {
  using I = Integers<Isa>;
  const auto narrow = [](I bits) {
    // 128 is added or taken by a flip of the byte's sign, which is then extended.
    if constexpr (Dot<Isa>::offset != 0) bits.v ^= 128u;
    return native<Isa>(bits - I::all(kRoundBits + 128));
  };
  Isa::store_bytes(y, narrow(a), narrow(b), narrow(c), narrow(d));
}

/// The lanes of max |x| for each row.
template <class Isa>
KINGLET_NOINLINE void magnitude_lanes(int rows, int n, const float* const* x,
                                      float* lanes) noexcept {
  using V = Floats<Isa>;
  for (int r = 0; r < rows; ++r, lanes += V::size) {
    const float* row = x[r];
    const auto most = [](V a, V b) { return larger(a, b); };
    const auto take = [=](V acc, int i, auto... count) {
      return larger(acc, abs(V::load(row + i, count...)));
    };
    fold_lanes<Isa, false>(n, 0.0f, take, most).store(lanes);
  }
}

/// The step of numbers up to `most`: ±127 are the ends.
template <class V>
KINGLET_INLINE V symmetric_scale(V most) noexcept {
  const V step = most / V(127.0f);
  return select(V(1e-34f) < step, step, V(1.0f));
}

/// The scales of up to V::size rows.
template <class Isa>
KINGLET_INLINE Floats<Isa> row_scales(int rows, int n, const float* const* x) noexcept {
  using V = Floats<Isa>;
  float lanes[V::size * V::size];
  magnitude_lanes<Isa>(rows, n, x, lanes);
  return symmetric_scale(join_rows<Isa>(rows, lanes, [](V a, V b) { return larger(a, b); }));
}

/// Lane by lane the bytes of rne(x[i]·inverse), i < 4, lowest first.
template <class Isa>
KINGLET_INLINE Integers<Isa> four_bytes_of(const Floats<Isa>* x, Floats<Isa> inverse) noexcept {
  constexpr auto kBits = static_cast<std::uint32_t>(kRoundBits);
  constexpr std::uint32_t kSum = kBits + (kBits << 8) + (kBits << 16) + (kBits << 24);
  typename Integers<Isa>::Bits bytes{};
  KINGLET_UNROLL
  for (int i = 3; i >= 0; --i) bytes = (bytes << 8) + rounded<Isa, 128>(x[i], inverse).v;
  return (bytes - kSum) ^ 0x80808080u;
}

/// Σ w and Σ max(−w, 0) of the columns of panels, by Dot's own arithmetic: with rows of ones and of
/// zeros.
template <class Isa>
KINGLET_INLINE void column_sums(int panels, int groups, const std::int8_t* w, std::int32_t* sums,
                                std::int32_t* negatives) noexcept {
  using D = Dot<Isa>;
  using I = Integers<Isa>;
  static constexpr std::int8_t kOnes[8] = {1, 1, 1, 1, 1, 1, 1, 1}, kZeros[8] = {};
  for (int c = 0; c < panels * kPanel; c += D::lanes) {
    const std::int8_t* from =
        w + static_cast<std::ptrdiff_t>(c / kPanel) * kPanel * groups * 4 + c % kPanel * 4;
    typename D::Sums ones = D::zero(), zeros = D::zero();
    for (int g = 0; g < groups; g += D::depth, from += D::depth * kPanel * 4) {
      const auto weights = D::weights(from);
      ones = D::dot(ones, weights, D::load(kOnes, 0));
      if constexpr (D::needs_negative_sums) zeros = D::dot(zeros, weights, D::load(kZeros, 0));
    }
    const I negative = I::all(0) - I(D::row(zeros, 0));
    const I sum = I(D::row(ones, 0)) + negative;
    std::memcpy(sums + c, &sum.v, sizeof sum.v);
    std::memcpy(negatives + c, &negative.v, sizeof negative.v);
  }
}

/// Where WeightsS8 are made.
struct PackedS8 {
  std::int8_t* panels;
  float* scale;
  std::int32_t* sums;
  std::int32_t* negatives;

  KINGLET_INLINE operator WeightsS8() const noexcept { return {panels, scale, sums, negatives}; }
};

/// Panels of the n live keys, the last one repeated; scales times `factor`.
template <class Isa>
KINGLET_INLINE void pack_keys_s8(int n, int d, const float* k, int ldk, LiveKeys live, float factor,
                                 const PackedS8& to) noexcept {
  using V = Floats<Isa>;
  constexpr int kSize = V::size;
  constexpr int kColumns = kSize < 4 ? 4 : kSize;
  const int groups = padded_depth(d) / 4;
  const float* rows[kPanel];
  for (int first = 0; first < n; first += kPanel) {
    for (int j = 0; j < kPanel; ++j) {
      rows[j] = first + j < n ? k + static_cast<std::ptrdiff_t>(live.next()) * ldk : rows[j - 1];
    }
    std::int8_t* const panel = to.panels + static_cast<std::ptrdiff_t>(first) * groups * 4;
    for (int j = 0; j < kPanel; j += kSize) {
      const V scale = row_scales<Isa>(kSize, d, rows + j);
      (scale * V(factor)).store(to.scale + first + j);
      const V inverse = V(1.0f) / scale;
      for (int kk = 0; kk < groups * 4; kk += kColumns) {
        V square[kColumns];
        if constexpr (kSize == 1) {
          for (int i = 0; i < kColumns; ++i) square[i] = kk + i < d ? rows[j][kk + i] : 0.0f;
        } else {
          KINGLET_UNROLL
          for (int i = 0; i < kSize; ++i) {
            const float* from = rows[j + i] + kk;
            square[i] = kk + kSize <= d ? V::load(from) : kk < d ? V::load(from, d - kk) : V(0.0f);
          }
          transpose<Isa>(square);
        }
        KINGLET_UNROLL
        for (int i = 0; i < kColumns; i += 4) {
          if (kk + i >= groups * 4) break;
          const auto bytes = four_bytes_of<Isa>(square + i, inverse);
          std::memcpy(panel + (kk + i) * kPanel + j * 4, &bytes.v, sizeof bytes.v);
        }
      }
    }
  }
  column_sums<Isa>(panels_of(n), groups, to.panels, to.sums, to.negatives);
}

/// Panels of the columns c, c + 1, … of the n live values, for `Count` registers of them.
template <class Isa, int Count>
KINGLET_INLINE void pack_columns_s8(int n, int d, int c, const float* v, int ldv, LiveKeys live,
                                    const PackedS8& to) noexcept {
  using V = Floats<Isa>;
  constexpr int kSize = V::size;
  const int groups = padded_depth(n) / 4;
  const auto load = [=](const float* row, int w) {
    const int first = c + w * kSize;
    if (first + kSize <= d) return V::load(row + first);
    return first < d ? V::load(row + first, d - first) : V(0.0f);
  };
  V most[Count];
  KINGLET_UNROLL
  for (int w = 0; w < Count; ++w) most[w] = 0.0f;
  LiveKeys keys = live;
  for (int j = 0; j < n; ++j) {
    const float* row = v + static_cast<std::ptrdiff_t>(keys.next()) * ldv;
    KINGLET_UNROLL
    for (int w = 0; w < Count; ++w) most[w] = larger(most[w], abs(load(row, w)));
  }
  V inverse[Count];
  KINGLET_UNROLL
  for (int w = 0; w < Count; ++w) {
    const V scale = symmetric_scale(most[w]);
    scale.store(to.scale + c + w * kSize);
    inverse[w] = V(1.0f) / scale;
  }
  keys = live;
  for (int j = 0; j < groups * 4; j += 4) {
    const float* rows[4];
    KINGLET_UNROLL
    for (int i = 0; i < 4; ++i)
      rows[i] = j + i < n ? v + static_cast<std::ptrdiff_t>(keys.next()) * ldv : nullptr;
    KINGLET_UNROLL
    for (int w = 0; w < Count; ++w) {
      V four[4];
      KINGLET_UNROLL
      for (int i = 0; i < 4; ++i) four[i] = rows[i] ? load(rows[i], w) : V(0.0f);
      const auto bytes = four_bytes_of<Isa>(four, inverse[w]);
      const int column = c + w * kSize;
      std::memcpy(to.panels + static_cast<std::ptrdiff_t>(column / kPanel) * kPanel * groups * 4 +
                      static_cast<std::ptrdiff_t>(j) * kPanel + column % kPanel * 4,
                  &bytes.v, sizeof bytes.v);
    }
  }
}

/// Panels of the columns of the n live values.
template <class Isa>
KINGLET_INLINE void pack_values_s8(int n, int d, const float* v, int ldv, LiveKeys live,
                                   const PackedS8& to) noexcept {
  constexpr int kWide = 4;  // registers: whole cache lines, and one walk over the keys for all
  constexpr int kSize = Floats<Isa>::size;
  const int columns = panels_of(d) * kPanel;
  int c = 0;
  for (; c <= columns - kWide * kSize; c += kWide * kSize)
    pack_columns_s8<Isa, kWide>(n, d, c, v, ldv, live, to);
  for (; c < columns; c += kSize) pack_columns_s8<Isa, 1>(n, d, c, v, ldv, live, to);
  column_sums<Isa>(panels_of(d), padded_depth(n) / 4, to.panels, to.sums, to.negatives);
}

/// y ≈ x/scale as int8 with the offset of Dot<Isa>, for each row; whole groups of four registers
/// are written.
template <class Isa>
KINGLET_NOINLINE void quantize_symmetric(int rows, int n, const float* const* x,
                                         const float* scales, std::int8_t* y,
                                         std::ptrdiff_t ldy) noexcept {
  using V = Floats<Isa>;
  for (int r = 0; r < rows; ++r, y += ldy) {
    const float* row = x[r];
    const V inverse = V(1.0f) / V(scales[r]);
    const auto load = [=](int i) {
      if (i + V::size <= n) return V::load(row + i);
      return i < n ? V::load(row + i, n - i) : V(0.0f);
    };
    for (int i = 0; i < n; i += 4 * V::size) {
      const auto take = [=](int w) { return rounded<Isa, 128>(load(i + w * V::size), inverse); };
      store_rounded<Isa>(y + i, take(0), take(1), take(2), take(3));
    }
  }
}

/// y = rne(255·2^(x + shift)) − 128 as int8 with the offset of Dot<Isa>, and the lanes of Σ (y + 128),
/// for each row of whole registers; whole groups of four registers are written.
template <class Isa>
KINGLET_NOINLINE void byte_lanes(int rows, int n, const float* x, std::ptrdiff_t ldx,
                                 const float* shifts, std::int8_t* y, std::ptrdiff_t ldy,
                                 float* lanes) noexcept {
  using V = Floats<Isa>;
  using I = Integers<Isa>;
  for (int r = 0; r < rows; ++r, x += ldx, y += ldy, lanes += V::size) {
    const V shift = shifts[r];
    I total = I::all(0);
    const auto take = [&](int i) {
      const I bits = byte_of_exp2<Isa>(V::load(x + i) + shift);
      total = total + bits;
      return bits;
    };
    int i = 0;
    for (; i <= n - 4 * V::size; i += 4 * V::size) {
      const I a = take(i), b = take(i + V::size), c = take(i + 2 * V::size),
              d = take(i + 3 * V::size);
      store_rounded<Isa>(y + i, a, b, c, d);
    }
    if (i < n) {
      const I none = I::all(kRoundBits);
      const I a = take(i), b = i + V::size < n ? take(i + V::size) : none,
              c = i + 2 * V::size < n ? take(i + 2 * V::size) : none;
      store_rounded<Isa>(y + i, a, b, c, none);
    }
    // Exact: below 2^24.
    (total - I::all(n / V::size) * I::all(kRoundBits)).to_floats().store(lanes);
  }
}

/// Where everything lies in the scratch of attention_s8, in bytes.
struct LayoutS8 {
  int ld_queries, ld_bytes;  ///< rows of bytes, in whole groups of four registers
  std::size_t used = 0;
  std::size_t keys, key_scales, key_sums, key_negatives, outside;
  std::size_t values, value_scales, value_sums, value_negatives;
  std::size_t queries, scores, bytes;

  KINGLET_INLINE constexpr LayoutS8(int n, int d) noexcept
      : ld_queries((d + 63) / 64 * 64),
        ld_bytes((n + 63) / 64 * 64),
        keys(take(panels_size_s8(n, d))),
        key_scales(take(columns(n))),
        key_sums(take(columns(n))),
        key_negatives(take(columns(n))),
        outside(take(columns(n))),
        values(take(panels_size_s8(d, n))),
        value_scales(take(columns(d))),
        value_sums(take(columns(d))),
        value_negatives(take(columns(d))),
        queries(take(static_cast<std::size_t>(kQueryRows * ld_queries))),
        scores(take(columns(n) * kQueryRows)),
        bytes(take(static_cast<std::size_t>(kQueryRows * ld_bytes))) {}

 private:
  static KINGLET_INLINE constexpr std::size_t columns(int n) noexcept {
    return static_cast<std::size_t>(panels_of(n)) * kPanel * 4;
  }
  KINGLET_INLINE constexpr std::size_t take(std::size_t size) noexcept {
    const std::size_t at = used;
    used += (size + 63) / 64 * 64;
    return at;
  }
};

}  // namespace detail

/// Bytes of scratch for attention_s8, whatever m and the ISA.
KINGLET_INLINE constexpr std::size_t attention_scratch_s8(int n, int d) noexcept {
  return detail::LayoutS8(n, d).used;
}

/// y ≈ softmax(scale · q·kᵀ) · v with both products in int8
/// shapes    q (m, d)   k, v (n, d)   mask (n), 0 for a masked key, or null   y (m, d)
/// layout    rows contiguous, ld* in elements
/// requires  m ≥ 0, 0 < n, d ≤ 65536, scale > 0; a key that is not masked; y may be q; otherwise y and
///           scratch overlap nothing; scratch aligned to 4 bytes
/// numerics  rows of q and k and columns of v as s·[−127, 127], s = max/127; probabilities as
///           rne(255·e) / Σ rne(255·e), e = 2^(s − max s) within 8e-5; integers exact. The same
///           integers of q, k, v on every ISA, the same bits on every ISA with FMA; a row's bits
///           depend on no other row of q. A masked key is as good as absent, as in attention_f32
/// memory    attention_scratch_s8(n, d) bytes of scratch, up to 6 kB of stack
/// oracle    tests/reference/attention_s8.hpp
template <class Isa>
void attention_s8(int m, int n, int d, const float* q, int ldq, const float* k, int ldk,
                  const float* v, int ldv, const std::uint8_t* mask, float scale, float* y, int ldy,
                  void* scratch) noexcept {
  KINGLET_ASSERT(m >= 0 && n > 0 && d > 0 && scale > 0);
  using V = Floats<Isa>;
  const int live = detail::live_keys(n, mask);
  KINGLET_ASSERT(live > 0);
  const detail::LayoutS8 at(live, d);
  auto* const base = static_cast<unsigned char*>(scratch);
  const auto floats = [=](std::size_t offset) { return reinterpret_cast<float*>(base + offset); };
  const auto words = [=](std::size_t offset) {
    return reinterpret_cast<std::int32_t*>(base + offset);
  };
  const auto chars = [=](std::size_t offset) {
    return reinterpret_cast<std::int8_t*>(base + offset);
  };
  const detail::PackedS8 keys{chars(at.keys), floats(at.key_scales), words(at.key_sums),
                              words(at.key_negatives)};
  const detail::PackedS8 values{chars(at.values), floats(at.value_scales), words(at.value_sums),
                                words(at.value_negatives)};
  float* const s = floats(at.scores);
  const int lds = panels_of(live) * kPanel;
  detail::pack_keys_s8<Isa>(live, d, k, ldk, {mask}, scale * detail::kLog2e, keys);
  detail::pack_values_s8<Isa>(live, d, v, ldv, {mask}, values);
  Epilogue outside;  // adds -inf to the scores of no key
  if (live < lds) {
    outside.bias = floats(at.outside);
    for (int j = 0; j < lds; ++j)
      floats(at.outside)[j] = j < live ? 0.0f : -std::numeric_limits<float>::infinity();
  }

  constexpr int kRows = detail::row_results(detail::kQueryRows);
  float query_scales[kRows], inverse[kRows];
  std::int32_t query_zeros[kRows], byte_zeros[kRows];
  for (int r = 0; r < kRows; ++r) {
    query_zeros[r] = Dot<Isa>::offset;
    byte_zeros[r] = Dot<Isa>::offset - 128;
  }
  const QuantizedRows queries{chars(at.queries), at.ld_queries, query_scales, query_zeros};
  const QuantizedRows bytes{chars(at.bytes), at.ld_bytes, inverse, byte_zeros};
  for (int first = 0; first < m; first += detail::kQueryRows) {
    const int block = m - first < detail::kQueryRows ? m - first : detail::kQueryRows;
    const float* rows[kRows];
    for (int r = 0; r < block; ++r) rows[r] = q + static_cast<std::ptrdiff_t>(first + r) * ldq;
    for (int r = 0; r < block; r += V::size) {
      const int count = block - r < V::size ? block - r : V::size;
      detail::row_scales<Isa>(count, d, rows + r).store(query_scales + r);
    }
    detail::quantize_symmetric<Isa>(block, d, rows, query_scales, queries.q, queries.ld);
    gemm_s8<Isa>(block, lds, d, queries, keys, outside, s, lds);

    float lanes[V::size * V::size];
    for (int r = 0; r < block; r += V::size) {
      const int count = block - r < V::size ? block - r : V::size;
      float* const shifts = inverse + r;
      detail::max_lanes<Isa, true>(count, lds, s + r * lds, lds, lanes);
      const V most = detail::join_rows<Isa>(count, lanes, [](V a, V b) { return larger(a, b); });
      (V(0.0f) - most).store(shifts);
      detail::byte_lanes<Isa>(count, lds, s + r * lds, lds, shifts, bytes.q + r * bytes.ld,
                              bytes.ld, lanes);
      const V sum = detail::join_rows<Isa>(count, lanes, [](V a, V b) { return a + b; });
      (V(1.0f) / sum).store(inverse + r);
    }
    gemm_s8<Isa>(block, d, live, bytes, values, {}, y + static_cast<std::ptrdiff_t>(first) * ldy,
                 ldy);
  }
}

}  // namespace kinglet::kernels
