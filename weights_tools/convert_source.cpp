#include "convert_source.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <tuple>

#include "half.hpp"
#include "text.hpp"

namespace kinglet::tools {
namespace {

bool is_floating(DType type) {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16 || type == DType::f64;
}

/// What makes two tensors the same memory.
auto place_of(const Tensor& tensor) {
  return std::tie(tensor.storage_id, tensor.storage_offset, tensor.shape, tensor.stride);
}

std::vector<unsigned char> dense(const Tensor& tensor) {
  std::vector<unsigned char> bytes(static_cast<std::size_t>(tensor.nbytes()));
  copy_dense(tensor, bytes.data());
  return bytes;
}

bool same_contents(const Tensor& a, const Tensor& b) {
  return a.dtype == b.dtype && a.shape == b.shape &&
         (place_of(a) == place_of(b) || dense(a) == dense(b));
}

bool matches(std::string_view name, std::string_view pattern) {
  return pattern.back() == '.' ? name.substr(0, pattern.size()) == pattern
                               : matches_wildcard(pattern, name);
}

template <class T, class F>
void widen(const std::vector<unsigned char>& from, float* to, F f) {
  for (std::size_t at = 0; at < from.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, from.data() + at, sizeof value);
    *to++ = f(value);
  }
}

}  // namespace

void WeightSource::refuse(const std::string& name, const std::string& what) const {
  throw std::runtime_error("tensor " + in_quotes(name) + ": " + what);
}

void CheckpointWeights::refuse(const std::string& name, const std::string& what) const {
  throw FileError(checkpoint_.path, "tensor " + in_quotes(name), what);
}

const Tensor& CheckpointWeights::get(const std::string& name) const {
  const Tensor* tensor = checkpoint_.find(name);
  if (tensor == nullptr) refuse(name, "is missing");
  return *tensor;
}

bool CheckpointWeights::has_prefix(std::string_view prefix) const {
  return std::any_of(checkpoint_.tensors.begin(), checkpoint_.tensors.end(),
                     [&](const Tensor& t) { return matches(t.name, prefix); });
}

Shape CheckpointWeights::shape(const std::string& name, std::size_t rank) const {
  const Tensor& tensor = get(name);
  if (tensor.shape.size() != rank) {
    refuse(name, "has the shape " + shape_text(tensor.shape) + ", " + std::to_string(rank) +
                     " dimensions are needed");
  }
  for (const std::int64_t dim : tensor.shape) {
    if (dim < 1 || dim > (1 << 28)) {
      refuse(name, "has the shape " + shape_text(tensor.shape) + ", which no such model has");
    }
  }
  return tensor.shape;
}

void CheckpointWeights::require(const std::string& name, const Shape& shape) {
  const Tensor& tensor = get(name);
  if (tensor.shape != shape) {
    refuse(name, "has the shape " + shape_text(tensor.shape) + ", needed is " + shape_text(shape));
  }
  if (!is_floating(tensor.dtype)) {
    refuse(name, "holds " + tensor.dtype_name + ", floating-point numbers are needed");
  }
  if (!used_.insert(&tensor).second || tensor.dtype == DType::f32) return;
  const auto known = std::find_if(converted_.begin(), converted_.end(), [&](const auto& entry) {
    return entry.first == tensor.dtype_name;
  });
  if (known != converted_.end()) {
    ++known->second;
  } else {
    converted_.emplace_back(tensor.dtype_name, 1);
  }
}

void CheckpointWeights::load(const std::string& name, std::int64_t first, std::int64_t count,
                             float* out) {
  const Tensor& tensor = get(name);
  const auto row = static_cast<std::uint64_t>(tensor.count() / tensor.shape[0]);
  const std::uint64_t from = static_cast<std::uint64_t>(first) * row;
  const std::uint64_t n = static_cast<std::uint64_t>(count) * row;
  if (tensor.dtype == DType::f32) {
    copy_elements(tensor, from, n, out);
  } else {
    std::vector<unsigned char> bytes(static_cast<std::size_t>(n * tensor.item_size));
    copy_elements(tensor, from, n, bytes.data());
    switch (tensor.dtype) {
      case DType::f16: widen<std::uint16_t>(bytes, out, half_to_float); break;
      case DType::bf16: widen<std::uint16_t>(bytes, out, bfloat16_to_float); break;
      case DType::f64:
        widen<double>(bytes, out, [](double x) { return static_cast<float>(x); });
        break;
      default: refuse(name, "holds " + tensor.dtype_name + ", floating-point numbers are needed");
    }
  }
  if (!std::all_of(out, out + n, [](float x) { return std::isfinite(x); })) {
    refuse(name, "holds a NaN or an infinity");
  }
}

bool CheckpointWeights::same(const std::string& a, const std::string& b) const {
  const Tensor *first = checkpoint_.find(a), *second = checkpoint_.find(b);
  return first != nullptr && second != nullptr && same_contents(*first, *second);
}

std::string CheckpointWeights::tie(const std::vector<std::string>& names) {
  std::string first;
  const Tensor* kept = nullptr;
  for (const std::string& name : names) {
    const Tensor* tensor = checkpoint_.find(name);
    if (tensor == nullptr || tensor == kept) continue;
    if (kept == nullptr) {
      first = name;
      kept = tensor;
    } else if (same_contents(*kept, *tensor)) {
      twins_.insert(tensor);
    } else {
      refuse(name, "differs from " + in_quotes(first) + ", but they are one parameter");
    }
  }
  if (kept == nullptr) refuse(names.front(), "is missing");
  return first;
}

void CheckpointWeights::skip(std::string_view name) {
  std::string names;
  for (const Tensor& tensor : checkpoint_.tensors) {
    if (used_.count(&tensor) == 0 && matches(tensor.name, name)) {
      used_.insert(&tensor);
      names += (names.empty() ? "" : ", ") + tensor.name;
    }
  }
  if (!names.empty()) skipped_.push_back(names);
}

void CheckpointWeights::check_all_used() const {
  for (const Tensor& tensor : checkpoint_.tensors) {
    if (used_.count(&tensor) == 0 && twins_.count(&tensor) == 0) {
      refuse(tensor.name, "has no place in this model (shape " + shape_text(tensor.shape) + ")");
    }
  }
}

std::uint64_t CheckpointWeights::parameters() const {
  std::set<decltype(place_of(std::declval<const Tensor&>()))> seen;
  std::uint64_t total = 0;
  for (const Tensor& tensor : checkpoint_.tensors) {
    if (!is_floating(tensor.dtype) || is_statistic(tensor) || twins_.count(&tensor) != 0) continue;
    if (seen.insert(place_of(tensor)).second) total += static_cast<std::uint64_t>(tensor.count());
  }
  return total;
}

}  // namespace kinglet::tools
