#pragma once
// Reports as files: for `kinglet-bench model --html --svg` and `kinglet-bench report`.

#include <optional>
#include <results/results.hpp>
#include <string>
#include <vector>

#include "output_file.hpp"

namespace kinglet::tools {

/// The page, and each plot in a folder. It is made before hours of measuring, so that a place where
/// nothing can be written is told at once.
class ReportFiles {
 public:
  /// An empty path: not wanted. The folder is made where it is missing; `inputs` are not overwritten.
  /// Throws FileError.
  ReportFiles(const std::string& html_path, std::string svg_folder,
              std::vector<std::string> inputs);

  /// Throws FileError.
  void write(const std::vector<Results>& runs);

 private:
  std::optional<OutputFile> page_;
  std::string svg_folder_;
  std::vector<std::string> inputs_;
};

}  // namespace kinglet::tools
