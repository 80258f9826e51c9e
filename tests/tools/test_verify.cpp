#include <doctest/doctest.h>

#include <initializer_list>
#include <limits>

#include "hitut_conversion.hpp"
#include "model_edit.hpp"
#include "nan.hpp"

using namespace kinglet;
using namespace kinglet::tests;
using tools::ModelEdit;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double largest(std::initializer_list<double> errors) {
  double most = 0;
  for (const double error : errors) most = tools::max_or_nan(most, error);
  return most;
}

double least(std::initializer_list<double> shares) {
  double least = 1;
  for (const double share : shares) least = tools::min_or_nan(least, share);
  return least;
}

}  // namespace

TEST_CASE("the worst of numbers is a NaN, wherever it stands") {
  CHECK(largest({}) == 0);
  CHECK(largest({1, 3, 2}) == 3);
  CHECK(least({0.5, 0.25, 0.75}) == 0.25);
  for (const auto& numbers : {std::initializer_list<double>{kNan, 1, 2},
                              {1, kNan, 2},
                              {1, 2, kNan},
                              {kNan, kNan, 1},
                              {kNan}}) {
    CHECK(std::isnan(largest(numbers)));
    CHECK(std::isnan(least(numbers)));
  }
}

TEST_CASE("two ways to the same numbers may both give a NaN") {
  using tools::same_or_nan;
  const std::vector<double> x = {1, kNan, 2};
  CHECK(same_or_nan(x, {1, kNan, 2}));
  CHECK_FALSE(same_or_nan(x, {1, 3, 2}));
  CHECK_FALSE(same_or_nan(x, {1, kNan, 3}));
  CHECK_FALSE(same_or_nan(x, {1, kNan}));
}

TEST_CASE("verify fails a model that gives a NaN before its numbers") {
  const std::string fixture = KINGLET_TEST_DATA "/zoo/bert-seqcls";
  BasicConversion conversion;
  conversion.request.input = fixture + "/pytorch_model.oldnames.bin";
  conversion.request.config = fixture + "/config.json";
  conversion.run();
  const ScratchFolder& scratch = conversion.scratch;
  const std::string right = conversion.request.output, wrong = scratch.file("nan.gguf");
  ModelEdit edit(right);
  std::vector<float> bias = edit.vector("classes.bias");
  bias[0] = std::numeric_limits<float>::quiet_NaN();
  edit.put_vector("classes.bias", bias);
  edit.save(wrong);
  const auto verify = [&](const std::string& model) {
    return run_weights({"verify", model, fixture + "/cases/b3_s19_holes.safetensors", "--bounds",
                        fixture + "/model.json"},
                       scratch);
  };
  CHECK(verify(right).code == 0);
  const Ran ran = verify(wrong);
  CHECK(ran.code == 1);
  CHECK(ran.err == "");
  CHECK(says(ran.out, "|err| nan"));
}

TEST_CASE("verify says what a file is that records no outputs") {
  HitutConversion conversion("bert");
  conversion.run();
  const Ran ran = run_weights({"verify", conversion.request.output, conversion.request.tables},
                              conversion.scratch);
  CHECK(ran.code == 1);
  CHECK(ran.out == "");
  CHECK(says(ran.err, "tables.safetensors: golden: records no outputs"));
}
