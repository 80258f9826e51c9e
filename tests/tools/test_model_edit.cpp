// ModelEdit: files that come out as they went in, and matrices through every form of storage.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <kinglet/kernels/gemm_s8.hpp>
#include <limits>
#include <sstream>

#include "checkpoint.hpp"
#include "convert.hpp"
#include "convert_plan.hpp"
#include "diff.hpp"
#include "export.hpp"
#include "file_error.hpp"
#include "gguf_checkpoint.hpp"
#include "inspect.hpp"
#include "model_edit.hpp"
#include "tool_files.hpp"

namespace {

using namespace kinglet;
using namespace kinglet::tests;
using tools::DenseMatrix;
using tools::FileError;
using tools::ModelEdit;
using tools::RowsS8;

/// Row r, column c: nothing repeats, both signs.
float element(std::int64_t r, std::int64_t c) {
  return static_cast<float>((r * 37 + c * 11) % 101 - 50) / 16.0f;
}

tools::FillRows rows_of(int k) {
  return [k](std::int64_t first, std::int64_t count, float* out) {
    for (std::int64_t r = first; r < first + count; ++r)
      for (int c = 0; c < k; ++c) *out++ = element(r, c);
  };
}

DenseMatrix dense(int parts, int n, int k) {
  DenseMatrix x{parts, n, k, std::vector<float>(static_cast<std::size_t>(parts * n * k))};
  rows_of(k)(0, std::int64_t{parts} * n, x.values.data());
  return x;
}

/// A matrix of three parts and its bias, one of whole groups, a table, a norm; values of all kinds.
void write_sample(const std::string& path) {
  tools::TensorPlan plan;
  plan.table("rows.weight", 9, 5, rows_of(5));
  plan.matrix("blk.0.attn_qkv.weight", 3, 18, 7, rows_of(7));
  plan.bias("blk.0.attn_qkv.bias", 3, 18, rows_of(1));
  plan.matrix("up.weight", 1, 20, 12, rows_of(12));
  plan.vector("norm.weight", 5, rows_of(1));
  tools::OutputFile out(path);
  tools::GgufWriter file(out, "sample");
  file.add_string("kinglet.recipe", "made up");
  file.add_u32("sample.count", 3);
  file.add_u64("sample.large", std::uint64_t{1} << 40);
  file.add_f32("sample.eps", 1e-5f);
  file.add_bool("sample.flag", true);
  file.add_u32s("sample.ids", {3, 1, 2});
  file.add_strings("sample.names", {"a", "", "Größe"});
  plan.add_panel_values(file);
  file.add_strings("tokenizer.ggml.tokens", {"x", "y"});
  plan.write(file, nullptr);
  out.commit();
}

std::string text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("a model that nothing was done to is written byte for byte, to a file and to memory") {
  const ScratchFolder scratch;
  const std::string sample = scratch.file("sample.gguf"), again = scratch.file("again.gguf");
  write_sample(sample);
  tools::ConvertRequest request;
  const std::string fixture = KINGLET_TEST_DATA "/alfred/hitut_scratch/";
  request.input = fixture + "model_best_seen.safetensors";
  request.config = fixture + "config.json";
  request.tables = fixture + "tables.safetensors";
  request.output = scratch.file("scratch.gguf");
  std::ostringstream report;
  tools::convert("hitut", request, report);
  for (const std::string& path : {sample, request.output}) {
    CAPTURE(path);
    const ModelEdit edit(path);
    edit.save(again);
    CHECK(read_text(again) == read_text(path));
    tools::MemorySink memory("memory");
    edit.write(memory);
    CHECK(text_of(memory.bytes()) == read_text(path));
    CHECK(reinterpret_cast<std::uintptr_t>(memory.bytes().data()) % 64 == 0);
    CHECK(edit.file_bytes() == memory.bytes().size());
  }
}

TEST_CASE("values are read, replaced where they stand, added before the texts, removed") {
  const ScratchFolder scratch;
  const std::string sample = scratch.file("a.gguf"), edited = scratch.file("b.gguf");
  write_sample(sample);
  ModelEdit edit(sample);
  CHECK(edit.architecture() == "sample");
  CHECK(edit.number("sample.large") == std::uint64_t{1} << 40);
  CHECK(edit.numbers("sample.ids") == std::vector<std::uint32_t>{3, 1, 2});
  CHECK(edit.texts("sample.names") == std::vector<std::string>{"a", "", "Größe"});
  CHECK_THROWS_AS(edit.number("sample.names"), FileError);
  CHECK_THROWS_AS(edit.number("sample.ids"), FileError);
  CHECK_THROWS_AS(edit.numbers("sample.count"), FileError);
  CHECK_THROWS_AS(edit.texts("sample.ids"), FileError);
  CHECK_THROWS_AS(edit.text("no.such.key"), FileError);
  CHECK_THROWS_AS(edit.set_string("sample.text", "\xff"), FileError);
  edit.set_u32("sample.count", 4);
  edit.set_u32s("sample.ids", {9});
  edit.set_u32s("sample.map", {7, 8});
  edit.set_bool("sample.flag", false);
  edit.set_strings("sample.more", {"z"});
  edit.remove_value("sample.eps");
  edit.add_step("first");
  edit.add_step("second 2");
  edit.save(edited);

  const ModelEdit read(edited);
  std::vector<std::string> keys;
  for (const ModelEdit::Value& value : read.values()) keys.push_back(value.key);
  CHECK(keys == std::vector<std::string>{"kinglet.recipe", "sample.count", "sample.large",
                                         "sample.flag", "sample.ids", "sample.map", "sample.names",
                                         "kinglet.panels.tensor", "kinglet.panels.parts",
                                         "kinglet.panels.n", "kinglet.panels.k",
                                         "tokenizer.ggml.tokens", "sample.more"});
  CHECK(read.text("kinglet.recipe") == "made up; first; second 2");
  CHECK(read.number("sample.count") == 4);
  CHECK(read.numbers("sample.map") == std::vector<std::uint32_t>{7, 8});
  CHECK(read.texts("sample.more") == std::vector<std::string>{"z"});
}

TEST_CASE("matrices, tables and vectors come out without their padding, and go back as they were") {
  const ScratchFolder scratch;
  const std::string sample = scratch.file("a.gguf"), edited = scratch.file("b.gguf");
  write_sample(sample);
  ModelEdit edit(sample);
  const DenseMatrix qkv = edit.matrix("blk.0.attn_qkv.weight");
  CHECK(qkv.parts == 3);
  CHECK(qkv.n == 18);
  CHECK(qkv.k == 7);
  CHECK(qkv.values == dense(3, 18, 7).values);
  CHECK(edit.table("rows.weight").values == dense(1, 9, 5).values);
  CHECK(edit.vector("blk.0.attn_qkv.bias") == dense(3, 18, 1).values);
  CHECK(edit.vector("norm.weight") == dense(1, 5, 1).values);
  edit.put_matrix("blk.0.attn_qkv.weight", qkv);
  edit.put_table("rows.weight", edit.table("rows.weight"));
  edit.put_vector("blk.0.attn_qkv.bias", edit.vector("blk.0.attn_qkv.bias"));
  edit.put_vector("norm.weight", edit.vector("norm.weight"));
  edit.save(edited);
  CHECK(read_text(edited) == read_text(sample));

  CHECK_THROWS_AS(edit.matrix("rows.weight"), FileError);
  CHECK_THROWS_AS(edit.matrix("blk.0.attn_qkv.bias"), FileError);
  CHECK_THROWS_AS(edit.table("up.weight"), FileError);
  CHECK_THROWS_AS(edit.vector("up.weight"), FileError);
  CHECK_THROWS_AS(edit.matrix_s8("up.weight"), FileError);
  CHECK_THROWS_AS(edit.table_s8("rows.weight"), FileError);
  CHECK_THROWS_AS(edit.matrix("no.such.weight"), FileError);
  CHECK_THROWS_AS(edit.put_vector("norm.weight", {1.0f}), FileError);
}

TEST_CASE("rows become int8 with a scale each, to the nearest, and nothing that is no number") {
  DenseMatrix x{1, 4, 3, {1, -2, 0.5f, 0, 0, 0, 1e-40f, 0, 0, 127, -0.5f, 1.5f}};
  const RowsS8 q = tools::quantize_rows(x);
  CHECK(q.scale == std::vector<float>{2.0f / 127.0f, 1, 1, 1});
  CHECK(q.values == std::vector<std::int8_t>{64, -127, 32, 0, 0, 0, 0, 0, 0, 127, 0, 2});
  const DenseMatrix back = tools::dequantize_rows(q);
  for (std::size_t i = 0; i < x.values.size(); ++i)
    CHECK(std::abs(back.values[i] - x.values[i]) <= q.scale[i / 3] / 2);
  x.values[4] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(tools::quantize_rows(x), std::domain_error);
  x.values[4] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(tools::quantize_rows(x), std::domain_error);
}

TEST_CASE("an int8 matrix stands in the panels of the kernels, its columns' values beside it") {
  const ScratchFolder scratch;
  const std::string sample = scratch.file("a.gguf"), edited = scratch.file("b.gguf");
  write_sample(sample);
  ModelEdit edit(sample);
  const RowsS8 q = tools::quantize_rows(edit.matrix("blk.0.attn_qkv.weight"));
  edit.put_matrix_s8("blk.0.attn_qkv.weight", q);
  edit.save(edited);

  const ModelEdit read(edited);
  std::vector<std::string> names;
  for (const ModelEdit::Tensor& tensor : read.tensors()) names.push_back(tensor.name);
  CHECK(names == std::vector<std::string>{
                     "rows.weight", "blk.0.attn_qkv.weight", "blk.0.attn_qkv.weight_scale",
                     "blk.0.attn_qkv.weight_sums", "blk.0.attn_qkv.weight_negatives",
                     "blk.0.attn_qkv.bias", "up.weight", "norm.weight"});
  const ModelEdit::Tensor& stored = read.tensor("blk.0.attn_qkv.weight");
  CHECK(stored.type == tools::kGgufS8);
  CHECK(stored.shape == std::vector<std::uint64_t>{6, 2, 16, 4});
  REQUIRE(stored.panels.has_value());
  CHECK(stored.panels->k == 7);
  for (const char* beside : {"_scale", "_sums", "_negatives"}) {
    const ModelEdit::Tensor& tensor = read.tensor(std::string("blk.0.attn_qkv.weight") + beside);
    CHECK(tensor.shape == std::vector<std::uint64_t>{6, 16});
    REQUIRE(tensor.panels.has_value());
    CHECK(tensor.panels->parts == 3);
    CHECK(tensor.panels->n == 18);
    CHECK(tensor.panels->k == 0);
  }
  // Part 1, row 17, column 5: panel 1 of the part, group 1, lane 1, byte 1.
  const std::size_t at = ((2 + 1) * 2 + 1) * 64 + 1 * 4 + 1;
  CHECK(static_cast<std::int8_t>(stored.bytes[at]) == q.values[(18 + 17) * 7 + 5]);
  std::int32_t sum = 0, negatives = 0, found[2];
  for (int c = 0; c < 7; ++c) {
    const int w = q.values[static_cast<std::size_t>((18 + 17) * 7 + c)];
    sum += w;
    negatives += std::max(-w, 0);
  }
  std::memcpy(&found[0], read.tensor("blk.0.attn_qkv.weight_sums").bytes.data() + 49 * 4, 4);
  std::memcpy(&found[1], read.tensor("blk.0.attn_qkv.weight_negatives").bytes.data() + 49 * 4, 4);
  CHECK(found[0] == sum);
  CHECK(found[1] == negatives);

  const RowsS8 back = read.matrix_s8("blk.0.attn_qkv.weight");
  CHECK(back.values == q.values);
  CHECK(back.scale == q.scale);
  CHECK(read.matrix("blk.0.attn_qkv.weight").values == tools::dequantize_rows(q).values);

  // back to f32: what stood beside it is gone
  ModelEdit undone(edited);
  undone.put_matrix("blk.0.attn_qkv.weight", edit.matrix("up.weight"));
  CHECK(undone.tensors().size() == 5);
  undone.put_matrix_s8("up.weight", tools::quantize_rows(undone.matrix("up.weight")));
  undone.remove_tensor("up.weight");
  CHECK(undone.tensors().size() == 4);
}

TEST_CASE("an int8 table keeps its rows, with a scale each") {
  const ScratchFolder scratch;
  const std::string sample = scratch.file("a.gguf"), edited = scratch.file("b.gguf");
  write_sample(sample);
  ModelEdit edit(sample);
  const RowsS8 q = tools::quantize_rows(edit.table("rows.weight"));
  edit.put_table_s8("rows.weight", q);
  edit.save(edited);
  ModelEdit read(edited);
  CHECK(read.tensor("rows.weight").shape == std::vector<std::uint64_t>{9, 5});
  CHECK(read.tensor("rows.weight_scale").shape == std::vector<std::uint64_t>{9});
  CHECK(read.table_s8("rows.weight").values == q.values);
  CHECK(read.table("rows.weight").values == tools::dequantize_rows(q).values);
  read.put_table("rows.weight", read.table("rows.weight"));
  CHECK(read.find_tensor("rows.weight_scale") == nullptr);
}

TEST_CASE("int8 matrices are inspected, compared and exported as rows with scales") {
  const ScratchFolder scratch;
  const std::string sample = scratch.file("a.gguf"), edited = scratch.file("b.gguf"),
                    out = scratch.file("b.safetensors");
  write_sample(sample);
  ModelEdit edit(sample);
  const RowsS8 qkv = tools::quantize_rows(edit.matrix("blk.0.attn_qkv.weight"));
  const RowsS8 up = tools::quantize_rows(edit.matrix("up.weight"));
  edit.put_matrix_s8("blk.0.attn_qkv.weight", qkv);
  edit.put_matrix_s8("up.weight", up);
  edit.put_table_s8("rows.weight", tools::quantize_rows(edit.table("rows.weight")));
  edit.save(edited);

  CHECK(tools::parameter_count(tools::read_checkpoint(edited)) ==
        tools::parameter_count(tools::read_checkpoint(sample)));
  std::ostringstream report;
  CHECK(tools::print_diff(report, edited, edited));
  CHECK(!tools::print_diff(report, sample, edited));
  CHECK(report.str().find("up.weight  float32 in one, int8 in the other: differ by at most") !=
        std::string::npos);

  tools::export_safetensors(edited, out);
  const tools::Checkpoint exported = tools::read_checkpoint(out);
  const auto int8_of = [&](const std::string& name) {
    const tools::Tensor* tensor = exported.find(name);
    REQUIRE(tensor != nullptr);
    std::vector<std::int8_t> values(static_cast<std::size_t>(tensor->count()));
    tools::copy_dense(*tensor, values.data());
    return values;
  };
  CHECK(int8_of("up.weight") == up.values);
  CHECK(exported.find("up.weight")->shape == std::vector<std::int64_t>{20, 12});
  std::vector<std::int8_t> joined;
  for (const std::string part : {"q", "k", "v"}) {
    const std::string name = "blk.0.attn_" + part + ".weight";
    CHECK(exported.find(name)->shape == std::vector<std::int64_t>{18, 7});
    CHECK(exported.find(name + "_scale")->shape == std::vector<std::int64_t>{18});
    const auto values = int8_of(name);
    joined.insert(joined.end(), values.begin(), values.end());
  }
  CHECK(joined == qkv.values);
}

TEST_CASE("tensors are renamed together with the list of panels; the source is never overwritten") {
  const ScratchFolder scratch;
  const std::string sample = scratch.file("a.gguf"), edited = scratch.file("b.gguf");
  write_sample(sample);
  ModelEdit edit(sample);
  edit.rename_tensors([](const std::string& name) -> std::string {
    if (name == "norm.weight") return "";
    return name == "up.weight" ? "down.weight" : name;
  });
  edit.save(edited);
  const ModelEdit read(edited);
  CHECK(read.find_tensor("norm.weight") == nullptr);
  CHECK(read.matrix("down.weight").values == dense(1, 20, 12).values);
  CHECK_THROWS_AS(edit.rename_tensors([](const std::string&) { return "same"; }), FileError);
  const std::string before = read_text(sample);
  CHECK_THROWS_AS(ModelEdit(sample).save(sample), FileError);
  CHECK(read_text(sample) == before);
}

TEST_CASE("a file of more tensors than any model has is not taken apart") {
  constexpr int kMany = 10'001;
  const float value = 1;
  tools::MemorySink out("many");
  tools::GgufWriter file(out, "sample");
  for (int i = 0; i < kMany; ++i) file.add_tensor("x" + std::to_string(i), tools::kGgufF32, {1});
  file.begin_data();
  for (int i = 0; i < kMany; ++i) file.write(&value, sizeof value);
  file.finish();
  CHECK_THROWS_AS(ModelEdit(out.bytes(), "many"), FileError);
}

TEST_CASE("scales of another number than the rows, and panels that do not fit, are refused") {
  const ScratchFolder scratch;
  const std::string sample = scratch.file("a.gguf"), broken = scratch.file("b.gguf");
  write_sample(sample);
  ModelEdit edit(sample);
  edit.put_matrix_s8("up.weight", tools::quantize_rows(edit.matrix("up.weight")));
  edit.put_table_s8("rows.weight", tools::quantize_rows(edit.table("rows.weight")));
  ModelEdit::Tensor short_scale = edit.tensor("norm.weight");
  short_scale.name = "rows.weight_scale";
  edit.put_tensor(short_scale);
  short_scale.name = "up.weight_scale";
  edit.put_tensor(short_scale);
  CHECK_THROWS_AS(edit.table("rows.weight"), FileError);
  CHECK_THROWS_AS(edit.matrix("up.weight"), FileError);

  ModelEdit::Tensor deeper = edit.tensor("up.weight");
  deeper.panels->k = 17;
  edit.put_tensor(deeper);
  edit.save(broken);
  CHECK_THROWS_AS(ModelEdit{broken}, FileError);
}
