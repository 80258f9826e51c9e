#pragma once
// Which of the tensors in an unpickled checkpoint are the weights, and what their names are.
//
// The weights lie in one dict, the prefix being the keys that lead to it. From the root on, the
// search enters a dict under a customary name ("model", "state_dict" …), else the only dict that
// has tensors; it stops where tensors, or several dicts with tensors, lie side by side. What an
// optimizer keeps (by its key, or by its "state" and "param_groups"), what lies under integer keys
// further down or in the attributes of an object, and what is not under the prefix, are other
// tensors.

#include "checkpoint.hpp"
#include "pickle.hpp"

namespace kinglet::tools {

/// Fills in prefix, tensors, other_tensors, metadata (plain values beside the weights, an object's
/// attributes too) and lists. The bytes of all storages must be known. `where` names the pickle in messages.
void collect_weights(const pickle::Value& root, const std::string& file, const std::string& where,
                     Budget& budget, Checkpoint& checkpoint);

}  // namespace kinglet::tools
