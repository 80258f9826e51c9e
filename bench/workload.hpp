#pragma once
// Something to do for a model of any architecture, with made-up inputs: what `kinglet-bench model`
// times.

#include <cstdint>
#include <memory>
#include <string>

#include "model_session.hpp"

namespace kinglet::tools {

struct WorkloadOptions {
  std::string task;  ///< of HiTUT; empty: low_mani
  int batch = 1;
  int live = 0;  ///< positions of every sequence that are not masked; 0: all
  bool every_row = false;
};

class Workload {
 public:
  virtual ~Workload() = default;
  virtual std::string task() const = 0;
  virtual int positions() const = 0;  ///< that are live
  virtual Plan plan() const = 0;
  virtual void run() = 0;
  /// Over the bits of what the last run gave: the same on every machine that computes the same.
  virtual std::uint64_t hash() const = 0;
};

/// For a session that outlives it. Throws when the model has no such task.
std::unique_ptr<Workload> make_workload(ModelSession& session, const WorkloadOptions& options);

}  // namespace kinglet::tools
