#pragma once
// ModelSession: a model file of any architecture, opened and ready to run. What verify, plan,
// quantize and kinglet-bench start from. Each architecture has a session of its own, listed in
// model_session.cpp.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <kinglet/backend/count.hpp>
#include <kinglet/backend/cpu.hpp>
#include <kinglet/backend/observe.hpp>
#include <kinglet/io/model_file.hpp>
#include <memory>
#include <string>
#include <vector>

#include "mapped_file.hpp"
#include "model_edit.hpp"
#include "samples.hpp"
#include "thread_pool.hpp"

namespace kinglet::tools {

/// What a forward pass takes, counted before it runs.
struct Plan {
  std::size_t scratch_bytes;
  std::uint64_t flops;
  std::uint64_t bytes_moved;
  std::uint64_t s8_flops;  ///< of int8 products, among the flops
};

inline Plan plan_of(const Count& count) noexcept {
  return {count.scratch_bytes(), count.flops(), count.bytes_moved(), count.s8_flops()};
}

/// The plan of one thing that a model can be asked for.
struct NamedPlan {
  std::string name;
  Plan plan;
};

/// "<program> 0.1.0", and the instruction sets that this processor can use.
std::string version_text(const std::string& program);

/// The kernels named by --isa; an empty name is the best this processor has. Throws with the list of those usable.
const kernels::Kernels<isa::runtime>& kernels_named(const std::string& isa);

/// The bytes of a model file: mapped from `path`, or in memory under a name for messages.
struct ModelBytes {
  ModelBytes(const std::string& path)
      : mapped(MappedFile::open(path)), bytes(mapped->bytes()), name(path) {}
  /// They outlive whoever uses this.
  ModelBytes(Bytes memory, const std::string& its_name) : bytes(memory), name(its_name) {}

  std::shared_ptr<MappedFile> mapped;
  Bytes bytes;
  std::string name;
};

/// Told of each op of a run, see Observe.
class OpWatch {
 public:
  virtual ~OpWatch() = default;
  virtual void begin() noexcept = 0;
  virtual void end() noexcept = 0;
  virtual void seen(const ObservedOp& op) noexcept = 0;
};

class ModelSession {
 public:
  virtual ~ModelSession() = default;
  ModelSession(const ModelSession&) = delete;
  ModelSession& operator=(const ModelSession&) = delete;

  /// Every output that golden files of this architecture record, from their in.* tensors: out.* as there. Throws
  /// FileError when an input is missing or has another shape than the model needs.
  virtual std::vector<Values> run_golden(const Checkpoint& golden) = 0;

  /// What decides (logits, embeddings; no hidden states) for the inputs of a golden file (in.*) or of an evaluation set
  /// (<task>.*): at most `rows` of each, 0 for all. Named out.<output>, or <task>.<output>; rows first.
  virtual std::vector<Values> run_samples(const Checkpoint& samples, int rows) = 0;

  /// Of a sequence, or pixels of an image's side, where nothing else is asked for.
  virtual int positions() const = 0;
  /// Of a sequence.
  virtual int most_positions() const { return positions(); }
  virtual bool reads_images() const { return false; }
  /// live: positions of each sequence that are not masked, or pixels of a side; 0 for all. every_row: as with a trace.
  virtual std::vector<NamedPlan> plans(int batch, int live, bool every_row) const = 0;

  const std::string& path() const noexcept { return source_.name; }
  std::size_t file_bytes() const noexcept { return source_.bytes.size(); }
  const ModelFile& file() const noexcept { return file_; }
  const char* isa() const noexcept { return kernels_->isa; }
  int threads() const noexcept { return threads_; }

  void use(const kernels::Kernels<isa::runtime>& kernels) noexcept { kernels_ = &kernels; }

  /// Of all runs until it is null again.
  void observe(OpWatch* watch) noexcept { watch_ = watch; }

  /// Scratch that the last run used at most.
  std::size_t used_bytes() const noexcept { return used_bytes_; }

  /// f(backend) with at least `scratch_bytes` of scratch; gives the bytes that were used at most.
  template <class F>
  std::size_t run(std::size_t scratch_bytes, F f) {
    reserve(scratch_bytes);
    Arena arena(scratch_.get(), scratch_size_);
    Cpu<isa::runtime> cpu(arena, pool_.parallel(), *kernels_);
    Observe<Cpu<isa::runtime>, OpWatch> observed(cpu, watch_);
    f(observed);
    used_bytes_ = arena.peak();
    return used_bytes_;
  }

 protected:
  /// Throws FileError when the bytes are no model file.
  ModelSession(const ModelBytes& source, const std::string& isa, int threads);

  /// Throws FileError unless the status is ok.
  void need(const Status& status) const;

 private:
  struct Free {
    void operator()(void* p) const noexcept { std::free(p); }
  };
  void reserve(std::size_t bytes);

  ModelBytes source_;
  ModelFile file_;
  const kernels::Kernels<isa::runtime>* kernels_;
  OpWatch* watch_ = nullptr;
  int threads_;
  ThreadPool pool_;
  std::unique_ptr<void, Free> scratch_;
  std::size_t scratch_size_ = 0, used_bytes_ = 0;
};

/// By the architecture that the file names. Throws FileError.
std::unique_ptr<ModelSession> open_model(const std::string& path, const std::string& isa = {},
                                         int threads = 1);
/// The same over bytes that outlive the session; `name` is for messages only.
std::unique_ptr<ModelSession> open_model(Bytes bytes, const std::string& name,
                                         const std::string& isa = {}, int threads = 1);

/// A model taken apart for change. It was opened before: its tensors fit each other and what the file says of them.
/// Throws FileError.
ModelEdit edit_model(const std::string& path);

}  // namespace kinglet::tools
