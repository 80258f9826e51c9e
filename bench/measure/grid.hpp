#pragma once
// The places at which models are measured: every instruction set with every number of threads, every
// batch and every length or image size.

#include <string>
#include <vector>

namespace kinglet::tools {

struct GridOptions {
  std::vector<std::string> isas{""};  ///< "": the best here
  std::vector<int> threads{1}, batches{1};
  std::vector<int> lengths, images;  ///< none: what each model has by default
};

struct Place {
  std::string isa;
  int threads = 1, batch = 1;
  int size = 0;  ///< positions, or pixels of a side; 0: the model's own
  std::vector<int> models;

  /// "avx2, 2 threads, batch 4, 64".
  std::string text() const;
};

/// images: for each model whether its inputs are images. Models of one kind stand at the same places.
/// A value that is named twice counts once.
std::vector<Place> places_of(GridOptions options, const std::vector<bool>& images);

}  // namespace kinglet::tools
