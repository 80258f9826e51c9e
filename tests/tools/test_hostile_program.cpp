// The program itself over hostile files: exit codes, one line of error, time and memory.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "pickle_bytes.hpp"
#include "tool_files.hpp"

namespace {

using namespace kinglet::tests;
using Json = nlohmann::json;

constexpr std::uint64_t kMostData = std::uint64_t{64} << 20;  // beside the mapped file

/// Inspect and export; the error, if any, is one line. Memory is limited, time measured.
int check_program(const std::string& path, const ScratchFolder& scratch) {
  const std::string out = scratch.file("out.safetensors");
  const std::uint64_t most = !kSanitized && !is_emulated() ? kMostData : 0;
  const Ran inspected = run_weights({"inspect", path}, scratch, most);
  const Ran exported = run_weights({"export", path, "-o", out}, scratch, most);
  for (const Ran* ran : {&inspected, &exported}) {
    CHECK((ran->code == 0 || ran->code == 1));
    if (ran->code == 1) {
      CHECK(ran->err.rfind("kinglet-weights: ", 0) == 0);
      CHECK(ran->err.find('\n') == ran->err.size() - 1);
    } else {
      CHECK(ran->err == "");
    }
    CHECK(ran->err.find("bad_alloc") == std::string::npos);
    if (!kSanitized && !is_emulated()) CHECK(ran->seconds < 1);
  }
  CHECK(std::filesystem::exists(out) == (exported.code == 0));
  std::filesystem::remove(out);
  CHECK(scratch.is_empty());
  return exported.code;
}

std::string repeated(const std::string& text, std::size_t count) {
  std::string all;
  all.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

std::string zip_of(const std::string& pickle) { return zip({{"archive/data.pkl", pickle}}); }

/// What is given, built once, pushed `count` times more; memo 9.
std::string shared(const std::string& value, std::size_t count) {
  return "](" + value + "q\x09" + repeated("h\x09", count) + "e";
}

std::string safetensors_of(const std::string& header) {
  return little_endian(header.size(), 8) + header;
}

}  // namespace

TEST_CASE("kinglet-weights gives every hostile file its verdict") {
  if (is_emulated()) {  // the library does the same in test_hostile.cpp
    return say_skipped("the program on every hostile file: a process a file is slow when emulated");
  }
  const ScratchFolder scratch;
  const std::string folder = KINGLET_TEST_DATA "/hostile/";
  const Json expectations = Json::parse(std::ifstream(folder + "expect.json"));
  for (const auto& item : expectations.items()) {
    const std::string& name = item.key();
    const Json& expected = item.value();
    CAPTURE(name);
    const int code = check_program(folder + name, scratch);
    if (expected["verdict"] == "reject") CHECK(code == 1);
    if (expected["verdict"] == "accept") CHECK(code == 0);
  }
}

TEST_CASE("kinglet-weights stays within its memory and time where a small file describes much") {
  if (is_emulated() || kSanitized) {
    say_skipped("memory and time limits of the program: emulation and sanitizers have their own");
  }
  const ScratchFolder scratch;
  const std::string start = "\x80\x02";
  constexpr std::size_t kMany = 10'000'000;
  std::string laughs = start +
                       "]N\x61q\1"
                       "0";  // lists of two of the list before
  for (char i = 2; i < 100; ++i)
    laughs += std::string("](h") + static_cast<char>(i - 1) + "h" + static_cast<char>(i - 1) +
              "eq" + i + "0";
  // n things that are referred to n times: n² steps for whoever looks at them each time.
  constexpr std::size_t kShared = 100'000;
  const std::string floats(4, '\0');
  const auto weights = [&](const std::string& body) { return torch_zip(body, {{"0", floats}}); };
  const std::string one = tensor("0", 1);
  const std::string optimizer = dict(text("state") + "N" + text("param_groups") + "N" +
                                     repeated("NN", kShared) + text("t") + one);
  const std::string parts = "ctorch._utils\n_rebuild_tensor_v2\n(" + storage("0", 1) + integer(0) +
                            integer(1) + "\x85" + integer(1) + "\x85\x89N";
  const std::pair<const char*, std::string> files[] = {
      {"shared tuple", weights(dict(text("t") + one + text("a") +
                                    shared(marked(repeated("N", kShared), 't'), kShared)))},
      {"shared optimizer", weights(dict(text("a") + one + text("model") + "q\x01" + optimizer +
                                        "q\x02" + repeated("h\x01h\x02", kShared)))},
      {"shared list", weights(dict(text("a") + one + text("b") +
                                   shared(marked(one + repeated("N", kShared), 'l'), kShared)))},
      {"shared texts",
       weights(dict(text("t") + one + text("a") + marked(repeated(text("b"), kShared) + "N", 'l') +
                    "q\x01" + repeated(text("c") + "h\x01", kShared)))},
      {"shared metadata", weights("]" + dict(repeated("N\x89", kShared)) + "q\x01" + "0(" +
                                  repeated(parts + "h\x01tR", kShared / 10) + "e")},
      {"shared key",
       weights("](" + text("storage") + "ctorch\nFloatStorage\n" + text(repeated("0", kShared)) +
               text("cpu") + integer(1) + "tq\x01" + repeated("h\x01Q", kShared) + "e")},
      {"shared type", weights("](ctorch." + repeated("a", kShared) + "\nb\nq\x01" +
                              repeated("h\x01)R", kShared) + "e")},
      {"values under a long key",
       weights(dict(text(repeated("a", kShared)) +
                    dict(text("t") + one + repeated(text("b") + "K\1", kShared))))},
      {"tuples", zip_of(start + repeated(")", kMany) + ".")},
      {"marks", zip_of(start + repeated("(", kMany) + ".")},
      {"dicts", zip_of(start + repeated("}0", kMany / 2) + "}.")},
      {"globals", zip_of(start + repeated("ca\nb\n0", kMany / 10) + "}.")},
      {"memo", zip_of(start + "}" + repeated("\x94", kMany) + ".")},
      {"deep", zip_of(start + repeated("]", kMany / 10) + repeated("a", kMany / 10 - 1) + ".")},
      {"laughs", zip_of(laughs + "}.")},
      {"digits", zip_of(start + "}I" + repeated("9", kMany) + "\n0.")},
      {"text", zip_of(start + "X" + little_endian(4 * kMany, 4) + repeated("a", 4 * kMany) + ".")},
      {"blanks", safetensors_of("{}" + repeated(" ", 90'000'000))},
      {"name", safetensors_of("{\"" + repeated("a", 90'000'000) +
                              "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}")},
      {"escapes", safetensors_of("{\"" + repeated("\\u0001", kMany) +
                                 "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}")},
      {"metadata", safetensors_of("{\"__metadata__\":{" + repeated("\"a\":\"b\",", kMany / 10) +
                                  "\"c\":\"d\"}}")},
  };
  for (const auto& entry : files) {
    const std::string name = entry.first;
    CAPTURE(name);
    const ScratchFolder folder;
    const std::string path = folder.file(name);
    write_text(path, entry.second);
    check_program(path, scratch);
  }
}

TEST_CASE("wrong usage has exit code 2 and the help 0") {
  const ScratchFolder scratch;
  CHECK(run_weights({}, scratch).code == 2);
  CHECK(run_weights({"inspect"}, scratch).code == 2);
  CHECK(run_weights({"no-such-command"}, scratch).code == 2);
  CHECK(run_weights({"inspect", "--no-such-option", "x"}, scratch).code == 2);
  CHECK(run_weights({"--help"}, scratch).code == 0);
  CHECK(run_weights({"inspect", "--help"}, scratch).code == 0);
  CHECK(run_weights({"--version"}, scratch).out.rfind("kinglet-weights ", 0) == 0);
}

TEST_CASE("files that are none end with a clear error") {
  const ScratchFolder scratch;
  for (const std::string path : {"/no/such/file.pth", "/dev/null", "/"}) {
    CAPTURE(path);
    const Ran ran = run_weights({"inspect", path}, scratch);
    CHECK(ran.code == 1);
    CHECK(ran.err.rfind("kinglet-weights: " + path + ": ", 0) == 0);
  }
}
