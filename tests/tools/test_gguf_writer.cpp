#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <kinglet/io/model_file.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "file_error.hpp"
#include "gguf_writer.hpp"
#include "mapped_file.hpp"
#include "sha256.hpp"
#include "tool_files.hpp"

using namespace kinglet;
using namespace kinglet::tools;
using kinglet::tests::read_text;
using kinglet::tests::ScratchFolder;

namespace {

std::vector<float> numbers(std::size_t n) {
  std::vector<float> list(n);
  for (std::size_t i = 0; i < n; ++i) list[i] = static_cast<float>(i) * 0.25f;
  return list;
}

/// One of everything.
void write_sample(const std::string& path) {
  OutputFile out(path);
  GgufWriter file(out, "sample");
  file.add_u32("sample.u32", 4000000000u);
  file.add_u64("sample.u64", std::uint64_t{1} << 40);
  file.add_f32("sample.f32", 1e-5f);
  file.add_bool("sample.flag", true);
  file.add_string("sample.text", "Größe");
  file.add_u32s("sample.ids", {3, 1, 2});
  file.add_strings("sample.words", {"a", "", "##b"});
  file.add_tensor("matrix", kGgufF32, {3, 5});
  file.add_tensor("one", kGgufF32, {1});
  file.add_tensor("panels", kGgufF32, {2, 3, 16});
  file.begin_data();
  const auto matrix = numbers(15);
  file.write(matrix.data(), 7);  // pieces may end anywhere
  file.write(reinterpret_cast<const char*>(matrix.data()) + 7, 60 - 7);
  const auto rest = numbers(97);  // and span tensors
  file.write(rest.data(), 97 * sizeof(float));
  file.finish();
  out.commit();
}

}  // namespace

TEST_CASE("what is written is read back, aligned, padded with zeros") {
  const ScratchFolder scratch;
  const std::string path = scratch.file("sample.gguf");
  write_sample(path);
  const auto mapped = MappedFile::open(path);
  const auto file = ModelFile::open(mapped->bytes());
  REQUIRE(file.ok());
  CHECK(*file->string("general.architecture") == "sample");
  CHECK(*file->u64("general.alignment") == 64);
  CHECK(*file->u64("sample.u32") == 4000000000u);
  CHECK(*file->u64("sample.u64") == std::uint64_t{1} << 40);
  CHECK(*file->f64("sample.f32") == static_cast<double>(1e-5f));
  CHECK(*file->boolean("sample.flag"));
  CHECK(*file->string("sample.text") == "Größe");
  CHECK(*file->array("sample.ids")->number(2) == 2);
  CHECK(*file->array("sample.words")->string(2) == "##b");
  const auto matrix = file->tensor("matrix");
  REQUIRE(matrix.ok());
  CHECK(matrix->shape[0] == 3);
  CHECK(matrix->shape[1] == 5);
  const auto panels = file->tensor("panels");
  REQUIRE(panels.ok());
  CHECK(panels->rank == 3);
  CHECK(panels->shape[2] == 16);
  std::uint64_t padding = 0;
  file->for_each_tensor([&](const TensorInfo& tensor) {
    CHECK((tensor.data - mapped->bytes().data()) % 64 == 0);
    for (const unsigned char* p = tensor.data + tensor.nbytes;
         (p - mapped->bytes().data()) % 64 != 0; ++p) {
      padding += *p;
    }
  });
  CHECK(padding == 0);
  CHECK(mapped->bytes().size() % 64 == 0);
  const auto expected = numbers(97);
  CHECK(std::memcmp(file->tensor("one")->data, expected.data(), 4) == 0);
  CHECK(std::memcmp(panels->data, expected.data() + 1, 96 * 4) == 0);
}

TEST_CASE("the same calls write the same bytes") {
  const ScratchFolder scratch;
  write_sample(scratch.file("a"));
  write_sample(scratch.file("b"));
  CHECK(read_text(scratch.file("a")) == read_text(scratch.file("b")));
}

