// kinglet-weights diff: what two checkpoints have in common.
#include "diff.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>

#include "commands.hpp"
#include "gguf_checkpoint.hpp"
#include "half.hpp"
#include "nan.hpp"
#include "panel_list.hpp"
#include "text.hpp"

namespace kinglet::tools {
namespace {

/// Names that a file notes as aliases become tensors, panels become matrices.
Checkpoint read_logical(const std::string& path) {
  Checkpoint checkpoint = read_checkpoint(path);
  unpack_panels(checkpoint.file->bytes(), checkpoint);
  for (const auto& [dropped, kept] : checkpoint.aliases) {
    Tensor twin = *checkpoint.find(kept);
    twin.name = dropped;
    checkpoint.tensors.push_back(std::move(twin));
  }
  std::stable_sort(checkpoint.tensors.begin(), checkpoint.tensors.end(),
                   [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
  return checkpoint;
}

template <class T>
T load(const unsigned char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

double number_at(DType dtype, const unsigned char* p) {
  switch (dtype) {
    case DType::f32: return static_cast<double>(load<float>(p));
    case DType::f16: return static_cast<double>(half_to_float(load<std::uint16_t>(p)));
    case DType::bf16: return static_cast<double>(bfloat16_to_float(load<std::uint16_t>(p)));
    case DType::f64: return load<double>(p);
    case DType::s8: return static_cast<double>(load<std::int8_t>(p));
    case DType::s16: return static_cast<double>(load<std::int16_t>(p));
    case DType::s32: return static_cast<double>(load<std::int32_t>(p));
    case DType::s64: return static_cast<double>(load<std::int64_t>(p));
    case DType::u8:
    case DType::boolean: return static_cast<double>(*p);
    case DType::other: break;
  }
  return std::nan("");
}

struct Difference {
  std::uint64_t unequal = 0;  // elements whose bits differ
  double largest = 0;         // NaN if a difference is no number
};

/// Tensors of the same dtype and shape.
Difference compare(const Tensor& a, const Tensor& b) {
  Difference difference;
  if (a.item_size == 0) {
    const bool equal =
        a.storage_bytes == b.storage_bytes &&
        std::memcmp(a.storage, b.storage, static_cast<std::size_t>(a.storage_bytes)) == 0;
    return equal ? difference : Difference{1, std::nan("")};
  }
  constexpr std::uint64_t kPart = 4096;  // elements
  std::vector<unsigned char> part_a(kPart * a.item_size), part_b(kPart * a.item_size);
  const auto count = static_cast<std::uint64_t>(a.count());
  for (std::uint64_t first = 0; first < count; first += kPart) {
    const std::uint64_t n = std::min(kPart, count - first);
    copy_elements(a, first, n, part_a.data());
    copy_elements(b, first, n, part_b.data());
    const auto size = static_cast<std::size_t>(a.item_size);
    if (std::memcmp(part_a.data(), part_b.data(), static_cast<std::size_t>(n) * size) == 0)
      continue;
    for (std::size_t i = 0; i < n; ++i) {
      const unsigned char *x = &part_a[i * size], *y = &part_b[i * size];
      if (std::memcmp(x, y, size) == 0) continue;
      ++difference.unequal;
      const double distance = std::abs(number_at(a.dtype, x) - number_at(b.dtype, y));
      difference.largest = max_or_nan(difference.largest, distance);
    }
  }
  return difference;
}

/// The scales of an int8 tensor's rows; null where it has none.
const Tensor* scales_of(const Checkpoint& checkpoint, const Tensor& tensor) {
  if (tensor.dtype != DType::s8 || tensor.shape.size() != 2) return nullptr;
  const Tensor* scales = checkpoint.find(tensor.name + kScaleSuffix);
  const bool fits =
      scales != nullptr && scales->dtype == DType::f32 && scales->count() == tensor.shape[0];
  return fits ? scales : nullptr;
}

/// What stands beside an int8 tensor of its file is compared with it.
bool is_beside(const Checkpoint& checkpoint, const std::string& name) {
  for (const std::string suffix : kBesideS8) {
    if (name.size() <= suffix.size() || name.substr(name.size() - suffix.size()) != suffix)
      continue;
    const Tensor* weight = checkpoint.find(name.substr(0, name.size() - suffix.size()));
    if (weight != nullptr && scales_of(checkpoint, *weight) != nullptr) return true;
  }
  return false;
}

/// Row r of a matrix or table as numbers: int8 times its scale, and the factors of its columns.
std::vector<double> row_of(const Checkpoint& checkpoint, const Tensor& tensor, std::uint64_t r) {
  const auto n = static_cast<std::size_t>(tensor.shape[1]);
  std::vector<unsigned char> bytes(n * static_cast<std::size_t>(tensor.item_size));
  copy_elements(tensor, r * n, n, bytes.data());
  double scale = 1;
  if (const Tensor* scales = scales_of(checkpoint, tensor)) {
    unsigned char one[sizeof(float)];
    copy_elements(*scales, r, 1, one);
    scale = static_cast<double>(load<float>(one));
  }
  const Tensor* smooth = checkpoint.find(tensor.name + kSmoothSuffix);
  if (smooth != nullptr && (smooth->dtype != DType::f32 || smooth->count() != tensor.shape[1]))
    smooth = nullptr;
  std::vector<double> row(n);
  for (std::size_t i = 0; i < n; ++i) {
    row[i] =
        scale * number_at(tensor.dtype, &bytes[i * static_cast<std::size_t>(tensor.item_size)]);
    if (smooth == nullptr) continue;
    unsigned char one[sizeof(float)];
    copy_elements(*smooth, i, 1, one);
    row[i] *= static_cast<double>(load<float>(one));
  }
  return row;
}

/// Matrices of one shape, one of them in int8 and the other not: the largest difference, and relative to the RMS.
std::string int8_text(const Checkpoint& a, const Tensor& x, const Checkpoint& b, const Tensor& y) {
  double largest = 0, error = 0, size = 0;
  for (std::int64_t r = 0; r < x.shape[0]; ++r) {
    const std::vector<double> p = row_of(a, x, static_cast<std::uint64_t>(r)),
                              q = row_of(b, y, static_cast<std::uint64_t>(r));
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double distance = std::abs(p[i] - q[i]);
      largest = max_or_nan(largest, distance);
      error += distance * distance;
      size += std::max(p[i] * p[i], q[i] * q[i]);
    }
  }
  char text[120];
  std::snprintf(text, sizeof text,
                "%s in one, %s in the other: differ by at most %.6g, RMS %.3g %%",
                x.dtype_name.c_str(), y.dtype_name.c_str(), largest,
                size == 0 ? 0.0 : 100 * std::sqrt(error / size));
  return text;
}

std::string form_text(const Tensor& tensor) {
  return tensor.dtype_name + " " + shape_text(tensor.shape);
}

}  // namespace

bool print_diff(std::ostream& out, const std::string& path_a, const std::string& path_b) {
  const Checkpoint a = read_logical(path_a), b = read_logical(path_b);
  std::size_t equal = 0, different = 0;
  auto x = a.tensors.begin(), y = b.tensors.begin();
  const auto only_in = [&](const Checkpoint& file, const Checkpoint& other, const std::string& path,
                           const Tensor& tensor) {
    const std::string& name = tensor.name;
    if (is_beside(file, name) && !is_beside(other, name)) return;
    ++different;
    out << printable(name, 2000) << "  only in " << printable(path, 1000) << '\n';
  };
  const auto show = [&](const Tensor& tensor, const std::string& what) {
    ++different;
    out << printable(tensor.name, 2000) << "  " << what << '\n';
  };
  while (x != a.tensors.end() || y != b.tensors.end()) {
    if (y == b.tensors.end() || (x != a.tensors.end() && x->name < y->name)) {
      only_in(a, b, path_a, *x);
      ++x;
    } else if (x == a.tensors.end() || y->name < x->name) {
      only_in(b, a, path_b, *y);
      ++y;
    } else {
      if (x->shape == y->shape && x->item_size > 0 && y->item_size > 0 &&
          (scales_of(a, *x) == nullptr) != (scales_of(b, *y) == nullptr)) {
        show(*x, int8_text(a, *x, b, *y));
      } else if (x->dtype_name != y->dtype_name || x->shape != y->shape) {
        show(*x, form_text(*x) + " in one, " + form_text(*y) + " in the other");
      } else if (const Difference found = compare(*x, *y); found.unequal > 0) {
        char largest[40];
        std::snprintf(largest, sizeof largest, "%.6g", found.largest);
        show(*x, std::to_string(found.unequal) + " of " + std::to_string(x->count()) +
                     " elements differ, by at most " + largest);
      } else {
        ++equal;
      }
      ++x, ++y;
    }
  }
  out << equal << " tensors equal bit for bit, " << different << " different\n";
  return different == 0;
}

bool run_diff(const DiffOptions& options) { return print_diff(std::cout, options.a, options.b); }

}  // namespace kinglet::tools
