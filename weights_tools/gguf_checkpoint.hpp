#pragma once
// The matrices inside a GGUF file of ours: what its panels hold.

#include "checkpoint.hpp"

namespace kinglet::tools {

/// Replaces tensors stored as 16-row panels by the matrices and vectors that they hold, q, k and v
/// apart. A checkpoint of another container stays as it is. `bytes` is
/// the file. Throws FileError.
void unpack_panels(Bytes bytes, Checkpoint& checkpoint);

}  // namespace kinglet::tools
