// Tensors as views, and the small readers' edges that no hostile file has.
#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <sstream>

#include "checkpoint.hpp"
#include "diff.hpp"
#include "export.hpp"
#include "inspect.hpp"
#include "safetensors_writer.hpp"
#include "tool_files.hpp"

namespace {

using namespace kinglet;
using namespace kinglet::tests;
using tools::Checkpoint;
using tools::FileError;
using tools::OutputFile;
using tools::Tensor;

template <class T>
Tensor view_of(const std::vector<T>& storage, const char* dtype_name, DType dtype,
               std::vector<std::int64_t> shape, std::vector<std::int64_t> stride,
               std::uint64_t offset = 0) {
  Tensor tensor;
  tensor.name = "t";
  tensor.dtype = dtype;
  tensor.dtype_name = dtype_name;
  tensor.item_size = sizeof(T);
  tensor.shape = std::move(shape);
  tensor.stride = std::move(stride);
  tensor.storage = reinterpret_cast<const unsigned char*>(storage.data() + offset);
  tensor.storage_bytes = (storage.size() - offset) * sizeof(T);
  tensor.storage_offset = offset;
  return tensor;
}

std::vector<std::int32_t> counting(int n) {
  std::vector<std::int32_t> values;
  for (int i = 0; i < n; ++i) values.push_back(i);
  return values;
}

std::vector<std::int32_t> dense(const Tensor& tensor) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(tensor.count()));
  tools::copy_dense(tensor, values.data());
  return values;
}

Tensor named(Tensor tensor, const char* name) {
  tensor.name = name;
  return tensor;
}

void write(const std::string& path, const std::vector<Tensor>& tensors,
           const tools::TextPairs& metadata = {}) {
  OutputFile out(path);
  tools::write_safetensors(out, tensors, metadata);
  out.commit();
}

Checkpoint read_text_as(const std::string& header, const std::string& data = "") {
  static std::string bytes;
  bytes.clear();
  for (unsigned i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i));
  bytes += header + data;
  return tools::read_checkpoint_bytes(
      Bytes(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()), "x.safetensors");
}

using Ints = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("copy_dense writes strided, expanded, stepped, 0-d and empty views row-major") {
  const Ints storage = counting(24);
  const auto view = [&](std::vector<std::int64_t> shape, std::vector<std::int64_t> stride,
                        std::uint64_t offset = 0) {
    return view_of(storage, "int32", DType::s32, std::move(shape), std::move(stride), offset);
  };
  CHECK(dense(view({2, 3}, {3, 1}, 4)) == Ints{4, 5, 6, 7, 8, 9});
  CHECK(dense(view({3, 2}, {1, 3})) == Ints{0, 3, 1, 4, 2, 5});
  CHECK(dense(view({2, 3}, {0, 1}, 1)) == Ints{1, 2, 3, 1, 2, 3});
  CHECK(dense(view({4}, {5}, 2)) == Ints{2, 7, 12, 17});
  CHECK(dense(view({}, {}, 23)) == Ints{23});
  CHECK(dense(view({2, 0, 3}, {9, 9, 9}, 24)).empty());
  CHECK(dense(view({2, 1, 2}, {2, 1000, 1})) == Ints{0, 1, 2, 3});
  CHECK(dense(view({2, 2, 2}, {1, 12, 4}, 1)) == Ints{1, 5, 13, 17, 2, 6, 14, 18});
  CHECK(view({2, 1, 2}, {2, 1000, 1}).contiguous());
  CHECK(!view({3, 2}, {1, 3}).contiguous());
}

TEST_CASE("copy_elements gives any range of any view") {
  const Ints storage = counting(60);
  const Tensor tensor = view_of(storage, "int32", DType::s32, {3, 4, 5}, {1, 15, 3});
  const Ints all = dense(tensor);
  for (std::uint64_t first = 0; first < 60; ++first) {
    for (std::uint64_t count = 0; first + count <= 60; ++count) {
      Ints part(count);
      tools::copy_elements(tensor, first, count, part.data());
      CHECK(std::equal(part.begin(), part.end(), all.begin() + static_cast<std::ptrdiff_t>(first)));
    }
  }
}

TEST_CASE("a view shape reads a matrix out of panels of 16 rows") {
  constexpr int kN = 21, kK = 3;
  Ints panels(2 * kK * 16, -1);
  for (int n = 0; n < kN; ++n)
    for (int k = 0; k < kK; ++k)
      panels[static_cast<std::size_t>(n / 16 * kK * 16 + k * 16 + n % 16)] = n * kK + k;
  Tensor tensor = view_of(panels, "int32", DType::s32, {kN, kK}, {16 * kK, 1, 16});
  tensor.view_shape = {2, 16, kK};
  CHECK(dense(tensor) == counting(kN * kK));
}

TEST_CASE("what write_safetensors writes is read back, views dense and aligned") {
  const ScratchFolder scratch;
  const Ints storage = counting(12);
  const std::vector<std::int8_t> small = {1, 2, 3};
  const std::vector<double> large = {0.5};
  const std::string path = scratch.file("x.safetensors");
  write(path,
        {named(view_of(small, "int8", DType::s8, {3}, {1}), "small \"name\"\n"),
         named(view_of(storage, "int32", DType::s32, {3, 4}, {1, 3}), "turned"),
         named(view_of(storage, "int32", DType::s32, {12}, {1}), ""),
         named(view_of(large, "float64", DType::f64, {}, {}), "large")},
        {{"format", "pt"}, {"größe", "\t"}});
  const Checkpoint read = tools::read_checkpoint(path);
  REQUIRE(read.tensors.size() == 4);
  CHECK(read.metadata == tools::TextPairs{{"format", "pt"}, {"größe", "\t"}});
  REQUIRE(read.find("turned") != nullptr);
  CHECK(dense(*read.find("turned")) == Ints{0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11});
  CHECK(dense(*read.find("")) == counting(12));
  CHECK(read.find("small \"name\"\n")->nbytes() == 3);
  for (const Tensor& tensor : read.tensors)
    CHECK(reinterpret_cast<std::uintptr_t>(tensor.storage) % tensor.item_size == 0);
}

