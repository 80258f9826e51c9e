#pragma once
// Reports as files: for `kinglet-bench model --html --svg` and `kinglet-bench report`.

#include <results/results.hpp>
#include <string>
#include <vector>

namespace kinglet::tools {

/// The page, and each plot in a folder, which is made where it is missing. An empty path: not wanted.
/// Throws FileError; `inputs` are not overwritten.
void write_report(const std::vector<Results>& runs, const std::string& html_path,
                  const std::string& svg_folder, const std::vector<std::string>& inputs);

}  // namespace kinglet::tools
