#pragma once
// What this process has resident, in bytes.

#include <cstdint>

#include "results/results.hpp"

namespace kinglet::tools {

Told<std::uint64_t> resident_now();
Told<std::uint64_t> resident_at_most();

}  // namespace kinglet::tools
