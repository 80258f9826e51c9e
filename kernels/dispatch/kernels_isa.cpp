// Compiled once an ISA: KINGLET_ISA is its tag, the compiler's flags are those of its instructions.
// Every weak symbol of such an object must carry the tag in its name: the linker may give its copy
// to the whole program.

#include "dispatch.hpp"

namespace kinglet::kernels {

template <>
const Kernels<isa::runtime>& table<isa::KINGLET_ISA>() noexcept {
  static constexpr Kernels<isa::runtime> kTable = table_of<isa::KINGLET_ISA>();
  return kTable;
}

}  // namespace kinglet::kernels
