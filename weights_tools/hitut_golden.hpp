#pragma once
// Runs a HiTUT model on the `in.*` tensors of a golden file, as its metadata says, and gives every
// output that such files record.

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint.hpp"
#include "session.hpp"

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

/// Throws FileError when an input is missing or has another shape than the model needs.
std::vector<Values> run_hitut_golden(HitutSession& session, const Checkpoint& golden);

}  // namespace kinglet::tools
