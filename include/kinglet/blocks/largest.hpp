#pragma once

namespace kinglet {

/// The index of the largest of n > 0 numbers, the first of equal ones.
constexpr int largest(const float* x, int n) noexcept {
  int best = 0;
  for (int i = 1; i < n; ++i) {
    if (x[i] > x[best]) best = i;
  }
  return best;
}

}  // namespace kinglet
