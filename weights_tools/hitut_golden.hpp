#pragma once
// Runs a HiTUT model on recorded inputs: the `in.*` tensors of a golden file, as its metadata says, or
// the rows of an evaluation set.

#include <vector>

#include "hitut_session.hpp"

namespace kinglet::tools {

/// Every output that golden files record. Throws FileError when an input is missing or has another shape than the model
/// needs.
std::vector<Values> run_hitut_golden(HitutSession& session, const Checkpoint& golden);

/// The logits, of at most `most` rows (0: all) of each task.
std::vector<Values> run_hitut_samples(HitutSession& session, const Checkpoint& samples, int most);

}  // namespace kinglet::tools
