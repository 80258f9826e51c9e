#include "memory.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

namespace kinglet::tools {
namespace {

/// Of "<key>   123 kB" in a file.
Told<std::uint64_t> kilobytes(const std::string& path, const std::string& key) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    return {std::strtoull(line.c_str() + key.size(), nullptr, 10) * 1024, ""};
  }
  return {{}, path + " has no line " + key};
}

}  // namespace

Told<std::uint64_t> resident_now() {
  // Counted page by page; status sums up what each core counted, and may be off by some pages.
  const Told<std::uint64_t> exact = kilobytes("/proc/self/smaps_rollup", "Rss:");
  return exact.value ? exact : kilobytes("/proc/self/status", "VmRSS:");
}

Told<std::uint64_t> own_resident_now() {
  return kilobytes("/proc/self/smaps_rollup", "Anonymous:");
}

Told<std::uint64_t> resident_at_most() { return kilobytes("/proc/self/status", "VmHWM:"); }

}  // namespace kinglet::tools
