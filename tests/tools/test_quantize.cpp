// quantize in small pieces: errors, choices by error a byte, the program's refusals.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "convert.hpp"
#include "output_error.hpp"
#include "precision_choice.hpp"
#include "rounding.hpp"
#include "smooth.hpp"
#include "tool_files.hpp"

namespace {

using namespace kinglet;
using namespace kinglet::tests;
using tools::Int8Cost;
using tools::Values;

const std::string kFixture = KINGLET_TEST_DATA "/alfred/hitut_bert";

void convert_fixture(const std::string& output) {
  tools::ConvertRequest request;
  request.input = kFixture + "/model_best_seen.pth";
  request.config = kFixture + "/config.json";
  request.tables = kFixture + "/tables.safetensors";
  request.output = output;
  std::ostringstream report;
  tools::convert("hitut", request, report);
}

Values output(const std::string& name, std::vector<double> numbers) {
  return {name, {static_cast<std::int64_t>(numbers.size())}, std::move(numbers), false};
}

}  // namespace

TEST_CASE("the error of a model is that of its worst output, relative to what varies in it") {
  const std::vector<Values> wanted = {output("a", {101, 99, 101, 99}), output("b", {3, -3})};
  const auto same = tools::relative_error(wanted, wanted);
  CHECK(same.worst == 0);
  const auto off = tools::relative_error(
      wanted, {output("a", {101.5, 99.5, 101.5, 99.5}), output("b", {3.3, -3.3})});
  CHECK(off.worst == doctest::Approx(0.5));
  CHECK(off.output == "a");
  const std::vector<Values> flat = {output("c", {2, 2})};
  CHECK(tools::relative_error(flat, {output("c", {2.2, 2.2})}).worst == doctest::Approx(0.1));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isinf(tools::relative_error(flat, {output("c", {2, nan})}).worst));
  CHECK_THROWS(tools::relative_error(flat, {output("d", {2, 2})}));
}

TEST_CASE("what costs most error a byte comes first, and fits a budget") {
  //                                      error² a byte:   1e-6          4e-6          1e-4         0
  const std::vector<Int8Cost> costs = {{0.1, 10000}, {0.2, 10000}, {0.1, 100}, {0, 50}};
  const std::vector<std::size_t> order = tools::by_error_per_byte(costs);
  CHECK(order == std::vector<std::size_t>{2, 1, 0, 3});
  CHECK(tools::that_fit(order, costs, 20150) == order);
  CHECK(tools::that_fit(order, costs, 10150) == std::vector<std::size_t>{2, 1, 3});
  CHECK(tools::that_fit(order, costs, 9999) == std::vector<std::size_t>{2, 3});
  CHECK(tools::that_fit(order, costs, 0).empty());
}

TEST_CASE("by default a matrix is costly when its error is far above its share of the bytes") {
  const auto kept = [](const std::vector<Int8Cost>& costs, std::uint64_t bytes) {
    return tools::costly(tools::by_error_per_byte(costs), costs, bytes);
  };
  // As on a real LSTM: a small first matrix costs nearly everything.
  const std::vector<Int8Cost> lstm = {{0.01, 6000000}, {0.3, 120000}, {0.01, 6000000}};
  CHECK(kept(lstm, 17000000) == std::vector<std::size_t>{1});
  CHECK(kept(lstm, 120000).empty());  // no small part of the file
  // Nor here, but without it the error is a fifteenth.
  CHECK(kept({{0.01, 774144}, {0.26, 110592}, {0.015, 774144}}, 5683904) ==
        std::vector<std::size_t>{1});
  CHECK(kept({{0.01, 774144}, {0.06, 110592}, {0.06, 110592}}, 5683904).empty());
  CHECK(kept({{0.01, 1000}, {0.012, 1100}, {0.009, 900}}, 1000000).empty());
  CHECK(kept({{0, 1000}, {0, 10}}, 1000000).empty());
  CHECK(kept({}, 0).empty());
}

