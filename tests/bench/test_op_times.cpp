// Times of ops, and what they have to do with the roofline.
#include <doctest/doctest.h>

#include "measure/op_times.hpp"
#include "results/roofline.hpp"

using namespace kinglet::tools;

TEST_CASE("layers together are named with a star") {
  CHECK(without_layer_numbers("blk.0.ffn_up") == "blk.*.ffn_up");
  CHECK(without_layer_numbers("blk.12.conv1") == "blk.*.conv1");
  CHECK(without_layer_numbers("mask.up1") == "mask.up1");
  CHECK(without_layer_numbers("token_embd") == "token_embd");
}

TEST_CASE("an op is bound by its products at their own peaks, or by its bytes") {
  Limits limits;
  limits.f32_flops = 100;
  limits.s8_ops = 400;
  limits.bandwidth = 10;
  OpTime op;
  op.flops = 800;
  op.s8_flops = 600;
  op.bytes = 20;
  op.seconds = 7;
  CHECK(floor_seconds(op, limits) == doctest::Approx(2 + 1.5));
  CHECK(least_seconds(op, limits) == doctest::Approx(3.5));
  CHECK(roofline_share(op, limits) == doctest::Approx(0.5));
  op.bytes = 70;
  CHECK(roofline_share(op, limits) == doctest::Approx(1));
  op.flops = op.s8_flops = 0;
  CHECK(least_seconds(op, limits) == doctest::Approx(7));
}