TEST_CASE("what GGUF cannot hold is refused, and no file is left") {
  const ScratchFolder scratch;
  {
    OutputFile out(scratch.file("x.gguf"));
    GgufWriter file(out, "x");
    CHECK_THROWS_AS(file.add_u32("general.alignment", 1), FileError);
    CHECK_THROWS_AS(file.add_u32("", 1), FileError);
    CHECK_THROWS_AS(file.add_string("k", "\xFF"), FileError);
    CHECK_THROWS_AS(file.add_strings("ks", {"fine", "\xC0\x80"}), FileError);
    CHECK_THROWS_AS(file.add_tensor(std::string(65, 'n'), kGgufF32, {1}), FileError);
    CHECK_THROWS_AS(file.add_tensor("t", kGgufF32, {}), FileError);
    CHECK_THROWS_AS(file.add_tensor("t", kGgufF32, {1, 1, 1, 1, 1}), FileError);
    CHECK_THROWS_AS(file.add_tensor("t", kGgufF32, {4, 0}), FileError);
    CHECK_THROWS_AS(file.add_tensor("t", 4, {1}), FileError);
    CHECK_THROWS_AS(
        file.add_tensor("t", kGgufF32, {std::uint64_t{1} << 40, std::uint64_t{1} << 40}),
        FileError);
    file.add_tensor("t", kGgufF32, {2});
    CHECK_THROWS_AS(file.add_tensor("t", kGgufF32, {2}), FileError);
    file.begin_data();
    CHECK_THROWS_WITH(file.finish(), doctest::Contains("'t'"));
    const auto data = numbers(2);
    file.write(data.data(), 8);
    CHECK_THROWS_AS(file.write(data.data(), 4), std::logic_error);
  }
  CHECK(scratch.is_empty());
}

TEST_CASE("the gguf package of Python reads the same names, shapes and bytes") {
  if (std::system("python3 -c 'import gguf' >/dev/null 2>&1") != 0) {
    return tests::say_skipped("reading with Python's gguf, a package that is not installed");
  }
  const ScratchFolder scratch;
  write_sample(scratch.file("sample.gguf"));
  const std::string script =
      "import gguf, hashlib, sys\n"
      "reader = gguf.GGUFReader(sys.argv[1])\n"
      "for name in ('general.architecture', 'sample.text', 'sample.u64', 'sample.flag'):\n"
      "    print(reader.get_field(name).contents())\n"
      "print(reader.get_field('sample.words').contents(), "
      "reader.get_field('sample.ids').contents())\n"
      "for tensor in reader.tensors:\n"
      "    shape = [int(n) for n in reversed(tensor.shape)]\n"
      "    print(tensor.name, shape, hashlib.sha256(tensor.data.tobytes()).hexdigest())\n";
  tests::write_text(scratch.file("read.py"), script);
  const std::string command = "python3 " + scratch.file("read.py") + " " +
                              scratch.file("sample.gguf") + " >" + scratch.file("said");
  REQUIRE(std::system(command.c_str()) == 0);
  const auto matrix = numbers(15);
  const auto rest = numbers(97);
  const auto hash = [](const float* data, std::size_t n) {
    return sha256_hex({reinterpret_cast<const unsigned char*>(data), n * sizeof(float)});
  };
  std::ostringstream expected;
  expected << "sample\nGröße\n1099511627776\nTrue\n['a', '', '##b'] [3, 1, 2]\n"
           << "matrix [3, 5] " << hash(matrix.data(), 15) << "\none [1] " << hash(rest.data(), 1)
           << "\npanels [2, 3, 16] " << hash(rest.data() + 1, 96) << '\n';
  CHECK(read_text(scratch.file("said")) == expected.str());
}

TEST_CASE("SHA-256 gives the published digests") {
  const auto of = [](const std::string& text) {
    return sha256_hex({reinterpret_cast<const unsigned char*>(text.data()), text.size()});
  };
  CHECK(of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(of(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  Sha256 pieces;
  for (int i = 0; i < 1000; ++i) pieces.update(std::string(1000, 'a').data(), 1000);
  CHECK(pieces.hex() == of(std::string(1000000, 'a')));
}
