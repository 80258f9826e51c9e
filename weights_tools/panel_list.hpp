#pragma once
// kinglet.panels.*: which tensors of a model file are panels of 16 rows, and their true sizes.
//
//   f32 matrix   [parts · ceil(n/16)][k][16]                        kernels/gemm_f32.hpp
//   s8 matrix    [parts · ceil(n/16)][padded_depth(k)/4][16][4]     kernels/gemm_s8.hpp
//   vectors      [parts · ceil(n/16)][16], k = 0                    biases; an s8 matrix X has also
//                                                                   X_scale, X_sums, X_negatives

#include <cstdint>
#include <kinglet/io/model_file.hpp>
#include <map>
#include <string>

namespace kinglet::tools {

/// `parts` matrices of n × k, or vectors of n where k is 0.
struct Panels {
  std::uint64_t parts = 0, n = 0, k = 0;
};

/// Of parts, n and k, and of the rows of a table.
inline constexpr std::uint64_t kMostRows = std::uint64_t{1} << 30;

/// What belongs to the columns of an s8 matrix, one value a row of W.
inline constexpr const char* kScaleSuffix = "_scale";
inline constexpr const char* kSumsSuffix = "_sums";
inline constexpr const char* kNegativesSuffix = "_negatives";
/// A factor for each column of the rows that it reads, if there; W is stored divided by it.
inline constexpr const char* kSmoothSuffix = "_smooth";
/// All that may stand beside an s8 matrix or table.
inline constexpr const char* kBesideS8[] = {kScaleSuffix, kSumsSuffix, kNegativesSuffix,
                                            kSmoothSuffix};

using PanelList = std::map<std::string, Panels>;

/// By tensor. Nothing where the file has none. Throws FileError; that the tensors are there is for
/// whoever uses them to check. `path` is for messages.
PanelList read_panel_list(const ModelFile& file, const std::string& path);

/// Elements of each part, padding included. Throws FileError where a tensor of `dtype` with
/// `items` elements does not hold these panels.
std::uint64_t panel_part_items(const Panels& panels, DType dtype, std::uint64_t items,
                               const std::string& path, const std::string& tensor);

}  // namespace kinglet::tools
