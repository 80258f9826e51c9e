#pragma once
// The small files by which Linux tells about the machine, below a root that tests can choose.

#include <string>
#include <vector>

#include "results/results.hpp"

namespace kinglet::tools {

/// The file's first line without blanks at its ends.
Told<std::string> read_line(const std::string& path);
/// The number that the file's first line is.
Told<double> read_number(const std::string& path);
/// The same where less than 0 is wrong.
Told<double> read_amount(const std::string& path);

bool is_there(const std::string& path) noexcept;
/// Paths of what a folder holds under names that begin so, sorted; none where the folder is missing.
std::vector<std::string> entries(const std::string& folder, const std::string& begin = "");
/// The last part of a path.
std::string name_of(const std::string& path);

}  // namespace kinglet::tools
