#include "grid.hpp"

#include <algorithm>

namespace kinglet::tools {
namespace {

template <class T>
void keep_first(std::vector<T>& values) {
  std::vector<T> once;
  for (const T& value : values) {
    if (std::find(once.begin(), once.end(), value) == once.end()) once.push_back(value);
  }
  values = once;
}

std::vector<int> of_kind(const std::vector<bool>& images, bool kind) {
  std::vector<int> models;
  for (std::size_t m = 0; m < images.size(); ++m) {
    if (images[m] == kind) models.push_back(static_cast<int>(m));
  }
  return models;
}

}  // namespace

std::string Place::text() const {
  std::string all = isa.empty() ? "" : isa + ", ";
  all += std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  all += ", batch " + std::to_string(batch);
  return size > 0 ? all + ", size " + std::to_string(size) : all;
}

std::vector<Place> places_of(GridOptions options, const std::vector<bool>& images) {
  keep_first(options.isas);
  for (auto* values : {&options.threads, &options.batches, &options.lengths, &options.images}) {
    keep_first(*values);
  }
  std::vector<Place> places;
  for (const std::string& isa : options.isas) {
    for (const int threads : options.threads) {
      for (const int batch : options.batches) {
        for (const bool kind : {false, true}) {
          const std::vector<int> models = of_kind(images, kind);
          std::vector<int> sizes = kind ? options.images : options.lengths;
          if (sizes.empty()) sizes = {0};
          for (const int size : sizes) {
            if (!models.empty()) places.push_back({isa, threads, batch, size, models});
          }
        }
      }
    }
  }
  return places;
}

}  // namespace kinglet::tools
