#pragma once

#include <vector>

#include "results/results.hpp"

namespace kinglet::tools {

/// The value below which a share of the sorted samples lies, between two of them linearly.
double percentile(const std::vector<double>& sorted, double share);

double median(std::vector<double> samples);

/// Of at least one sample, in seconds.
Latency latency_of(std::vector<double> samples);

}  // namespace kinglet::tools
