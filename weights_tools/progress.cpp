#include "progress.hpp"

#include <unistd.h>

#include <cstdio>

namespace kinglet::tools {

std::function<void(std::size_t done, std::size_t all)> terminal_progress(const std::string& what) {
  if (isatty(STDERR_FILENO) == 0) return {};
  return [what](std::size_t done, std::size_t all) {
    if (done < all) {
      std::fprintf(stderr, "\r%s %3d %%", what.c_str(), static_cast<int>(done * 100 / all));
    } else {
      std::fprintf(stderr, "\r\033[K");
    }
    std::fflush(stderr);
  };
}

}  // namespace kinglet::tools
