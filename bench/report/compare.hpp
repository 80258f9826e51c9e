#pragma once
// One latency beside another: whether they differ by more than the machine's unrest.

#include <optional>
#include <string>
#include <vector>

#include "collection.hpp"

namespace kinglet::tools::report {

struct Difference {
  double ratio = 1;  ///< of the medians, to the reference
  bool beyond_noise = false;
};

/// How far a median may wander: the way from the median to the 90th percentile, or 1.25 standard
/// errors of the mean, whichever is more.
double spread_of(const Latency& latency);

/// Beyond noise: the medians are further apart than the root of both spreads' squares, and than 1 %,
/// for what one process cannot see of its own luck. Never so with fewer than 5 runs.
Difference difference_of(const Latency& reference, const Latency& latency);

/// The above in words, for readers.
extern const char* const kNoiseText;

/// A model at a place of the grid, as the machines run it.
struct ComparedRow {
  std::string model;
  Setting setting;
  std::vector<const Point*> points;  ///< one a machine; null where it has none
  bool isas_differ = false;
};

/// What was run on two machines or more. Models are the same when name, architecture and precision
/// are, and the file name where a run has several such. Points of equal instruction set are held
/// beside each other; those with one that no other machine has, each machine's fastest.
std::vector<ComparedRow> compared_rows(const Collection& collection);

}  // namespace kinglet::tools::report
