#pragma once
// What the tests of HiTUT's converter share: its fixtures, and tensors to replace in them.

#include <string>
#include <vector>

#include "conversion.hpp"

namespace kinglet::tests {

inline std::string fixture(const std::string& encoder, const std::string& file) {
  return std::string(KINGLET_TEST_DATA) + "/alfred/hitut_" + encoder + "/" + file;
}

struct HitutConversion : BasicConversion {
  explicit HitutConversion(const std::string& encoder,
                           const std::string& container = "safetensors") {
    architecture = "hitut";
    request.input = fixture(encoder, "model_best_seen." + container);
    request.config = fixture(encoder, "config.json");
    request.tables = fixture(encoder, "tables.safetensors");
  }
  void edit_tables(const Edit& edit) { edit_tensors(request.tables, "tables.safetensors", edit); }
};

inline tools::Tensor& named(std::vector<tools::Tensor>& tensors, const std::string& name) {
  for (tools::Tensor& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  FAIL("no tensor " << name);
  return tensors.front();
}

inline void drop(std::vector<tools::Tensor>& tensors, const std::string& name) {
  tensors.erase(tensors.begin() + (&named(tensors, name) - tensors.data()));
}

/// A tensor over values that the caller keeps alive.
template <class T>
void set_values(tools::Tensor& tensor, const std::vector<T>& values, DType dtype,
                const char* dtype_name) {
  tensor.dtype = dtype;
  tensor.dtype_name = dtype_name;
  tensor.item_size = sizeof(T);
  std::int64_t step = 1;
  tensor.stride.assign(tensor.shape.size(), 1);
  for (std::size_t i = tensor.shape.size(); i-- > 0; step *= tensor.shape[i]) {
    tensor.stride[i] = step;
  }
  REQUIRE(step == static_cast<std::int64_t>(values.size()));
  tensor.storage = reinterpret_cast<const unsigned char*>(values.data());
  tensor.storage_bytes = values.size() * sizeof(T);
  tensor.storage_offset = 0;
  tensor.storage_id = ~std::uint64_t{0};
}

template <class T>
std::vector<T> values_of(const tools::Tensor& tensor) {
  std::vector<T> values(static_cast<std::size_t>(tensor.count()));
  REQUIRE(tensor.nbytes() == values.size() * sizeof(T));
  tools::copy_dense(tensor, values.data());
  return values;
}

}  // namespace kinglet::tests
