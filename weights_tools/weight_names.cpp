#include "weight_names.hpp"

#include <algorithm>
#include <string_view>

namespace kinglet::tools {

WeightNames::WeightNames(const ModelFile& file) {
  constexpr std::string_view kEnd = ".weight";
  file.for_each_tensor([&](const TensorInfo& tensor) {
    const std::string_view name = tensor.name;
    if (name.size() <= kEnd.size() || name.substr(name.size() - kEnd.size()) != kEnd) return;
    weights_.push_back({std::string(name.substr(0, name.size() - kEnd.size())), tensor.data,
                        tensor.data + tensor.nbytes});
  });
  std::sort(weights_.begin(), weights_.end(),
            [](const Weight& a, const Weight& b) { return a.begin < b.begin; });
}

const WeightNames::Weight* WeightNames::find(const void* data) const {
  const auto* at = static_cast<const unsigned char*>(data);
  const auto after =
      std::upper_bound(weights_.begin(), weights_.end(), at,
                       [](const unsigned char* p, const Weight& w) { return p < w.begin; });
  if (after == weights_.begin() || at >= (after - 1)->end) return nullptr;
  return &*(after - 1);
}

}  // namespace kinglet::tools
