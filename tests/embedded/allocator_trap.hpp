#pragma once
// Replaces the allocator of the program it is linked to and counts every request.

namespace trap {

/// Calls of malloc and its kin, operator new included, since the program began.
long allocations();

}  // namespace trap
