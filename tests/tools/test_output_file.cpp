#include <doctest/doctest.h>

#include "file_error.hpp"
#include "output_file.hpp"
#include "tool_files.hpp"

using namespace kinglet::tests;
using kinglet::tools::FileError;
using kinglet::tools::OutputFile;

TEST_CASE("an output file appears only when it is complete") {
  const ScratchFolder scratch;
  const std::string path = scratch.file("out");
  {
    OutputFile out(path);
    out.write("abc", 3);
    CHECK(!std::filesystem::exists(path));
    out.commit();
    CHECK(read_text(path) == "abc");
  }
  CHECK(read_text(path) == "abc");
}

TEST_CASE("an output file that is given up leaves nothing behind and the old one as it was") {
  const ScratchFolder scratch;
  const std::string path = scratch.file("out");
  { OutputFile(path).write("abc", 3); }
  CHECK(scratch.is_empty());
  write_text(path, "old");
  { OutputFile(path).write("abc", 3); }
  CHECK(read_text(path) == "old");
  std::filesystem::remove(path);
  CHECK(scratch.is_empty());
}

TEST_CASE("an output file takes any amount of bytes in pieces of any size") {
  const ScratchFolder scratch;
  std::string all;
  for (unsigned i = 0; i < 1000000; ++i) all += static_cast<char>(i * i >> 3);
  const std::string path = scratch.file("out");
  OutputFile out(path);
  for (std::size_t at = 0, size = 1; at < all.size(); at += size, size = size * 3 + 1) {
    if (size > all.size() - at) size = all.size() - at;
    out.write(all.data() + at, size);
  }
  out.commit();
  CHECK(read_text(path) == all);
}

TEST_CASE("an output file never replaces an input, however it is spelled") {
  const ScratchFolder scratch;
  const std::string path = scratch.file("in");
  write_text(path, "input");
  std::filesystem::create_symlink(path, scratch.file("link"));
  CHECK_THROWS_AS(OutputFile(path, {path}), FileError);
  CHECK_THROWS_AS(OutputFile(scratch.file("./in"), {path}), FileError);
  CHECK_THROWS_AS(OutputFile(scratch.file("link"), {path}), FileError);
  CHECK_THROWS_AS(OutputFile(path, {scratch.file("other"), scratch.file("link")}), FileError);
  CHECK(read_text(path) == "input");
}

TEST_CASE("an output file in a folder that is not there is a clear error") {
  const ScratchFolder scratch;
  CHECK_THROWS_AS(OutputFile(scratch.file("no/such/folder")), FileError);
  CHECK_THROWS_AS(OutputFile("/dev/null"), FileError);
}
