#pragma once
// Where a converter gets weights: by the names of the published checkpoint, a few rows at a time.

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checkpoint.hpp"

namespace kinglet::tools {

using Shape = std::vector<std::int64_t>;

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  /// The tensor is there and has this shape, or an exception names it.
  virtual void require(const std::string& name, const Shape& shape) = 0;

  /// `count` entries of the first dimension, from `first` on, as finite floats.
  virtual void load(const std::string& name, std::int64_t first, std::int64_t count,
                    float* out) = 0;

  /// Throws: the tensor cannot be used.
  [[noreturn]] virtual void refuse(const std::string& name, const std::string& what) const;
};

/// The weights of a checkpoint, with a record of which were used.
class CheckpointWeights : public WeightSource {
 public:
  explicit CheckpointWeights(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  void require(const std::string& name, const Shape& shape) override;
  void load(const std::string& name, std::int64_t first, std::int64_t count, float* out) override;
  [[noreturn]] void refuse(const std::string& name, const std::string& what) const override;

  const Checkpoint& checkpoint() const { return checkpoint_; }
  bool has(std::string_view name) const { return checkpoint_.find(name) != nullptr; }
  bool has_prefix(std::string_view prefix) const;
  /// Throws when there is no such tensor, or it has another number of dimensions.
  Shape shape(const std::string& name, std::size_t rank) const;

  /// Both are there, with the same values.
  bool same(const std::string& a, const std::string& b) const;

  /// Names of one parameter: those that are there must hold the same values. Gives the first of them.
  std::string tie(const std::vector<std::string>& names);

  /// Tensors that the model never reads: this name, in which * stands for any text, or all that start with it if it
  /// ends with a dot.
  void skip(std::string_view name);

  /// Throws for the first tensor that was neither required, tied nor skipped.
  void check_all_used() const;

  /// Of the checkpoint, tied ones counted once, unused ones too, buffers not.
  std::uint64_t parameters() const;
  /// One text for each skip() that met something.
  const std::vector<std::string>& skipped() const { return skipped_; }
  /// Stored with another precision than float32: how many, by type.
  const std::vector<std::pair<std::string, int>>& converted() const { return converted_; }

 private:
  const Tensor& get(const std::string& name) const;

  const Checkpoint& checkpoint_;
  std::set<const Tensor*> used_;
  std::set<const Tensor*> twins_;  // further copies of a tied parameter
  std::vector<std::string> skipped_;
  std::vector<std::pair<std::string, int>> converted_;
};

}  // namespace kinglet::tools