TEST_CASE("the fewest matrices that meet a bound are found, or that none do") {
  for (std::size_t most = 0; most < 9; ++most) {
    for (std::size_t needed = 0; needed <= most + 1; ++needed) {
      const auto error_of = [&](std::size_t kept) { return kept >= needed ? 0.5 : 2.0; };
      CHECK(tools::smallest_within(most, 1.0, error_of) == needed);
    }
  }
  const auto not_a_number = [](std::size_t) { return std::nan(""); };
  CHECK(tools::smallest_within(3, 1.0, not_a_number) == 4);
}

namespace {

/// Rows of few patterns with some noise: columns that go together, as those of a model do.
tools::KeptRows alike_rows(int rows, int k) {
  tools::KeptRows x;
  x.count = rows;
  x.depth = k;
  std::uint32_t state = 1;
  const auto random = [&] {
    state = state * 1664525u + 1013904223u;
    return static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  };
  for (int r = 0; r < rows; ++r) {
    const float a = random(), b = random();
    for (int i = 0; i < k; ++i)
      x.values.push_back(a * static_cast<float>(i % 3) + b * static_cast<float>(i % 5 - 2) +
                         0.1f * random());
  }
  return x;
}

tools::DenseMatrix spread_matrix(int n, int k) {
  tools::DenseMatrix w{1, n, k, {}};
  for (int i = 0; i < n * k; ++i)
    w.values.push_back(static_cast<float>((i * 37 + i / k * 11) % 101 - 50) / 64.0f);
  return w;
}

/// RMS of x·(a − b)ᵀ.
double away(const tools::KeptRows& x, const tools::DenseMatrix& a, const tools::DenseMatrix& b) {
  double square = 0;
  for (int r = 0; r < x.count; ++r) {
    for (std::size_t o = 0; o < a.rows(); ++o) {
      double sum = 0;
      for (int i = 0; i < x.depth; ++i)
        sum += static_cast<double>(x.values[static_cast<std::size_t>(r * x.depth + i)]) *
               static_cast<double>(a.row(o)[i] - b.row(o)[i]);
      square += sum * sum;
    }
  }
  return std::sqrt(square / x.count);
}

}  // namespace

TEST_CASE("integers chosen for rows make a smaller error in their products than the nearest") {
  for (const int k : {1, 7, 19, 64}) {
    CAPTURE(k);
    const tools::KeptRows x = alike_rows(200, k);
    tools::DenseMatrix w = spread_matrix(9, k);
    for (int i = 0; i < k; ++i) w.row(4)[i] = 0;
    const tools::RowsS8 nearest = tools::quantize_rows(w),
                        chosen = tools::quantize_rows_for(w, tools::triangle_of(x));
    CHECK(chosen.scale == nearest.scale);
    for (int i = 0; i < k; ++i) CHECK(chosen.values[static_cast<std::size_t>(4 * k + i)] == 0);
    for (const std::int8_t q : chosen.values) CHECK(q >= -127);
    const double before = away(x, w, dequantize_rows(nearest)),
                 after = away(x, w, dequantize_rows(chosen));
    CHECK(after <= before * 1.001);
    if (k >= 19) CHECK(after < 0.7 * before);
  }
}

TEST_CASE("rows without a direction are rounded to the nearest") {
  tools::KeptRows x;
  x.count = x.depth = 6;
  for (int i = 0; i < 36; ++i) x.values.push_back(i % 7 == 0 ? 2.0f : 0.0f);
  const tools::DenseMatrix w = spread_matrix(5, 6);
  CHECK(tools::quantize_rows_for(w, tools::triangle_of(x)).values ==
        tools::quantize_rows(w).values);
}

TEST_CASE("factors of columns are powers of two, taken only where int8 is better for them") {
  const int k = 48;
  tools::KeptRows x = alike_rows(64, k);
  tools::DenseMatrix w = spread_matrix(20, k);
  CHECK(tools::best_factors(w, x).empty());
  for (int r = 0; r < x.count; ++r) x.values[static_cast<std::size_t>(r * k + 5)] *= 0.001f;
  for (int o = 0; o < w.n; ++o) w.row(static_cast<std::size_t>(o))[5] *= 1000;
  const std::vector<float> f = tools::best_factors(w, x);
  REQUIRE(f.size() == static_cast<std::size_t>(k));
  CHECK(tools::product_error(w, x, f) < 0.2 * tools::product_error(w, x, {}));
  int exponent = 0;
  for (const float factor : f) CHECK(std::frexp(factor, &exponent) == 0.5f);
  CHECK(f[5] > 16 * f[6]);
}

