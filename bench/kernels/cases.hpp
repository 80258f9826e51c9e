#pragma once
// What is measured: one kernel, one shape, one instruction set, so many threads.

#include <dispatch/dispatch.hpp>
#include <functional>
#include <kinglet/backend/parallel.hpp>
#include <string>
#include <vector>

#include "baselines/baselines.hpp"
#include "shapes.hpp"

namespace kinglet::tools {

/// What a kernel is held against.
enum class Limit {
  f32,   ///< f32_burst
  s8,    ///< s8_burst
  read,  ///< read_pass over the weights
  copy,  ///< copy_pass of as many bytes as the kernel reads and writes
};

struct CaseId {
  std::string kernel;  ///< "gemm_f32"
  Shape shape;
  const kernels::Kernels<isa::runtime>* kernels;
  int threads;

  /// "gemm_f32/avx2/m:160/n:768/k:768/threads:1"
  std::string name() const;
};

/// The kernels that are measured with the sizes of an op.
std::vector<std::string> kernels_of(const std::string& op);

/// Others run on one thread whatever is lent.
bool uses_threads(const std::string& op);

/// A case with its operands in memory. Work is counted in operations (a multiply-add is two), or in bytes where the
/// limit is the memory's.
struct Case {
  const char* unit = nullptr;  ///< "GFLOP/s", "GOP/s"; null where operations mean little
  double operations = 0;       ///< of one call
  double bytes = 0;            ///< read and written by one call, each operand once
  std::function<void()> call;

  Limit limit = Limit::f32;
  double limited_work = 0;  ///< what one call does of that which the limit counts
  std::function<void()> limit_call;
  double limit_work = 0;  ///< of one limit_call

  std::vector<Baseline> baselines;
};

/// baselines: null unless they are to run too.
Case make_case(const CaseId& id, const Parallel& parallel, const BaselineModule* baselines);

// Those of one family, in gemm_cases.cpp, lstm_cases.cpp and vector_cases.cpp.
Case gemm_f32_case(const CaseId&, const Parallel&, const BaselineModule*);
Case gemm_s8_case(const CaseId&, const Parallel&, const BaselineModule*);
Case lstm_case(const CaseId&, const Parallel&, const BaselineModule*);
Case attention_case(const CaseId&, const Parallel&, const BaselineModule*);
Case rows_case(const CaseId&);
Case embedding_case(const CaseId&);

}  // namespace kinglet::tools
