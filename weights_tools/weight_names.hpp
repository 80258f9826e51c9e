#pragma once
// WeightNames: which matrix, table or norm of a model file some weights belong to.

#include <kinglet/io/model_file.hpp>
#include <string>
#include <vector>

namespace kinglet::tools {

class WeightNames {
 public:
  struct Weight {
    std::string name;  ///< "blk.0.ffn_up", of the tensor "blk.0.ffn_up.weight"
    const unsigned char* begin;
    const unsigned char* end;
  };

  /// Of a file that outlives it.
  explicit WeightNames(const ModelFile& file);

  /// Whose bytes `data` points into; null where there is no such weight.
  const Weight* find(const void* data) const;

 private:
  std::vector<Weight> weights_;  // by address
};

}  // namespace kinglet::tools