TEST_CASE("a bound that cannot be met leaves no file; wrong words are usage errors") {
  const ScratchFolder scratch;
  const std::string golden = kFixture + "/golden_high_b3.safetensors";
  const std::string model = scratch.file("model.gguf"), small = scratch.file("int8.gguf");
  convert_fixture(model);
  const auto quantize = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"quantize", model, "-o", small});
    return run_weights(more, scratch);
  };
  const auto refused = [&](const Ran& ran, int code, const std::string& word) {
    CAPTURE(ran.out);
    CAPTURE(ran.err);
    CHECK(ran.code == code);
    CHECK(ran.err.find(word) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(small));
  };
  refused(quantize({"--budget-mb", "0.001"}), 1, "was reached");
  refused(quantize({"--samples", golden, "--keep-fp32", "none", "--max-error", "1e-9"}), 1,
          "was reached");
  refused(quantize({"--keep-fp32", "nothing*"}), 1, "nothing*");
  refused(quantize({"--max-error", "0.1"}), 2, "--samples");
  refused(quantize({"--keep-fp32", "auto"}), 2, "--samples");
  refused(quantize({"--keep-fp32", "none", "auto", "--samples", golden}), 2, "none");
  refused(quantize({"--samples", model}), 1, "model.gguf");
  CHECK(run_weights({"quantize", model, "-o", model}, scratch).code == 1);
  // Nothing but the model is left, temporary files neither.
  std::filesystem::remove(model);
  CHECK(scratch.is_empty());
}

TEST_CASE("a report that cannot be written is told before the model is quantised") {
  const ScratchFolder scratch;
  const std::string model = scratch.file("model.gguf"), small = scratch.file("int8.gguf");
  convert_fixture(model);
  for (const std::string& report : {scratch.file("nowhere/report.json"), small, model}) {
    CAPTURE(report);
    const Ran ran = run_weights({"quantize", model, "-o", small, "--report", report}, scratch);
    CHECK(ran.code == 1);
    CHECK(ran.err.find(report + ": ") != std::string::npos);
    CHECK(!std::filesystem::exists(small));
  }
}

TEST_CASE("the report holds what the table shows, and the file what was decided") {
  const ScratchFolder scratch;
  const std::string golden = kFixture + "/golden_low_mani_b3.safetensors";
  const std::string model = scratch.file("model.gguf"), small = scratch.file("int8.gguf"),
                    report = scratch.file("report.json");
  convert_fixture(model);
  const Ran ran = run_weights({"quantize", model, "-o", small, "--samples", golden, "--keep-fp32",
                               "auto", "*embd*", "--max-error", "0.02", "--report", report},
                              scratch);
  CAPTURE(ran.err);
  REQUIRE(ran.code == 0);
  const auto json = nlohmann::json::parse(read_text(report));
  CHECK(json.at("error").at("worst").get<double>() <= 0.02);
  CHECK(json.at("bytes").get<std::uint64_t>() == std::filesystem::file_size(small));
  const tools::ModelEdit written(small);
  int kept = 0, int8 = 0;
  for (const auto& weight : json.at("weights")) {
    const auto name = weight.at("name").get<std::string>();
    CHECK(ran.out.find(name) != std::string::npos);
    CHECK(weight.at("error_alone").get<double>() >= 0);
    const bool is_int8 = weight.at("decision") == "int8";
    CHECK(written.tensor(name).is_s8() == is_int8);
    if (name.find("embd") != std::string::npos) CHECK(weight.at("decision") == "fp32, as asked");
    ++(is_int8 ? int8 : kept);
  }
  CHECK(int8 > 0);
  CHECK(kept > 0);
  CHECK(written.text("kinglet.recipe").find("; quantize") != std::string::npos);
}
