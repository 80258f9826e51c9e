#pragma once
// What ALFRED's Seq2Seq does in an episode, whole or in part.

#include "seq2seq_session.hpp"
#include "workload.hpp"

namespace kinglet::tools {

/// Throws when the model has no such task, or no such part.
std::unique_ptr<Workload> seq2seq_workload(Seq2SeqSession& session, const WorkloadOptions& options);

}  // namespace kinglet::tools
