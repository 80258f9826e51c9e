#pragma once
// Kernels of every ISA in one program. One object an ISA is compiled from kernels_isa.cpp, each
// with its own flags; the programs choose among those that this CPU and its operating system can
// run.

#include <kinglet/kernels/table.hpp>

namespace kinglet::kernels {

/// Name of the i-th ISA that is compiled in, usable here or not, best first; null behind the last.
const char* compiled(int i) noexcept;
/// ISAs that are compiled in and usable here, best first. Never zero: scalar is always there.
int count() noexcept;
/// 0 ≤ i < count()
const Kernels<isa::runtime>& at(int i) noexcept;
/// at(0)
const Kernels<isa::runtime>& best() noexcept;
/// By tag name ("avx2"); null if it is not compiled in or not usable here.
const Kernels<isa::runtime>* find(const char* name) noexcept;

/// The table of one ISA, defined in the object compiled for it.
template <class Isa>
const Kernels<isa::runtime>& table() noexcept;

}  // namespace kinglet::kernels