TEST_CASE("write_safetensors refuses what the format cannot hold") {
  const ScratchFolder scratch;
  const Ints storage = counting(4);
  const Tensor tensor = view_of(storage, "int32", DType::s32, {2}, {1});
  Tensor complex = tensor;
  complex.dtype_name = "complex64";
  const std::string path = scratch.file("x");
  CHECK_THROWS_AS(write(path, {complex}), FileError);
  CHECK_THROWS_AS(write(path, {tensor, tensor}), FileError);
  CHECK_THROWS_AS(write(path, {named(tensor, "__metadata__")}), FileError);
  CHECK(scratch.is_empty());
}

TEST_CASE("safetensors metadata that names a tensor is an alias of it") {
  const Checkpoint read = read_text_as(R"({"__metadata__":{"format":"pt","b":"a","c":"nothing"},)"
                                       R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                                       "x");
  CHECK(read.aliases == tools::TextPairs{{"b", "a"}});
  CHECK(read.find("b") == read.find("a"));
  CHECK(read.find("c") == nullptr);
}

TEST_CASE("a shape whose product overflows is refused, also where a later 0 would hide it") {
  const auto header = [](const std::string& shape) {
    return R"({"a":{"dtype":"F32","shape":[)" + shape + R"(],"data_offsets":[0,0]}})";
  };
  CHECK_THROWS_AS(read_text_as(header("4294967296,4294967296,0")), FileError);
  CHECK_THROWS_AS(read_text_as(header("18446744073709551616,0")), FileError);
  CHECK(read_text_as(header("0,4294967296,4294967296")).tensors[0].nbytes() == 0);
}

TEST_CASE("the container is told by its first bytes, not by the file's name") {
  const ScratchFolder scratch;
  const std::string path = scratch.file("odd.pth");
  write(path, {});
  CHECK(tools::read_checkpoint(path).container == "safetensors");
  for (const std::string start : {"", "P", "PK", "GGUF", "\x80", "text", "{\"a\": 1}"}) {
    CAPTURE(start);
    write_text(path, start);
    CHECK_THROWS_AS(tools::read_checkpoint(path), FileError);
  }
}

TEST_CASE("diff tells names, dtypes, shapes and values apart") {
  const ScratchFolder scratch;
  const std::string a = scratch.file("a"), b = scratch.file("b");
  const std::vector<float> x = {1, 2, 3, 4}, y = {1, 2.5f, 3, 4};
  const Ints ints = counting(4);
  const auto floats = [](const std::vector<float>& values, const char* name) {
    return named(view_of(values, "float32", DType::f32, {4}, {1}), name);
  };
  write(a, {floats(x, "same"), floats(x, "value"), floats(x, "type"), floats(x, "only a")});
  write(b, {floats(x, "same"), floats(y, "value"),
            named(view_of(ints, "int32", DType::s32, {4}, {1}), "type"), floats(x, "only b")});
  std::ostringstream none, some;
  CHECK(tools::print_diff(none, a, a));
  CHECK(none.str() == "4 tensors equal bit for bit, 0 different\n");
  CHECK(!tools::print_diff(some, a, b));
  CHECK(some.str() == "only a  only in " + a + "\nonly b  only in " + b +
                          "\ntype  float32 [4] in one, int32 [4] in the other\n"
                          "value  1 of 4 elements differ, by at most 0.5\n"
                          "1 tensors equal bit for bit, 4 different\n");
}

TEST_CASE("diff finds a NaN that takes the place of a number") {
  const ScratchFolder scratch;
  const std::string a = scratch.file("a"), b = scratch.file("b");
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x = {1, 2};
  write(a, {view_of(x, "float32", DType::f32, {2}, {1})});
  for (const std::vector<float>& y : {std::vector<float>{kNan, 3}, {1, kNan}}) {
    write(b, {view_of(y, "float32", DType::f32, {2}, {1})});
    std::ostringstream out;
    CHECK(!tools::print_diff(out, a, b));
    CHECK(out.str().find("nan") != std::string::npos);
  }
}

TEST_CASE("parameters count each shared storage once, and no integers") {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6};
  const Ints ints = counting(4);
  Checkpoint checkpoint;
  checkpoint.tensors = {named(view_of(x, "float32", DType::f32, {2, 2}, {2, 1}), "a"),
                        named(view_of(x, "float32", DType::f32, {2, 2}, {2, 1}), "tied"),
                        named(view_of(x, "float32", DType::f32, {2}, {1}, 4), "rest"),
                        named(view_of(ints, "int32", DType::s32, {4}, {1}), "ids")};
  CHECK(tools::parameter_count(checkpoint) == 6);
}

TEST_CASE("export refuses to write over its input") {
  const ScratchFolder scratch;
  const std::string path = scratch.file("a");
  const std::vector<float> x = {1, 2};
  write(path, {view_of(x, "float32", DType::f32, {2}, {1})});
  const std::string before = read_text(path);
  CHECK_THROWS_AS(tools::export_safetensors(path, path), FileError);
  CHECK(read_text(path) == before);
}
