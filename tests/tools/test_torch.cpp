// PyTorch checkpoints: which tensors are the weights and what they are called, and rules that no
// hostile file breaks by itself.
#include <doctest/doctest.h>

#include <cstring>

#include "checkpoint.hpp"
#include "pickle_bytes.hpp"

namespace {

using namespace kinglet;
using namespace kinglet::tests;
using tools::Checkpoint;
using tools::FileError;

std::string floats(int count, float first = 0) {
  std::string bytes(static_cast<std::size_t>(count) * sizeof(float), '\0');
  for (int i = 0; i < count; ++i) {
    const float value = first + static_cast<float>(i);
    std::memcpy(&bytes[static_cast<std::size_t>(i) * sizeof value], &value, sizeof value);
  }
  return bytes;
}

Checkpoint read(const std::string& bytes) {
  static std::string kept;  // the checkpoint points into it
  kept = bytes;
  return tools::read_checkpoint_bytes(
      Bytes(reinterpret_cast<const unsigned char*>(kept.data()), kept.size()), "x.pth");
}

Checkpoint read_object(const std::string& object) {
  return read(torch_zip(object, {{"0", floats(2)}, {"1", floats(3, 10)}}));
}

std::string error_of(const std::string& object) {
  try {
    read_object(object);
  } catch (const FileError& error) {
    return error.what();
  }
  return "";
}

/// "prefix: names | other names"
std::string summary(const Checkpoint& checkpoint) {
  std::string line = checkpoint.prefix + ":";
  for (const tools::Tensor& tensor : checkpoint.tensors) line += " " + tensor.name;
  line += " |";
  for (const tools::Tensor& tensor : checkpoint.other_tensors) line += " " + tensor.name;
  return line;
}

const std::string kA = tensor("0", 2), kB = tensor("1", 3);
const std::string kWeights = dict(text("a") + kA + text("b") + kB);
const std::string kAdam =
    dict(text("state") + dict(integer(0) + dict(text("m") + kB)) + text("param_groups") + "]");

}  // namespace

TEST_CASE("weights at the root keep their whole names") {
  CHECK(summary(read_object(kWeights)) == ": a b |");
  CHECK(summary(read_object(dict(text("x.y") + kA + text("epoch") + integer(3)))) == ": x.y |");
}

TEST_CASE("weights are found under customary keys, the rest are other tensors") {
  CHECK(summary(read_object(dict(text("model") + kWeights + text("optimizer") + kAdam))) ==
        "model: a b | optimizer.state.0.m");
  CHECK(summary(read_object(dict(text("state_dict") + kWeights + text("ema") + kWeights))) ==
        "state_dict: a b | ema.a ema.b");
  CHECK(summary(read_object(dict(text("ckpt") + dict(text("net") + kWeights)))) ==
        "ckpt.net: a b |");
  CHECK(summary(read_object(dict(text("model") + dict(text("module") + kWeights)))) ==
        "model.module: a b |");
}

TEST_CASE("an optimizer's state is known by its key or by what it holds") {
  CHECK(summary(read_object(dict(text("mine") + kWeights + text("adam") + kAdam))) ==
        "mine: a b | adam.state.0.m");
  CHECK(summary(read_object(dict(text("mine") + kWeights + text("G_Optim") + kWeights))) ==
        "mine: a b | G_Optim.a G_Optim.b");
}

TEST_CASE("a step counter beside the weights does not keep them from being found") {
  CHECK(summary(read_object(dict(text("step") + kA + text("mine") + kWeights))) ==
        "mine: a b | step");
}

TEST_CASE("several dicts of weights are taken together, their keys joined by dots") {
  CHECK(summary(read_object(dict(text("enc") + kWeights + text("dec") + dict(text("c") + kA) +
                                 text("optimizer") + kAdam))) ==
        ": enc.a enc.b dec.c | optimizer.state.0.m");
}

TEST_CASE("a dict that is found twice, by way of the memo, has its weights once") {
  const std::string object = dict(text("model") + kWeights + "q\x07" + text("copy") + "h\x07");
  CHECK(summary(read_object(object)) == "model: a b | copy.a copy.b");
}

TEST_CASE("lists, tuples and bare tensors are weights by order") {
  CHECK(summary(read_object(kA)) == ":  |");
  CHECK(summary(read_object("]" + marked(kA + kB, 'e'))) == ": 0 1 |");
  CHECK(summary(read_object(kA + kB + "\x86")) == ": 0 1 |");
}

TEST_CASE("a key that is set twice has its last value at its first place") {
  const Checkpoint read = read_object(dict(text("a") + kA + text("b") + kA + text("a") + kB));
  REQUIRE(summary(read) == ": a b |");
  CHECK(read.tensors[0].shape == std::vector<std::int64_t>{3});
}

TEST_CASE("two weights that end up with one name are an error") {
  const std::string object =
      dict(text("x.y") + dict(text("z") + kA) + text("x") + dict(text("y.z") + kB));
  CHECK(error_of(object).find("two tensors are named 'x.y.z'") != std::string::npos);
}

