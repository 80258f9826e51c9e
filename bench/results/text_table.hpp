#pragma once

#include <string>
#include <vector>

namespace kinglet::tools {

/// Lines of cells as columns, the first to the left and the others to the right.
std::string text_table(const std::vector<std::vector<std::string>>& lines);

/// printf's text; of short things.
std::string text_of(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace kinglet::tools
