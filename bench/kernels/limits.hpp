#pragma once
// What the cases are held against.

#include <cstddef>
#include <memory>

#include "cases.hpp"
#include "peak.hpp"

namespace kinglet::tools {

/// Operations in registers, on as many threads as the kernel has.
void limit_by_burst(Limit limit, const Burst& burst, const Parallel& parallel, Case& c);

/// Copies of W that are used in turn, by the kernel and its limit together: for an op that is to find W in no cache so
/// many that a copy has left the caches when its turn comes again.
struct Copies {
  int count = 1;
  int next = 0;

  /// For W of so many bytes.
  Copies(const CaseId& id, std::size_t weight_bytes);
  /// Number of the copy whose turn it is.
  int take() noexcept;
};

/// Reading the panels of W once, split among the threads as Cpu::linear does.
void limit_by_reading(const void* panels, int count, std::size_t panel_bytes,
                      const std::shared_ptr<Copies>& copies, const Parallel& parallel, Case& c);

/// Copying half of the bytes that the kernel reads and writes.
void limit_by_copying(Case& c);

}  // namespace kinglet::tools
