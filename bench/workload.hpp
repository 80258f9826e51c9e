#pragma once
// Something to do for a model of any architecture, with made-up inputs: what `kinglet-bench model`
// times.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model_session.hpp"

namespace kinglet::tools {

struct WorkloadOptions {
  std::string task;  ///< of HiTUT and Seq2Seq; empty: low_mani, whole
  int batch = 1;
  int size =
      0;  ///< live positions of every sequence, 0: all, of Seq2Seq 64; pixels of a side, 0: 224
  int steps = 0;  ///< of Seq2Seq, 0: 50
  bool every_row = false;
};

/// A matrix that a run must get from memory or caches.
struct WeightRead {
  const void* data;
  std::size_t bytes;
};

class Workload {
 public:
  virtual ~Workload() = default;
  virtual std::string task() const = 0;
  virtual int length() const { return 0; }  ///< live positions; 0: it reads images
  virtual int image() const { return 0; }   ///< pixels of a side; 0: it reads sequences
  virtual int steps() const { return 0; }   ///< of Seq2Seq
  virtual Plan plan() const = 0;
  virtual void run() = 0;
  /// Of what a model carries from step to step, beside the scratch.
  virtual std::size_t held_bytes() const { return 0; }
  /// Of the made-up inputs and the outputs, which are an agent's own.
  virtual std::size_t io_bytes() const = 0;
  /// In their order, where reading weights bounds the time at batch 1; else nothing.
  virtual std::vector<WeightRead> reads() const { return {}; }
  /// Over the bits of what the last run gave: the same on every machine that computes the same.
  virtual std::uint64_t hash() const = 0;
};

/// Whether a run of the model is as many steps as one says.
bool goes_in_steps(const ModelSession& session);

/// For a session that outlives it. Throws when the model has no such task, or is shorter than that.
std::unique_ptr<Workload> make_workload(ModelSession& session, const WorkloadOptions& options);

}  // namespace kinglet::tools
