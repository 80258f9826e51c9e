#pragma once
// What the tests of both forms of attention share: inputs and masks.

#include <algorithm>
#include <limits>

#include "kernels/check.hpp"

namespace kinglet::test {

using Mask = std::vector<std::uint8_t>;  ///< 0: the key is masked; empty: there is none

inline const std::uint8_t* in_use(const Mask& mask) { return mask.empty() ? nullptr : mask.data(); }

/// q (m, d), k and v (n, d); the keys and values that the mask hides are NaN.
struct Attended {
  Attended(int rows, int key_count, int width, float spread = 1.0f, const Mask& hidden = {})
      : m(rows),
        n(key_count),
        d(width),
        mask(hidden),
        q(m, d, d + 4, Random(1), spread),
        k(n, d, d + 3, Random(2)),
        v(n, d, d + 2, Random(3)) {
    for (int j = 0; j < n; ++j) {
      if (is_live(j)) continue;
      std::fill_n(k.row(j), d, std::numeric_limits<float>::quiet_NaN());
      std::fill_n(v.row(j), d, std::numeric_limits<float>::quiet_NaN());
    }
  }
  bool is_live(int j) const { return mask.empty() || mask[static_cast<std::size_t>(j)] != 0; }

  Attended without_masked() const {
    int live = 0;
    for (int j = 0; j < n; ++j) live += is_live(j);
    Attended out(m, live, d);
    out.q.copy_from(q);
    for (int j = 0, to = 0; j < n; ++j) {
      if (!is_live(j)) continue;
      std::copy_n(k.row(j), d, out.k.row(to));
      std::copy_n(v.row(j), d, out.v.row(to++));
    }
    return out;
  }

  int m, n, d;
  Mask mask;
  Guarded q, k, v;
};

/// Masks of n keys that hide the first, the last, all but one, whole panels, and some by chance.
inline std::vector<Mask> masks(int n) {
  const auto size = static_cast<std::size_t>(n);
  std::vector<Mask> out(6, Mask(size, 1));
  out[0].front() = 0;
  out[1].back() = 0;
  std::fill(out[2].begin(), out[2].end(), std::uint8_t{0});
  out[2][size / 2] = 1;
  std::fill_n(out[3].begin(), std::min(n - 1, 16), std::uint8_t{0});
  std::fill_n(out[4].rbegin(), std::min(n - 1, 20), std::uint8_t{0});
  Random random(static_cast<std::uint64_t>(n));
  for (std::size_t j = 1; j < size; ++j)
    out[5][j] = random.next() < 0 ? std::uint8_t{0} : std::uint8_t{255};
  return out;
}

}  // namespace kinglet::test
