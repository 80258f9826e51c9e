#pragma once
// One element of a gathered row: table[id][column], added to `before` when accumulating.

#include <cstddef>
#include <cstdint>

namespace kinglet::reference {

inline double embedding(std::int32_t id, int column, const float* table, int ldt, double before,
                        bool accumulate) {
  const double value = static_cast<double>(table[static_cast<std::ptrdiff_t>(id) * ldt + column]);
  return accumulate ? before + value : value;
}

/// One element of a row of int8.
inline double embedding(double scale, std::int8_t q) { return scale * static_cast<double>(q); }

}  // namespace kinglet::reference
