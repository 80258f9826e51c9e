#pragma once
// A checkpoint of any container as one thing: named, strided views into the mapped file.
//
//   torch-zip     PyTorch's zip container (1.6 and later)
//   torch-legacy  PyTorch's stream of pickles before 1.6
//   safetensors   named dense tensors behind a JSON header
//   gguf          GGUF v3, tensors as they are stored
//
// Nothing that a file says is called or trusted: every size, offset and stride is checked against
// the bytes that are there, and what is built in memory is bounded whatever a file claims.

#include <cstdint>
#include <kinglet/core/dtype.hpp>
#include <kinglet/core/span.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "file_error.hpp"
#include "mapped_file.hpp"

namespace kinglet::tools {

struct Tensor {
  std::string name;
  DType dtype = DType::other;
  std::string dtype_name;            // "float32", "bfloat16", "uint16", "q8_0" …
  std::uint64_t item_size = 0;       // bytes of one element; 0 if elements come in blocks (q8_0)
  std::vector<std::int64_t> shape;   // slowest first
  std::vector<std::int64_t> stride;  // in elements, ≥ 0
  const unsigned char* storage = nullptr;  // the first element; unaligned in general
  std::uint64_t storage_bytes = 0;         // from there to the end of the storage
  std::uint64_t storage_id = 0;            // equal for tensors that share a storage
  std::uint64_t storage_offset = 0;        // elements before the first one in the storage

  /// Not empty: the shape that the strides are for. The elements are the first count() of that
  /// view in row-major order: so can a matrix be read out of panels of 16 rows.
  std::vector<std::int64_t> view_shape;

  /// Row-major without gaps, so that the nbytes() at `storage` are its contents.
  bool contiguous() const noexcept;
  std::int64_t count() const noexcept;
  /// Of the dense contents.
  std::uint64_t nbytes() const noexcept;
};

/// Writes the contents row-major, little-endian: tensor.nbytes() bytes.
void copy_dense(const Tensor& tensor, void* out);

/// Elements first … first + count − 1 of them. Not for elements that come in blocks.
void copy_elements(const Tensor& tensor, std::uint64_t first, std::uint64_t count, void* out);

/// What a batch norm saw in training: kept with the weights, but no parameter.
bool is_statistic(const Tensor& tensor) noexcept;

using TextPairs = std::vector<std::pair<std::string, std::string>>;
using TextLists = std::vector<std::pair<std::string, std::vector<std::string>>>;

struct Checkpoint {
  std::string path;
  std::string container;
  std::string prefix;                 // where the weights are inside, keys joined by dots
  std::vector<Tensor> tensors;        // the weights, named under the prefix, in the file's order
  std::vector<Tensor> other_tensors;  // optimizer state and the like, named by their whole path
  TextPairs metadata;                 // as text
  TextLists lists;                    // lists of texts beside the weights: vocabularies
  TextPairs aliases;                  // a dropped name and the tensor that stands for it
  std::shared_ptr<MappedFile> file;   // what the tensors point into …
  std::vector<std::shared_ptr<const std::vector<unsigned char>>> copies;  // … or here, for the few
                                                                          // that no view shows

  /// Follows aliases; null if there is none.
  const Tensor* find(std::string_view name) const;
};

/// Tells the container by its first bytes. Throws FileError.
Checkpoint read_checkpoint(const std::string& path);

/// The same over bytes that outlive the result; `path` is for messages only.
Checkpoint read_checkpoint_bytes(Bytes bytes, const std::string& path);

}  // namespace kinglet::tools
