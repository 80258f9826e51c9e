#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "baselines/baselines.hpp"

namespace kinglet::tools {
namespace {

/// Beside the program in a build tree, in a folder of its own where it is installed.
std::string module_path() {
  const std::filesystem::path name = KINGLET_BASELINES;
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  return std::filesystem::exists(here / name) ? here / name
                                              : here / KINGLET_BASELINES_FOLDER / name;
}

}  // namespace

const BaselineModule& load_baselines() {
  if (std::string(KINGLET_BASELINES).empty()) {
    throw std::runtime_error(
        "--baselines: built without OpenBLAS and oneDNN (Debian: libopenblas-dev, libdnnl-dev) and "
        "without RTNeural (RTNEURAL_DIR)");
  }
  // Read when the libraries are loaded. One thread each: theirs spin for a while after every call and would slow down
  // whoever runs next.
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  setenv("OMP_NUM_THREADS", "1", 1);
  const std::string path = module_path();
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) throw std::runtime_error(std::string("--baselines: ") + dlerror());
  const void* found = dlsym(module, "kinglet_baselines");
  if (found == nullptr) throw std::runtime_error(path + ": not a module of baselines");
  return *static_cast<const BaselineModule*>(found);
}

}  // namespace kinglet::tools
