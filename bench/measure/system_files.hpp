#pragma once
// The small files by which Linux tells about the machine, below a root that tests can choose.

#include <string>

#include "results/results.hpp"

namespace kinglet::tools {

/// The file's first line without blanks at its ends.
Told<std::string> read_line(const std::string& path);
/// The number that the file's first line is.
Told<double> read_number(const std::string& path);

}  // namespace kinglet::tools
