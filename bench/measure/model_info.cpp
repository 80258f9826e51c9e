#include "model_info.hpp"

#include "checkpoint.hpp"
#include "inspect.hpp"
#include "text.hpp"

namespace kinglet::tools {
namespace {

/// Of matrices, which are panels of 16 rows, and of tables.
std::string precision_of(const ModelFile& file) {
  int f32 = 0, s8 = 0;
  file.for_each_tensor([&](const TensorInfo& tensor) {
    if (tensor.dtype == DType::s8) {
      ++s8;
    } else if (tensor.dtype == DType::f32 && tensor.rank == 3) {
      ++f32;
    }
  });
  if (s8 == 0) return "fp32";
  if (f32 == 0) return "int8";
  return "int8, " + std::to_string(f32) + " of " + std::to_string(f32 + s8) + " matrices fp32";
}

}  // namespace

Model describe_model(const ModelSession& session) {
  Model model;
  const std::string suffix = ".gguf", name = printable(file_name(session.path()), 200);
  model.file = printable(session.path(), 1000);
  const bool has_suffix = name.size() > suffix.size() &&
                          name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0;
  model.name = has_suffix ? name.substr(0, name.size() - suffix.size()) : name;
  model.architecture = *session.file().string("general.architecture");
  model.precision = precision_of(session.file());
  model.file_bytes = session.file_bytes();
  session.file().for_each_tensor(
      [&](const TensorInfo& tensor) { model.weight_bytes += tensor.nbytes; });
  model.parameters = parameter_count(read_checkpoint(session.path()));
  const auto source = session.file().u64("kinglet.source.parameters");
  if (source) model.source_parameters = *source;
  return model;
}

}  // namespace kinglet::tools
