#pragma once

#include <cstddef>
#include <string>

#include "results/results.hpp"

namespace kinglet::tools {

/// root: where sys/ and proc/ are, "" for the real ones. An empty label: the board's name, else the
/// CPU's.
Machine describe_machine(const std::string& root, const std::string& label);

/// Bytes of the largest cache that this machine tells of; 0: it tells of none.
std::size_t largest_cache(const std::string& root);

}  // namespace kinglet::tools
