// kinglet-bench kernels where Google Benchmark was not found.

#include <stdexcept>

#include "commands.hpp"

namespace kinglet::tools {

bool has_kernels() noexcept { return false; }

int run_kernels(const KernelsOptions&) {
  throw std::runtime_error("kernels: built without Google Benchmark (Debian: libbenchmark-dev)");
}

}  // namespace kinglet::tools
