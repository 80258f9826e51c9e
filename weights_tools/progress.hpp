#pragma once
// Progress of a long command, on a terminal only.

#include <cstddef>
#include <functional>
#include <string>

namespace kinglet::tools {

/// Shows "what  37 %" on stderr and wipes it at the end; empty when stderr is no terminal.
std::function<void(std::size_t done, std::size_t all)> terminal_progress(const std::string& what);

}  // namespace kinglet::tools
