#pragma once
// Comparisons in which no NaN gets lost.

#include <algorithm>
#include <cmath>
#include <vector>

namespace kinglet::tools {

/// The larger of the two; NaN when either is, so that in a loop no later number hides it.
template <class T>
T max_or_nan(T a, T b) {
  return b > a || std::isnan(b) ? b : a;
}

/// The smaller, likewise.
template <class T>
T min_or_nan(T a, T b) {
  return b < a || std::isnan(b) ? b : a;
}

/// As many, equal or NaN in both: for two ways to the same numbers.
template <class T>
bool same_or_nan(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](T x, T y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

}  // namespace kinglet::tools
