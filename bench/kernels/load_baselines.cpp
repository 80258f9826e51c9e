#include <dlfcn.h>

#include <cstdlib>
#include <stdexcept>

#include "baselines/baselines.hpp"

namespace kinglet::tools {

const BaselineModule& load_baselines() {
  const std::string path = KINGLET_BASELINES;
  if (path.empty()) {
    throw std::runtime_error(
        "--baselines: built without OpenBLAS and oneDNN (Debian: libopenblas-dev, libdnnl-dev) and "
        "without RTNeural (RTNEURAL_DIR)");
  }
  // Read when the libraries are loaded. One thread each: theirs spin for a while after every call and would slow down
  // whoever runs next.
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  setenv("OMP_NUM_THREADS", "1", 1);
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) throw std::runtime_error(std::string("--baselines: ") + dlerror());
  const void* found = dlsym(module, "kinglet_baselines");
  if (found == nullptr) throw std::runtime_error(path + ": not a module of baselines");
  return *static_cast<const BaselineModule*>(found);
}

}  // namespace kinglet::tools
