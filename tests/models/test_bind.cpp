// What Binder takes out of files put together by hand.
#include <doctest/doctest.h>

#include <kinglet/models/bind.hpp>

#include "io/gguf_bytes.hpp"

namespace {

using namespace kinglet;
using kinglet::tests::GgufBytes;

/// 16 rows of k zeros in int8, under the name "w".
std::vector<unsigned char> matrix_s8(int k) {
  const auto depth = static_cast<std::uint64_t>(padded_depth(k));
  GgufBytes made;
  made.data.resize(16 * depth + 3 * 64);
  made.tensor("w.weight", {4, 16, depth / 4, 1}, 24, 0);
  made.tensor("w.weight_scale", {16, 1}, 0, 16 * depth);
  made.tensor("w.weight_sums", {16, 1}, 26, 16 * depth + 64);
  made.tensor("w.weight_negatives", {16, 1}, 26, 16 * depth + 128);
  return made.bytes();
}

Status bind(const std::vector<unsigned char>& bytes, int k, bool conv) {
  const Result<ModelFile> file = ModelFile::open({bytes.data(), bytes.size()});
  REQUIRE(file.ok());
  Binder b(*file);
  if (conv) {
    b.conv_transpose("w", 16, k, 1, 1, 0);
  } else {
    b.linear("w", 16, k, Binder::Bias::none);
  }
  return b.status();
}

}  // namespace

TEST_CASE("int8 so deep that its sums could leave s32 does not bind") {
  constexpr int kMost = kernels::kMostDepthS8;
  const auto deepest = matrix_s8(kMost), deeper = matrix_s8(kMost + 1);
  CHECK(bind(deepest, kMost, false).ok());
  CHECK(bind(deeper, kMost + 1, false).subject() == "w.weight");
  CHECK(bind(deepest, kMost, true).subject() == "w.bias");  // which is not there
  CHECK(bind(deeper, kMost + 1, true).subject() == "w.weight");
}
