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

/// How far a median may wander: the way from it to the 90th percentile, or to the fastest run,
/// whichever is longer. On a machine with other work to do both are long.
double spread_of(const Latency& latency);

/// Beyond noise: the medians are further apart than the root of both spreads' squares, and than 1 %,
/// for what one process cannot see of its own luck. Never so with fewer than 5 runs.
Difference difference_of(const Latency& reference, const Latency& latency);

/// As a cell of a table, in HTML.
std::string marked(const Difference& difference);

/// The above in words, for readers.
extern const char* const kNoiseText;

/// A model at a place of the grid, as the machines run it.
struct ComparedRow {
  std::string model;
  Setting setting;
  std::vector<const Point*> points;  ///< one a machine; null where it has none
  std::string isa;                   ///< of all; empty: each machine's fastest
  bool isas_differ = false;
};

/// What was run on two machines or more, each with its fastest instruction set; where those that ran
/// several have one in common, also by that. Models are the same when name, architecture and
/// precision are, and the file name where a run has several such.
std::vector<ComparedRow> compared_rows(const Collection& collection);

}  // namespace kinglet::tools::report
