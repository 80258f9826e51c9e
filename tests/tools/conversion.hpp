#pragma once
// What the tests of converters share: a conversion whose files a test may replace.

#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <kinglet/io/model_file.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "checkpoint.hpp"
#include "convert.hpp"
#include "mapped_file.hpp"
#include "output_file.hpp"
#include "safetensors_writer.hpp"
#include "tool_files.hpp"

namespace kinglet::tests {

struct BasicConversion {
  using Json = nlohmann::json;
  using Edit = std::function<void(std::vector<tools::Tensor>&)>;

  BasicConversion() { request.output = scratch.file("out.gguf"); }

  void run() {
    std::ostringstream text;
    convert(architecture_named(), request, text);
    report = text.str();
    bytes = tools::MappedFile::open(request.output);
    const auto opened = ModelFile::open(bytes->bytes());
    REQUIRE(opened.ok());
    file = *opened;
  }
  /// The message that it fails with; the output must then not exist.
  std::string error() {
    std::ostringstream text;
    try {
      convert(architecture_named(), request, text);
    } catch (const tools::FileError& error) {
      CHECK_FALSE(std::filesystem::exists(request.output));
      return error.what();
    }
    return "no error";
  }
  void edit_config(const std::function<void(Json&)>& edit) {
    Json root = Json::parse(read_text(request.config));
    edit(root);
    request.config = scratch.file("edited.json");
    write_text(request.config, root.dump());
  }
  /// Replaces a file of tensors by an edited copy, a plain state dict.
  void edit_tensors(std::string& path, const std::string& copy, const Edit& edit) {
    const tools::Checkpoint checkpoint = tools::read_checkpoint(path);
    std::vector<tools::Tensor> tensors = checkpoint.tensors;
    edit(tensors);
    path = scratch.file(copy);
    tools::OutputFile out(path);
    write_safetensors(out, tensors, checkpoint.aliases);
    out.commit();
  }
  void edit_weights(const Edit& edit) { edit_tensors(request.input, "model.safetensors", edit); }

  ScratchFolder scratch;
  tools::ConvertRequest request;
  std::string architecture;  ///< empty: the one that the inputs name
  std::string report;
  std::shared_ptr<tools::MappedFile> bytes;
  ModelFile file;

 private:
  std::string architecture_named() const {
    return architecture.empty() ? tools::architecture_of(request) : architecture;
  }
};

/// Whether a message has this part; it is shown if not.
inline bool says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return true;
  MESSAGE("it says: " << text);
  return false;
}

}  // namespace kinglet::tests
