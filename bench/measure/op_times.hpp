#pragma once
// Where the time of a run goes: op by op.

#include <vector>

#include "results/results.hpp"
#include "workload.hpp"

namespace kinglet::tools {

/// What a run spends in each op, those on the same weights together, of all layers; and last, as "other", in the model's
/// own loops between them. Plain runs and watched ones take turns for so long, and the faster half of both counts: all
/// entries together are the mean of plain runs.
std::vector<OpTime> time_ops(ModelSession& session, Workload& workload, double seconds);

/// "blk.*.ffn_up" of "blk.3.ffn_up".
std::string without_layer_numbers(const std::string& name);

}  // namespace kinglet::tools
