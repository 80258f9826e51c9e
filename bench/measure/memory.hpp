#pragma once
// What this process has resident, in bytes.

#include <cstdint>

#include "results/results.hpp"

namespace kinglet::tools {

Told<std::uint64_t> resident_now();
/// Without pages of files, code and weights among them, which the system maps as it likes.
Told<std::uint64_t> own_resident_now();
Told<std::uint64_t> resident_at_most();

}  // namespace kinglet::tools
