#include "kernels/check.hpp"

using namespace kinglet;

TEST_CASE("the dispatcher lists usable instruction sets, best first, scalar last") {
  REQUIRE(kernels::count() >= 1);
  CHECK(&kernels::best() == &kernels::at(0));
  CHECK(std::string(kernels::at(kernels::count() - 1).isa) == "scalar");
  const std::vector<std::string> order = {"avx512_vnni", "avx512",     "avx2",   "sse4_2",
                                          "neon64_i8mm", "neon64_dot", "neon64", "scalar"};
  std::size_t at = 0;
  for (int i = 0; i < kernels::count(); ++i) {
    while (at < order.size() && order[at] != kernels::at(i).isa) ++at;
    REQUIRE(at < order.size());
    CHECK(kernels::find(kernels::at(i).isa) == &kernels::at(i));
    MESSAGE("usable here: ", std::string(kernels::at(i).isa));
  }
}

TEST_CASE("the dispatcher does not know other names") {
  CHECK(kernels::find("") == nullptr);
  CHECK(kernels::find("avx") == nullptr);
  CHECK(kernels::find("AVX2") == nullptr);
}
