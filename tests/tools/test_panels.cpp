// Model files of ours as checkpoints: what is stored, and the matrices in the panels.
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "checkpoint.hpp"
#include "export.hpp"
#include "gguf_checkpoint.hpp"
#include "gguf_writer.hpp"
#include "inspect.hpp"
#include "tool_files.hpp"

namespace {

using namespace kinglet;
using namespace kinglet::tests;
using tools::Checkpoint;
using tools::FileError;

using Floats = std::vector<float>;

Floats counting(int n, float first) {
  Floats values;
  for (int i = 0; i < n; ++i) values.push_back(first + static_cast<float>(i));
  return values;
}

/// [ceil(n/16)][k][16], zeros where there is no row.
Floats panels_of(const Floats& w, int n, int k) {
  Floats panels(static_cast<std::size_t>((n + 15) / 16 * 16 * k));
  for (int r = 0; r < n; ++r)
    for (int c = 0; c < k; ++c)
      panels[static_cast<std::size_t>((r / 16 * k + c) * 16 + r % 16)] =
          w[static_cast<std::size_t>(r * k + c)];
  return panels;
}

constexpr int kN = 18, kK = 3;

struct Entry {
  std::string name;
  std::uint32_t parts, n, k;
};

/// q, k, v of kN x kK and their biases in panels, and rows that are stored as they are.
void write_model(const std::string& path, const std::vector<Entry>& entries) {
  tools::OutputFile out(path);
  tools::GgufWriter file(out, "test");
  std::vector<std::string> names;
  std::vector<std::uint32_t> parts, n, k;
  for (const Entry& entry : entries) {
    names.push_back(entry.name);
    parts.push_back(entry.parts);
    n.push_back(entry.n);
    k.push_back(entry.k);
  }
  file.add_f32("test.epsilon", 1e-5f);
  file.add_strings("kinglet.panels.tensor", names);
  file.add_u32s("kinglet.panels.parts", parts);
  file.add_u32s("kinglet.panels.n", n);
  file.add_u32s("kinglet.panels.k", k);
  file.add_tensor("blk.0.attn_qkv.weight", tools::kGgufF32, {6, kK, 16});
  file.add_tensor("blk.0.attn_qkv.bias", tools::kGgufF32, {6, 16});
  file.add_tensor("rows", tools::kGgufF32, {2, 5});
  file.begin_data();
  const auto write = [&](const Floats& values) {
    file.write(values.data(), values.size() * sizeof(float));
  };
  for (int part = 0; part < 3; ++part)
    write(panels_of(counting(kN * kK, 1000 * static_cast<float>(part)), kN, kK));
  for (int part = 0; part < 3; ++part)
    write(panels_of(counting(kN, 100 * static_cast<float>(part)), kN, 1));
  write(counting(10, 0));
  file.finish();
  out.commit();
}

const std::vector<Entry> kEntries = {{"blk.0.attn_qkv.weight", 3, kN, kK},
                                     {"blk.0.attn_qkv.bias", 3, kN, 0}};

Floats dense(const Checkpoint& checkpoint, const std::string& name) {
  const tools::Tensor* tensor = checkpoint.find(name);
  REQUIRE(tensor != nullptr);
  Floats values(static_cast<std::size_t>(tensor->count()));
  tools::copy_dense(*tensor, values.data());
  return values;
}

}  // namespace

TEST_CASE("export takes q, k, v and their biases out of the panels, bit for bit") {
  const ScratchFolder scratch;
  const std::string model = scratch.file("m.gguf"), out = scratch.file("m.safetensors");
  write_model(model, kEntries);
  CHECK(tools::export_safetensors(model, out) == 7);
  const Checkpoint exported = tools::read_checkpoint(out);
  float part = 0;
  for (const std::string name : {"attn_q", "attn_k", "attn_v"}) {
    const std::string whole = "blk.0." + name;
    CHECK(exported.find(whole + ".weight")->shape == std::vector<std::int64_t>{kN, kK});
    CHECK(dense(exported, whole + ".weight") == counting(kN * kK, 1000 * part));
    CHECK(exported.find(whole + ".bias")->shape == std::vector<std::int64_t>{kN});
    CHECK(dense(exported, whole + ".bias") == counting(kN, 100 * part));
    ++part;
  }
  CHECK(dense(exported, "rows") == counting(10, 0));
  const tools::TextPairs& metadata = exported.metadata;
  CHECK(std::find(metadata.begin(), metadata.end(),
                  std::pair<std::string, std::string>{"general.architecture", "test"}) !=
        metadata.end());
  CHECK(std::find(metadata.begin(), metadata.end(),
                  std::pair<std::string, std::string>{"test.epsilon", "9.99999975e-06"}) !=
        metadata.end());
}

TEST_CASE("inspect shows a model file as it is stored") {
  const ScratchFolder scratch;
  const std::string model = scratch.file("m.gguf");
  write_model(model, kEntries);
  const Checkpoint checkpoint = tools::read_checkpoint(model);
  CHECK(checkpoint.container == "gguf");
  CHECK(checkpoint.tensors.size() == 3);
  CHECK(checkpoint.find("blk.0.attn_qkv.weight")->shape == std::vector<std::int64_t>{6, kK, 16});
  std::ostringstream text;
  tools::print_checkpoint(text, checkpoint);
  CHECK(text.str().find("kinglet.panels.n  u32[2] 18 18\n") != std::string::npos);
}

TEST_CASE("panels that the tensors do not have are an error") {
  const ScratchFolder scratch;
  const std::string model = scratch.file("m.gguf"), out = scratch.file("m.safetensors");
  const std::vector<Entry> wrong[] = {
      {{"blk.0.attn_qkv.weight", 3, kN, kK + 1}}, {{"blk.0.attn_qkv.weight", 2, kN, kK}},
      {{"blk.0.attn_qkv.weight", 3, 33, kK}},     {{"blk.0.attn_qkv.weight", 0, kN, kK}},
      {{"blk.0.attn_qkv.weight", 3, 0, kK}},      {{"no.such.tensor", 3, kN, kK}},
      {{"rows", 1, 10, 0}, {"rows", 1, 10, 0}},
  };
  for (const std::vector<Entry>& entries : wrong) {
    write_model(model, entries);
    CHECK_THROWS_AS(tools::export_safetensors(model, out), FileError);
    CHECK(!std::filesystem::exists(out));
  }
}
