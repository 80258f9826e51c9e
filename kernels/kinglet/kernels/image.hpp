#pragma once
// Images as kernels see them: pixels of contiguous channels, in rows (HWC).

#include <cstddef>
#include <kinglet/kernels/macros.hpp>

namespace kinglet::kernels {

/// Channel 0 of pixel (y, x) lies at data + y·row + x·pixel. What surrounds an image, if anything
/// does, belongs to its owner: `row` reaches over it.
template <class T>
struct ImageView {
  T* data = nullptr;
  int height = 0, width = 0, channels = 0;
  std::ptrdiff_t row = 0, pixel = 0;
  std::ptrdiff_t image = 0;  ///< from an image of a batch to the next

  KINGLET_INLINE constexpr T* at(int y, int x) const noexcept { return data + y * row + x * pixel; }
  /// To be read.
  KINGLET_INLINE constexpr operator ImageView<const T>() const noexcept {
    return {data, height, width, channels, row, pixel, image};
  }
};

}  // namespace kinglet::kernels
