#include <cstdio>
#include <cstdlib>

#include "kernels/check.hpp"

using namespace kinglet;

namespace {

/// What the dispatcher may offer on any CPU of this architecture, best first.
const std::vector<std::string> kOrder = {
#if defined(__x86_64__)
    "avx512_vnni", "avx512", "avx2", "sse4_2",
#elif defined(__aarch64__)
    "neon64_i8mm", "neon64_dot", "neon64",
#endif
    "scalar"};

}  // namespace

TEST_CASE("the dispatcher lists usable instruction sets, best first, scalar last") {
  REQUIRE(kernels::count() >= 1);
  CHECK(&kernels::best() == &kernels::at(0));
  CHECK(std::string(kernels::at(kernels::count() - 1).isa) == "scalar");
  std::size_t at = 0;
  int compiled = 0;
  for (int i = 0; i < kernels::count(); ++i) {
    while (at < kOrder.size() && kOrder[at] != kernels::at(i).isa) ++at;
    REQUIRE(at < kOrder.size());
    while (kernels::compiled(compiled) != nullptr && kOrder[at] != kernels::compiled(compiled))
      ++compiled;
    REQUIRE(kernels::compiled(compiled) != nullptr);
    CHECK(kernels::find(kernels::at(i).isa) == &kernels::at(i));
    MESSAGE("usable here: ", std::string(kernels::at(i).isa));
  }
}

TEST_CASE("the dispatcher does not know other names") {
  CHECK(kernels::find("") == nullptr);
  CHECK(kernels::find("avx") == nullptr);
  CHECK(kernels::find("AVX2") == nullptr);
}

// Kernels are tested on the instruction sets of the CPU that runs the tests. Where that is an
// emulated one (KINGLET_BEST_ISA), its best set is known, and other entries have other CPUs.
TEST_CASE("the dispatcher offers what this processor has") {
  if (const char* expected = std::getenv("KINGLET_BEST_ISA")) {
    CHECK(std::string(kernels::best().isa) == expected);
    return;
  }
  for (const std::string& isa : kOrder) {
    if (kernels::find(isa.c_str()) == nullptr)
      std::printf("skipped: kernels for %s: this processor or this build lacks it\n", isa.c_str());
  }
}
