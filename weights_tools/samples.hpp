#pragma once
// Sample files: recorded inputs of a model, and outputs. A golden file holds in.* and out.*, an
// evaluation set <task>.*.

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint.hpp"

namespace kinglet::tools {

/// A computed or recorded output; every type that occurs fits a double without loss.
struct Values {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<double> numbers;
  bool integer = false;
};

/// The dense contents of a tensor. Throws FileError for types that are not numbers.
Values values_of(const std::string& path, const Tensor& tensor);

/// Values named out.<name> from floats, shape slowest first.
Values values_from(const std::string& name, std::vector<std::int64_t> shape,
                   const std::vector<float>& x);

/// The tensors of a sample file whose names begin with "<group>." (all of them where group is empty), and its metadata.
class Samples {
 public:
  Samples(const Checkpoint& checkpoint, const std::string& group)
      : checkpoint_(checkpoint), group_(group.empty() ? group : group + ".") {}

  const std::string& path() const { return checkpoint_.path; }
  std::string full(const std::string& name) const { return group_ + name; }

  std::string meta(const std::string& key, const std::string& fallback) const;
  double meta_number(const std::string& key, double fallback) const;

  bool has(const std::string& name) const { return checkpoint_.find(full(name)) != nullptr; }
  const std::vector<std::int64_t>& shape(const std::string& name) const { return get(name).shape; }
  /// Of the first dimension.
  std::int64_t length(const std::string& name) const;

  /// The numbers of a tensor; `count` of them, or any number if negative.
  template <class T>
  std::vector<T> numbers(const std::string& name, std::int64_t count = -1) const {
    const Tensor& tensor = get(name);
    if (count >= 0 && tensor.count() != count) {
      fail(name, "holds " + std::to_string(tensor.count()) + " numbers, the model needs " +
                     std::to_string(count));
    }
    const Values values = values_of(path(), tensor);
    std::vector<T> out;
    out.reserve(values.numbers.size());
    for (const double number : values.numbers) {
      if (!(std::abs(number) <= 2147483647.0)) fail(name, "holds a number out of range");
      out.push_back(static_cast<T>(number));
    }
    return out;
  }

  std::int32_t number(const std::string& name) const { return numbers<std::int32_t>(name, 1)[0]; }

  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    throw FileError(path(), full(name), what);
  }

 private:
  const Tensor& get(const std::string& name) const;

  const Checkpoint& checkpoint_;
  std::string group_;
};

}  // namespace kinglet::tools
