#pragma once

#include <iosfwd>

#include "checkpoint.hpp"

namespace kinglet::tools {

/// Elements of floating-point weights, each distinct view of a storage once, the padding of panels
/// not counted.
std::uint64_t parameter_count(const Checkpoint& checkpoint);

void print_checkpoint(std::ostream& out, const Checkpoint& checkpoint);
void print_checkpoint_json(std::ostream& out, const Checkpoint& checkpoint);

}  // namespace kinglet::tools
