// Observe: the ops that it runs give the same bits, and it tells of each what it was.

#include <kinglet/backend/observe.hpp>
#include <string>

#include "backend/check.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

struct Watch {
  std::vector<ObservedOp> ops;
  int running = 0;

  void begin() noexcept { ++running; }
  void end() noexcept { --running; }
  void seen(const ObservedOp& op) noexcept { ops.push_back(op); }
};

/// Two products with a norm between them, in place.
struct Network {
  Numbers weights{32, 16, 1}, gamma{1, 32, 2}, x{3, 16, 3};
  Linear linear;
  Norm norm;

  Network() {
    linear.weight = weights.values.data();
    linear.n = 32;
    linear.k = 16;
    norm.gamma = norm.beta = gamma.values.data();
    norm.n = 32;
    norm.eps = 1e-5f;
  }

  template <class B>
  void forward(B& be, Matrix y) const {
    be.linear(linear, x, y, Activation::relu);
    be.layer_norm(norm, y, y);
    be.linear(linear.part(1, 16), x, y.cols_at(16, 16));
    be.add(y, y);
  }
};

}  // namespace

TEST_CASE("observed ops compute what they compute unobserved, and each is told of once") {
  const Network network;
  Numbers plain(3, 32), observed(3, 32), unwatched(3, 32);
  Count count;
  network.forward(count, plain);
  Memory memory(count.scratch_bytes());
  Cpu<isa::runtime> cpu(memory.arena, {}, kernels::best());
  network.forward(cpu, plain);

  Watch watch;
  Observe<Cpu<isa::runtime>, Watch> observe(cpu, &watch);
  network.forward(observe, observed);
  CHECK(same_bits(plain.values, observed.values));
  CHECK(watch.running == 0);
  REQUIRE(watch.ops.size() == 4);
  const char* const names[] = {"linear", "layer_norm", "linear", "add"};
  const void* const weights[] = {network.linear.weight, network.norm.gamma,
                                 network.linear.weight + 16 * 16, nullptr};
  std::uint64_t flops = 0, bytes = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    CHECK(watch.ops[i].name == std::string(names[i]));
    CHECK(watch.ops[i].weights == weights[i]);
    CHECK_FALSE(watch.ops[i].int8);
    flops += watch.ops[i].flops;
    bytes += watch.ops[i].bytes;
  }
  CHECK(flops == count.flops());
  CHECK(bytes == count.bytes_moved());

  Observe<Cpu<isa::runtime>, Watch> nobody(cpu, nullptr);
  network.forward(nobody, unwatched);
  CHECK(same_bits(plain.values, unwatched.values));
  CHECK(watch.ops.size() == 4);
}

TEST_CASE("an op that calls others is one op") {
  Watch watch;
  Numbers weights(16 * 3, 16, 1), x(1, 16, 2), h(1, 16);
  Gru gru;
  gru.ih.weight = gru.hh.weight = weights.values.data();
  gru.ih.n = gru.hh.n = kernels::gru_gates(16);
  gru.ih.k = gru.hh.k = gru.units = 16;
  Count count;
  count.gru_step(gru, x, h, h);
  Memory memory(count.scratch_bytes());
  Cpu<isa::runtime> cpu(memory.arena, {}, kernels::best());
  Observe<Cpu<isa::runtime>, Watch> observe(cpu, &watch);
  observe.gru_step(gru, x, h, h);
  REQUIRE(watch.ops.size() == 1);
  CHECK(watch.ops[0].flops == count.flops());
}
