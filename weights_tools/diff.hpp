#pragma once

#include <iosfwd>
#include <string>

namespace kinglet::tools {

/// Compares the weights of two checkpoints of any containers and prints what differs. True if every
/// tensor is in both and equal bit for bit. Throws FileError.
bool print_diff(std::ostream& out, const std::string& a, const std::string& b);

}  // namespace kinglet::tools
