#pragma once
// The same products by other libraries. They live in a module that is loaded only when asked for: their libraries start
// threads and take memory when they are loaded, which would show in what the other commands measure.

#include <functional>
#include <string>
#include <vector>

namespace kinglet::tools {

/// Something that is timed beside a kernel.
struct Baseline {
  std::string name;
  std::function<void()> call;
};

/// c (m, n) = a (m, k) · W (n, k)ᵀ, rows contiguous. The operands outlive the baselines.
struct Product {
  int m, n, k;
  const float* a;
  const float* w;
  int copies;  ///< of W, used in turn: more than one when W should come from memory
};

/// One step of an LSTM for one row x (k): state in and out, weights of their own.
struct LstmStep {
  int k, units;
  const float* x;
};

/// What the module exports.
struct BaselineModule {
  std::vector<Baseline> (*f32)(const Product&);
  std::vector<Baseline> (*s8)(const Product&);  ///< of what values does not matter
  std::vector<Baseline> (*lstm)(const LstmStep&);
};

/// Throws where the module was not built or cannot be loaded.
const BaselineModule& load_baselines();

}  // namespace kinglet::tools
