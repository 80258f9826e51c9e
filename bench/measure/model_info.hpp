#pragma once

#include "model_session.hpp"
#include "results/results.hpp"

namespace kinglet::tools {

/// What a file holds, without its accuracy.
Model describe_model(const ModelSession& session);

}  // namespace kinglet::tools
