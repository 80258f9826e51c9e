#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "file_error.hpp"
#include "output_file.hpp"
#include "tool_files.hpp"

using namespace kinglet::tests;
using kinglet::tools::FileError;
using kinglet::tools::OutputFile;

namespace {

namespace fs = std::filesystem;

void write_output(const std::string& path, const std::string& text) {
  OutputFile out(path);
  out.write(text.data(), text.size());
  out.commit();
}

mode_t mode_of(const std::string& path) {
  struct stat file = {};
  CHECK(::stat(path.c_str(), &file) == 0);
  return file.st_mode & 07777;
}

}  // namespace

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

TEST_CASE("an output file leaves the permissions of the one that it replaces") {
  const ScratchFolder scratch;
  const mode_t mask = ::umask(027);
  write_output(scratch.file("new"), "a");
  ::umask(mask);
  CHECK(mode_of(scratch.file("new")) == 0640);
  for (const mode_t mode : {0600u, 0644u, 0755u}) {
    CHECK(::chmod(scratch.file("new").c_str(), mode) == 0);
    write_output(scratch.file("new"), "b");
    CHECK(mode_of(scratch.file("new")) == mode);
  }
}

TEST_CASE("an output file that is named by a link is written where the link leads") {
  const ScratchFolder scratch, links;
  write_text(scratch.file("there"), "old");
  fs::create_symlink(scratch.file("there"), links.file("absolute"));
  fs::create_symlink("absolute", links.file("relative"));
  fs::create_symlink(scratch.file("missing"), links.file("dangling"));
  fs::create_symlink("endless", links.file("endless"));
  write_output(links.file("absolute"), "one");
  CHECK(read_text(scratch.file("there")) == "one");
  write_output(links.file("relative"), "two");
  CHECK(read_text(scratch.file("there")) == "two");
  write_output(links.file("dangling"), "three");
  CHECK(read_text(scratch.file("missing")) == "three");
  for (const char* name : {"absolute", "relative", "dangling"})
    CHECK(fs::is_symlink(links.file(name)));
  CHECK_THROWS_AS(OutputFile(links.file("endless")), FileError);
}

TEST_CASE("an output file has any name that a file may have") {
  const ScratchFolder scratch;
  const std::string path = scratch.file(std::string(255, 'n'));
  write_output(path, "abc");
  CHECK(read_text(path) == "abc");
  CHECK_THROWS_AS(OutputFile(path + "n").commit(), FileError);
  fs::remove(path);
  CHECK(scratch.is_empty());
}

TEST_CASE("a signal that ends the program removes the files that it has not finished") {
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) {
    const ScratchFolder scratch;
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(signal, SIG_DFL);  // some are doctest's
      OutputFile first(scratch.file("first")), second(scratch.file("second"));
      write_output(scratch.file("done"), "abc");
      first.write("abc", 3);
      if (::write(ready[1], "!", 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    ::close(ready[1]);
    char byte;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    CHECK(::kill(child, signal) == 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == signal);
    CHECK(read_text(scratch.file("done")) == "abc");
    fs::remove(scratch.file("done"));
    CHECK(scratch.is_empty());
    ::close(ready[0]);
  }
}

TEST_CASE("a signal that the program ignores or handles stays with it") {
  const ScratchFolder scratch;
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGHUP, SIG_IGN);
    std::signal(SIGINT, [](int) {});
    OutputFile out(scratch.file("out"));
    std::raise(SIGHUP);
    std::raise(SIGINT);
    out.write("abc", 3);
    out.commit();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(read_text(scratch.file("out")) == "abc");
}
