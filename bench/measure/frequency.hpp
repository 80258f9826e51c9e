#pragma once

#include <string>
#include <vector>

#include "results/results.hpp"

namespace kinglet::tools {

/// From its construction on: the clock of the core that the caller runs on, and whether the machine
/// slowed its processor down against heat or a weak supply.
class FrequencyWatch {
 public:
  /// root: where sys/ is, "" for the real one.
  explicit FrequencyWatch(const std::string& root);
  void sample();
  /// Samples once more.
  Told<Frequency> told();

 private:
  double events() const;

  std::string cpus_;
  std::vector<std::string> counters_;  ///< of times that a core or package was slowed down
  std::vector<std::string> states_;    ///< above 0 while a processor is slowed down
  double events_before_ = 0;
  bool throttled_ = false;
  Told<Frequency> seen_;
};

}  // namespace kinglet::tools
