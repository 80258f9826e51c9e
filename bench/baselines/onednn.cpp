#include <algorithm>
#include <cstdint>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>

#include "libraries.hpp"

namespace kinglet::tools {
namespace {

using dnnl::memory;
using Type = memory::data_type;
using Tag = memory::format_tag;

struct Matmul {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  memory a, c;
  std::vector<memory> w;  ///< the copies, in the layout that the library chose
  dnnl::matmul matmul;
  std::size_t next = 0;

  Matmul(const Product& p, Type a_type, Type w_type) {
    const memory::desc a_layout({p.m, p.k}, a_type, Tag::ab);
    const memory::desc w_layout({p.k, p.n}, w_type, Tag::any);
    const memory::desc c_layout({p.m, p.n}, Type::f32, Tag::ab);
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc chosen(engine, a_layout, w_layout, c_layout);
#else
    const dnnl::matmul::primitive_desc chosen({a_layout, w_layout, c_layout}, engine);
#endif
    a = memory(a_layout, engine);
    c = memory(c_layout, engine);
    for (int i = 0; i < p.copies; ++i) w.emplace_back(chosen.weights_desc(), engine);
    matmul = dnnl::matmul(chosen);
  }

  /// W as it is in `rows` (n, k).
  void pack(const Product& p, Type type, void* rows) {
    memory plain({{p.k, p.n}, type, Tag::ba}, engine, rows);
    for (memory& copy : w) dnnl::reorder(plain, copy).execute(stream, plain, copy);
    stream.wait();
  }

  void run() {
    matmul.execute(stream, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, w[next]}, {DNNL_ARG_DST, c}});
    stream.wait();
    next = (next + 1) % w.size();
  }
};

std::size_t area(int rows, int cols) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
}

}  // namespace

Baseline onednn_f32(const Product& p) {
  const auto matmul = std::make_shared<Matmul>(p, Type::f32, Type::f32);
  std::vector<float> w(p.w, p.w + area(p.n, p.k));
  matmul->pack(p, Type::f32, w.data());
  std::copy(p.a, p.a + area(p.m, p.k), static_cast<float*>(matmul->a.get_data_handle()));
  return {"onednn", [matmul] { matmul->run(); }};
}

Baseline onednn_s8(const Product& p) {
  const auto matmul = std::make_shared<Matmul>(p, Type::u8, Type::s8);
  std::vector<std::int8_t> w(area(p.n, p.k));
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<std::int8_t>(i * 7919 % 251 - 125);
  matmul->pack(p, Type::s8, w.data());
  auto* a = static_cast<std::uint8_t*>(matmul->a.get_data_handle());
  for (std::size_t i = 0; i < area(p.m, p.k); ++i) a[i] = static_cast<std::uint8_t>(i * 31);
  return {"onednn", [matmul] { matmul->run(); }};
}

}  // namespace kinglet::tools
