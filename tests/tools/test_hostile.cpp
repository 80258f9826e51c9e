// Every file of tests/data/hostile against its verdict; the README there states the rules.
#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "checkpoint.hpp"
#include "export.hpp"
#include "gguf_checkpoint.hpp"
#include "inspect.hpp"
#include "sha256.hpp"
#include "tool_files.hpp"

namespace {

using namespace kinglet;
using namespace kinglet::tests;
using Json = nlohmann::json;

const std::string kFolder = KINGLET_TEST_DATA "/hostile/";
constexpr double kMostSeconds = 1;

Json read_expectations() { return Json::parse(std::ifstream(kFolder + "expect.json")); }

/// "" if the tensor is the one described, else what is wrong with it.
std::string fault_of(const tools::Tensor& tensor, const Json& expected) {
  if (tensor.dtype_name != expected["dtype"]) return "dtype is " + tensor.dtype_name;
  if (Json(tensor.shape) != expected["shape"]) return "shape is " + Json(tensor.shape).dump();
  if (tensor.nbytes() != expected["nbytes"]) return "another size";
  std::vector<unsigned char> dense(static_cast<std::size_t>(tensor.nbytes()));
  tools::copy_dense(tensor, dense.data());
  if (tools::sha256_hex(Bytes(dense.data(), dense.size())) != expected["sha256"])
    return "other contents";
  return "";
}

std::string path_of(const Json& path) {
  std::string name;
  for (const Json& key : path)
    name += (name.empty() ? "" : ".") + (key.is_string() ? key.get<std::string>() : key.dump());
  return name;
}

std::string fault_of_weights(const tools::Checkpoint& checkpoint, const Json& expected) {
  if (checkpoint.tensors.size() != expected["tensors"].size()) return "another number of tensors";
  for (const tools::Tensor& tensor : checkpoint.tensors) {
    const auto found = expected["tensors"].find(tensor.name);
    if (found == expected["tensors"].end()) return "no tensor may be named " + tensor.name;
    const std::string fault = fault_of(tensor, *found);
    if (!fault.empty()) return tensor.name + ": " + fault;
  }
  return "";
}

std::string fault_of_checkpoint(const tools::Checkpoint& checkpoint, const Json& expected) {
  if (checkpoint.prefix != expected["prefix"]) return "prefix is " + checkpoint.prefix;
  std::map<std::string, Json> others;
  if (expected.contains("other_tensors"))
    for (const Json& other : expected["other_tensors"]) others[path_of(other["path"])] = other;
  if (checkpoint.other_tensors.size() != others.size()) return "another number of other tensors";
  for (const tools::Tensor& tensor : checkpoint.other_tensors) {
    if (others.count(tensor.name) == 0) return "no other tensor is " + tensor.name;
    const std::string fault = fault_of(tensor, others[tensor.name]);
    if (!fault.empty()) return tensor.name + ": " + fault;
  }
  return fault_of_weights(checkpoint, expected);
}

/// An error of one line that names the file and says more.
std::string fault_of_error(const std::string& text, const std::string& path) {
  if (text.rfind(path + ": ", 0) != 0) return "the error does not begin with the file: " + text;
  if (text.size() < path.size() + 10) return "the error says nothing: " + text;
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20) return "the error has a control character: " + text;
  return "";
}

/// Of the processor: other programs do not count.
struct Clock {
  std::clock_t start = std::clock();
  double seconds() const {
    return static_cast<double>(std::clock() - start) / static_cast<double>(CLOCKS_PER_SEC);
  }
};

}  // namespace

TEST_CASE("every hostile file gets its verdict when it is inspected") {
  const Json expectations = read_expectations();
  std::size_t count = 0;
  for (const auto& item : expectations.items()) {
    const std::string& name = item.key();
    const Json& expected = item.value();
    CAPTURE(name);
    const std::string path = kFolder + name;
    const Clock clock;
    std::string error;
    try {
      const tools::Checkpoint checkpoint = tools::read_checkpoint(path);
      CHECK(expected["verdict"] != "reject");
      if (expected.contains("tensors")) CHECK(fault_of_checkpoint(checkpoint, expected) == "");
      std::ostringstream text, json;
      tools::print_checkpoint(text, checkpoint);
      tools::print_checkpoint_json(json, checkpoint);
      CHECK(Json::parse(json.str())["tensors"].size() == checkpoint.tensors.size());
    } catch (const tools::FileError& caught) {
      CHECK(expected["verdict"] != "accept");
      CHECK(fault_of_error(caught.what(), path) == "");
    }
    CHECK(clock.seconds() < kMostSeconds);
    ++count;
  }
  CHECK(count == 703);
}

TEST_CASE("every hostile file gets its verdict when it is exported, and leaves nothing behind") {
  const ScratchFolder scratch;
  const std::string out = scratch.file("out.safetensors");
  const Json expectations = read_expectations();
  for (const auto& item : expectations.items()) {
    const std::string& name = item.key();
    const Json& expected = item.value();
    CAPTURE(name);
    const std::string path = kFolder + name;
    const Clock clock;
    try {
      tools::export_safetensors(path, out);
      CHECK(expected["verdict"] != "reject");
      if (expected.contains("tensors"))
        CHECK(fault_of_weights(tools::read_checkpoint(out), expected) == "");
      std::filesystem::remove(out);
    } catch (const tools::FileError& caught) {
      CHECK(expected["verdict"] != "accept");
      CHECK(fault_of_error(caught.what(), path) == "");
    }
    CHECK(scratch.is_empty());
    CHECK(clock.seconds() < kMostSeconds);
  }
}
