#include "samples.hpp"

#include <cstdlib>
#include <cstring>

#include "half.hpp"

namespace kinglet::tools {

Values values_of(const std::string& path, const Tensor& tensor) {
  Values values{tensor.name, tensor.shape, {}, true};
  std::vector<unsigned char> bytes(tensor.nbytes());
  if (size_of(tensor.dtype) == 0) {
    throw FileError(path, tensor.name,
                    "holds " + tensor.dtype_name + ", which is not a number type");
  }
  copy_dense(tensor, bytes.data());
  const auto n = static_cast<std::size_t>(tensor.count());
  values.numbers.reserve(n);
  const auto read = [&](auto zero, auto convert) {
    for (std::size_t i = 0; i < n; ++i) {
      auto element = zero;
      std::memcpy(&element, bytes.data() + i * sizeof element, sizeof element);
      values.numbers.push_back(static_cast<double>(convert(element)));
    }
  };
  const auto same = [](auto x) { return x; };
  switch (tensor.dtype) {
    case DType::f32: read(float{}, same); break;
    case DType::f64: read(double{}, same); break;
    case DType::f16: read(std::uint16_t{}, half_to_float); break;
    case DType::bf16: read(std::uint16_t{}, bfloat16_to_float); break;
    case DType::s8: read(std::int8_t{}, same); break;
    case DType::s16: read(std::int16_t{}, same); break;
    case DType::s32: read(std::int32_t{}, same); break;
    case DType::s64: read(std::int64_t{}, same); break;
    case DType::u8:
    case DType::boolean: read(std::uint8_t{}, same); break;
    case DType::other: break;
  }
  values.integer = tensor.dtype != DType::f32 && tensor.dtype != DType::f64 &&
                   tensor.dtype != DType::f16 && tensor.dtype != DType::bf16;
  return values;
}

Values values_from(const std::string& name, std::vector<std::int64_t> shape,
                   const std::vector<float>& x) {
  return {"out." + name, std::move(shape), {x.begin(), x.end()}, false};
}

const Tensor& Samples::get(const std::string& name) const {
  const Tensor* tensor = checkpoint_.find(full(name));
  if (tensor == nullptr) fail(name, "the tensor is missing");
  return *tensor;
}

std::int64_t Samples::length(const std::string& name) const {
  const Tensor& tensor = get(name);
  return tensor.shape.empty() ? 1 : tensor.shape[0];
}

std::string Samples::meta(const std::string& key, const std::string& fallback) const {
  for (const auto& [name, value] : checkpoint_.metadata) {
    if (name == key) return value;
  }
  return fallback;
}

double Samples::meta_number(const std::string& key, double fallback) const {
  const std::string text = meta(key, std::to_string(fallback));
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != 0 || !(value > 0 && value < 1e6)) {
    throw FileError(path(), "metadata", key + " " + in_quotes(text) + " is not a usable number");
  }
  return value;
}

}  // namespace kinglet::tools
