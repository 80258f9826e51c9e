#include "machine.hpp"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include "system_files.hpp"

namespace kinglet::tools {
namespace {

/// After "key : " in proc/cpuinfo: x86 calls it "model name", some Arm kernels "Hardware".
std::string cpu_name(const std::string& root) {
  for (const std::string key : {"model name", "Hardware", "Model"}) {
    std::ifstream in(root + "/proc/cpuinfo");
    for (std::string line; std::getline(in, line);) {
      if (line.compare(0, key.size(), key) != 0) continue;
      const std::size_t at = line.find_first_not_of(" \t:", key.size());
      if (at != std::string::npos) return line.substr(at);
    }
  }
  return "";
}

std::string compiler() {
#if defined(__clang__)
  return "clang++ " + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__) +
         "." + std::to_string(__clang_patchlevel__);
#else
  return "g++ " + std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__) + "." +
         std::to_string(__GNUC_PATCHLEVEL__);
#endif
}

std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm utc = {};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
}

}  // namespace

Machine describe_machine(const std::string& root, const std::string& label) {
  Machine m;
  utsname system = {};
  ::uname(&system);
  const std::string board = read_line(root + "/proc/device-tree/model").value.value_or("");
  m.architecture = system.machine;
  m.system = std::string(system.sysname) + " " + system.release;
  m.cpu = cpu_name(root);
  if (m.cpu.empty()) m.cpu = m.architecture;
  m.label = !label.empty() ? label : !board.empty() ? board : m.cpu;
  m.cores = usable_cores();
  m.memory = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
             static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  m.version = KINGLET_VERSION;
  m.compiler = compiler();
  m.date = now();
  return m;
}

std::size_t largest_cache(const std::string& root) {
  std::size_t largest = 0;
  for (int index = 0; index < 8; ++index) {
    const std::string path =
        root + "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/size";
    const std::string text = read_line(path).value.value_or("");  // "32768K"
    char* unit = nullptr;
    const unsigned long size = std::strtoul(text.c_str(), &unit, 10);
    const std::size_t scale = *unit == 'K' ? 1024 : *unit == 'M' ? 1024 * 1024 : 1;
    if (size < (1ul << 20)) largest = std::max(largest, size * scale);
  }
  return largest;
}

}  // namespace kinglet::tools
