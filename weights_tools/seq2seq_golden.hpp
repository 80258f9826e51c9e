#pragma once
// Runs a Seq2Seq agent on recorded inputs: the in.* tensors of a golden file, or the episodes of an
// evaluation set.

#include <vector>

#include "seq2seq_session.hpp"

namespace kinglet::tools {

/// Every output that golden files record. Throws FileError when an input is missing or has another shape than the model
/// needs.
std::vector<Values> run_seq2seq_golden(Seq2SeqSession& session, const Checkpoint& golden);

/// The logits of at most `most` episodes (0: all), each step after the action that was really done, and some masks.
std::vector<Values> run_seq2seq_samples(Seq2SeqSession& session, const Checkpoint& samples,
                                        int most);

}  // namespace kinglet::tools
