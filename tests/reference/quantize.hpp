#pragma once
// A row as int8 with a scale and a zero point, one element at a time, in the floats that define it.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace kinglet::reference {

struct QuantizedRow {
  std::vector<int> q;  ///< in [−127, 127]
  float scale;
  int zero;
};

inline QuantizedRow quantize(int n, const float* x) {
  float low = 0, high = 0;
  for (int i = 0; i < n; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  QuantizedRow row;
  row.scale = high / 254.0f - low / 254.0f;
  if (!(row.scale > 1e-34f)) row.scale = 1.0f;
  row.zero = static_cast<int>(std::nearbyint(std::min(-127.0f - low / row.scale, 127.0f)));
  const float inverse = 1.0f / row.scale;
  for (int i = 0; i < n; ++i) {
    const int q = static_cast<int>(std::nearbyint(x[i] * inverse)) + row.zero;
    row.q.push_back(std::clamp(q, -127, 127));
  }
  return row;
}

}  // namespace kinglet::reference