TEST_CASE("objects of unknown classes are carried along, and their tensors are other tensors") {
  const std::string object = "cmy.module\nThing\n)\x81" + dict(text("t") + kA) + "b";
  CHECK(summary(read_object(dict(text("model") + kWeights + text("args") + object))) ==
        "model: a b | args.t");
}

TEST_CASE("a dict of an unknown class may hold the weights") {
  const std::string object = "cmy.module\nDict\n)R" + marked(text("a") + kA, 'u');
  CHECK(summary(read_object(dict(text("model") + object))) == "model: a |");
}

TEST_CASE("an unknown class that is given a storage, however deep, is an error that names it") {
  const std::string given = storage("0", 2);
  const std::string cases[] = {
      "cmy\nFn\n" + given + "\x85R",
      "cmy\nFn\n" + ("]" + given + "a\x85\x85") + "R",
      "cmy\nFn\n" + given + "\x85\x81",
      "cmy\nFn\n)\x81" + dict(text("s") + given) + "b",
      "cmy\nFn\n)R" + marked(text("s") + given, 'u'),
      "cmy\nFn\n)R" + marked(given, 'e'),
      marked("cmy\nFn\n" + given, 'o'),
      marked(given, 'i') + "my\nFn\n",
      "]q\x09"
      "0cmy\nFn\nh\x09\x85R" +
          ("h\x09" + given) + "a0",  // filled after it was given
  };
  for (const std::string& object : cases) {
    CAPTURE(object);
    CHECK(error_of(dict(text("model") + kWeights + text("x") + object)).find("'my.Fn'") !=
          std::string::npos);
  }
}

TEST_CASE("an error says which tensor needs how much of which storage") {
  CHECK(error_of(dict(text("w") + tensor("0", 5))) ==
        "x.pth: data.pkl offset 97: tensor 'w' needs 20 bytes of storage '0', the record holds 8");
}

TEST_CASE("plain values beside the weights are metadata") {
  const Checkpoint read = read_object(dict(text("epoch") + integer(7) + text("model") +
                                           dict(text("a") + kA + text("v") + text("x"))));
  CHECK(read.metadata == tools::TextPairs{{"epoch", "7"}, {"model.v", "x"}});
}

TEST_CASE("values of every kind may lie beside the weights") {
  const std::string nul(1, '\0');
  const std::string sides[] = {
      "(I1\nI2\nl",                           // LIST
      "(Va\\u00e9\nI1\nd",                    // UNICODE, DICT
      "S'a\\x41\\n\\101'\n",                  // STRING
      "F1.5e-3\n",                            // FLOAT
      "L-5L\n",                               // LONG
      "\x8a\x01\xff",                         // LONG1
      "\x8b\x01" + nul + nul + nul + "\x05",  // LONG4
      "N2\x86",                               // DUP, TUPLE2
      "N(NN1",                                // POP_MARK
      "N(0",                                  // POP of a mark
      "\x8f(NI1\n\x90",                       // EMPTY_SET, ADDITEMS
      "(NN\x91",                              // FROZENSET
      "cos\ngetcwd\n)R",                      // a call that is not made
  };
  for (const std::string& side : sides) {
    CAPTURE(side);
    CHECK(error_of(dict(text("side") + side + text("a") + kA)) == "");
  }
}

TEST_CASE("values that cannot be are errors with the place") {
  const std::string sides[] = {
      "S'a\\x4'\n",      // half an escape
      "V\\ud800\n",      // half a surrogate pair
      "V\\U00110000\n",  // beyond Unicode
      "I1_000\n",        // an int, but only in source code
      "F0x1p3\n",
      "Fnan(1)\n",
      "F \n",
      "(N]\x91",  // a list in a set
      "\x8f(]\x90",
      "(]Nd",   // a list as a key
      "(NNNd",  // a key without a value
      "h\x09",  // a memo that was never set
      "\x95"
      "12345678",  // a frame that is too long
  };
  for (const std::string& side : sides) {
    CAPTURE(side);
    CHECK(
        error_of(dict(text("side") + side + text("a") + kA)).rfind("x.pth: data.pkl offset ", 0) ==
        0);
  }
}

TEST_CASE("arguments and vocabularies of a training script are read from inert objects") {
  const std::string words = "]" + marked(text("a") + text("b") + text("c"), 'e');
  const auto object = [](const std::string& type, const std::string& attributes) {
    return "c" + type + "\n)\x81" + dict(attributes) + "b";
  };
  const std::string mixed = "]" + marked(text("a") + integer(1), 'e');
  const std::string root =
      dict(text("model") + dict(text("w") + tensor("0", 2)) + text("args") +
           object("argparse\nNamespace", text("pframe") + integer(72)) + text("vocab") +
           dict(text("word") + object("vocab.vocab\nVocab",
                                      text("_index2word") + words + text("mixed") + mixed +
                                          text("_word2index") + dict(text("a") + integer(0)))));
  const Checkpoint read = read_object(root);
  CHECK(read.metadata == tools::TextPairs{{"args.pframe", "72"}});
  CHECK(read.lists == tools::TextLists{{"vocab.word._index2word", {"a", "b", "c"}}});
}
