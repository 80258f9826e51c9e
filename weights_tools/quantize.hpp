#pragma once
// quantize: a model's matrices and tables become int8. With samples, what that does to the model's
// outputs is measured, weight by weight, and decides what stays in fp32.

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "int8_variants.hpp"
#include "output_error.hpp"
#include "recentre.hpp"

namespace kinglet::tools {

struct QuantizeRequest {
  enum class Attention : std::uint8_t { automatic, f32, s8 };

  std::string input, output;
  std::string samples;  // these two may be empty: not given
  std::string report;
  int rows = 64;                  // of each task or golden file; 0: all
  bool choose = true;             // what costs most accuracy a byte stays in fp32
  std::vector<std::string> keep;  // stay in fp32; * stands for any text
  std::optional<double> max_error;
  std::optional<std::uint64_t> budget_bytes;
  bool recentre = true;
  bool smooth = false;  ///< needs samples
  Attention attention = Attention::f32;
  std::string isa;
  int threads = 1;
};

/// Why a weight is what it is.
enum class Decision : std::uint8_t { int8, kept_as_asked, kept_for_accuracy };

struct QuantizeResult {
  std::vector<QuantizableWeight> weights;
  std::vector<Decision> decisions;
  std::vector<double> errors;  // of each weight alone; empty without samples
  std::vector<std::uint32_t> attention_layers;
  std::vector<double> attention_errors;  // empty when not measured
  std::vector<std::uint32_t> s8_attention;
  Recentred recentred;
  bool rounded = false;                          // for the rows of the samples
  std::vector<std::string> smoothed;             // tensors whose columns got factors
  std::optional<OutputError> all_int8, reached;  // of the whole model
  std::uint64_t bytes_before = 0, bytes = 0;
  std::string refused;  // why nothing was written, "" when the file is there
};

/// Writes the file, unless a bound that was asked for cannot be met. Throws FileError.
QuantizeResult quantize(const QuantizeRequest& request);

/// The table; JSON with the same.
void print_quantized(std::ostream& out, const QuantizeRequest& request,
                     const QuantizeResult& result);
std::string quantized_json(const QuantizeRequest& request, const QuantizeResult& result);

}  // namespace kinglet::tools
