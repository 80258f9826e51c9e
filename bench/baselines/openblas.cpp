#include <cblas.h>

#include <cstddef>
#include <memory>

#include "libraries.hpp"

namespace kinglet::tools {

Baseline openblas_f32(const Product& p) {
  openblas_set_num_threads(1);
  const std::size_t size = static_cast<std::size_t>(p.n) * static_cast<std::size_t>(p.k);
  struct State {
    std::vector<float> w, c;
    int next = 0;
  };
  const auto state = std::make_shared<State>();
  for (int i = 0; i < p.copies; ++i) state->w.insert(state->w.end(), p.w, p.w + size);
  state->c.resize(static_cast<std::size_t>(p.m) * static_cast<std::size_t>(p.n));
  return {"openblas", [=] {
            const float* w = state->w.data() + static_cast<std::size_t>(state->next) * size;
            state->next = (state->next + 1) % p.copies;
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, p.m, p.n, p.k, 1.0f, p.a, p.k, w,
                        p.k, 0.0f, state->c.data(), p.n);
          }};
}

}  // namespace kinglet::tools
