// What the module of baselines exports: the libraries that were there when it was built.

#include "libraries.hpp"

namespace kinglet::tools {
namespace {

std::vector<Baseline> f32(const Product& product) {
  std::vector<Baseline> all;
#if defined(KINGLET_HAVE_ONEDNN)
  all.push_back(onednn_f32(product));
#endif
#if defined(KINGLET_HAVE_OPENBLAS)
  all.push_back(openblas_f32(product));
#endif
  return all;
}

std::vector<Baseline> s8(const Product& product) {
  std::vector<Baseline> all;
#if defined(KINGLET_HAVE_ONEDNN)
  all.push_back(onednn_s8(product));
#endif
  static_cast<void>(product);
  return all;
}

std::vector<Baseline> lstm(const LstmStep& step) {
#if defined(KINGLET_HAVE_RTNEURAL)
  return rtneural_lstm(step);
#else
  static_cast<void>(step);
  return {};
#endif
}

}  // namespace
}  // namespace kinglet::tools

extern "C" __attribute__((visibility("default")))
const kinglet::tools::BaselineModule kinglet_baselines{kinglet::tools::f32, kinglet::tools::s8,
                                                       kinglet::tools::lstm};
