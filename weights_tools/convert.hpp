#pragma once
// convert: a published checkpoint becomes a model file. What an architecture needs is in a file of
// its own (convert_hitut.cpp); it reads weights from a WeightSource and lists what is stored in a
// TensorPlan, which packs and streams them.

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace kinglet::tools {

struct ConvertRequest {
  std::string input;
  std::string output;
  std::string config;  // these may be empty: not given
  std::string tables;
  std::string vocab;
  std::optional<int> heads;
  std::optional<int> layers;
  std::optional<double> eps;
  std::optional<int> mask_size;

  /// None of these is overwritten.
  std::vector<std::string> inputs() const { return {input, config, tables, vocab}; }
};

/// Those that convert knows.
std::vector<std::string> architectures();

/// Throws FileError. A summary goes to `report`.
void convert(const std::string& architecture, const ConvertRequest& request, std::ostream& report);

/// One per architecture, listed in convert.cpp.
void convert_hitut(const ConvertRequest& request, std::ostream& report);
void convert_bert(const ConvertRequest& request, std::ostream& report);
void convert_seq2seq(const ConvertRequest& request, std::ostream& report);
void convert_resnet(const ConvertRequest& request, std::ostream& report);
void convert_speaker(const ConvertRequest& request, std::ostream& report);

/// The architecture that the config names, or that the checkpoint's tensors show. Throws FileError when neither is of
/// one that is known here.
std::string architecture_of(const ConvertRequest& request);

}  // namespace kinglet::tools
