#pragma once
// A model file opened and ready to run: what verify, plan and kinglet-bench start from.

#include <cstddef>
#include <cstdlib>
#include <kinglet/backend/count.hpp>
#include <kinglet/backend/cpu.hpp>
#include <kinglet/models/hitut.hpp>
#include <kinglet/models/hitut_agent.hpp>
#include <memory>
#include <string>
#include <vector>

#include "mapped_file.hpp"
#include "thread_pool.hpp"

namespace kinglet::tools {

/// What a forward pass takes, counted before it runs.
struct Plan {
  std::size_t scratch_bytes;
  std::uint64_t flops;
  std::uint64_t bytes_moved;
};

/// "<program> 0.1.0", and the instruction sets that this processor can use.
std::string version_text(const std::string& program);

/// The kernels named by --isa; an empty name is the best this processor has. Throws with the list of those usable.
const kernels::Kernels<isa::runtime>& kernels_named(const std::string& isa);

class HitutSession {
 public:
  /// Throws FileError when the file is not a HiTUT model.
  explicit HitutSession(const std::string& path, const std::string& isa = {}, int threads = 1);

  const std::string& path() const noexcept { return mapped_->path(); }
  std::size_t file_bytes() const noexcept { return mapped_->bytes().size(); }
  const ModelFile& file() const noexcept { return file_; }
  hitut::Config& config() noexcept { return config_; }
  const hitut::Weights& weights() const noexcept { return *weights_; }
  const char* isa() const noexcept { return kernels_->isa; }
  int threads() const noexcept { return threads_; }

  void use(const kernels::Kernels<isa::runtime>& kernels) noexcept { kernels_ = &kernels; }

  /// live: positions of each sequence that are not masked, 0 for all. every_row: as with a trace.
  Plan plan(hitut::Task task, int batch, int live, bool every_row) const;

  /// f(backend) with at least `scratch_bytes` of scratch; gives the bytes that were used at most.
  template <class F>
  std::size_t run(std::size_t scratch_bytes, F f) {
    reserve(scratch_bytes);
    Arena arena(scratch_.get(), scratch_size_);
    Cpu<isa::runtime> cpu(arena, pool_.parallel(), *kernels_);
    f(cpu);
    return arena.peak();
  }

  /// Checks the input, plans, runs.
  void forward(const hitut::Input& in, const hitut::Output& out,
               const hitut::Trace* trace = nullptr);

 private:
  struct Free {
    void operator()(void* p) const noexcept { std::free(p); }
  };
  void reserve(std::size_t bytes);

  std::shared_ptr<MappedFile> mapped_;
  ModelFile file_;
  hitut::Config config_{};
  std::unique_ptr<hitut::Weights> weights_;
  const kernels::Kernels<isa::runtime>* kernels_;
  int threads_;
  ThreadPool pool_;
  std::unique_ptr<void, Free> scratch_;
  std::size_t scratch_size_ = 0;
};

}  // namespace kinglet::tools
