#include <doctest/doctest.h>

#include <cstdint>
#include <fstream>
#include <kinglet/io/wordpiece.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gguf_bytes.hpp"

using namespace kinglet;
using kinglet::tests::GgufBytes;
using kinglet::tests::le;
using kinglet::tests::text;

namespace {

using Ids = std::vector<std::int32_t>;

/// A file with a vocabulary, and the tokenizer over it.
struct Made {
  explicit Made(const std::vector<std::string>& tokens, std::uint32_t unknown = 0) {
    GgufBytes made;
    made.value("tokenizer.ggml.model", 8, text("bert"));
    made.value("tokenizer.ggml.unknown_token_id", 4, le(unknown));
    made.strings("tokenizer.ggml.tokens", tokens);
    bytes = made.bytes();
    file = *ModelFile::open({bytes.data(), bytes.size()});
    index.resize(Wordpiece::index_size(file));
    bound = Wordpiece::bind(file, {index.data(), index.size()});
  }
  Ids ids(std::string_view words) const {
    Ids out(200);
    const auto count = bound->encode(words, {out.data(), out.size()});
    REQUIRE(count.ok());
    out.resize(static_cast<std::size_t>(*count));
    return out;
  }
  std::string pieces(std::string_view words) const {
    std::string joined;
    for (const std::int32_t id : ids(words)) {
      joined += (joined.empty() ? "" : " ") + std::string(bound->token(id));
    }
    return joined;
  }
  std::vector<unsigned char> bytes;
  ModelFile file;
  std::vector<std::uint32_t> index;
  Result<Wordpiece> bound = Wordpiece{};
};

std::vector<std::string> lines(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> all;
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

}  // namespace

TEST_CASE("the texts of real episodes get the ids that the model was trained with") {
  const std::string folder = std::string(KINGLET_MODELS_DIR) + "/hitut6_small/";
  const Made made(lines(folder + "vocab.txt"), 1);
  REQUIRE(made.bound.ok());
  CHECK(made.bound->vocabulary_size() == 2235);
  std::ifstream in(folder + "episodes.json");
  const auto root = nlohmann::json::parse(in);
  int texts = 0;
  const auto check = [&](const nlohmann::json& entry) {
    CAPTURE(entry["text"].get<std::string>());
    CHECK(made.ids(entry["text"].get<std::string>()) == entry["ids"].get<Ids>());
    ++texts;
  };
  for (const auto& episode : root["episodes"]) {
    check(episode["goal"]);
    for (const auto& instruction : episode["instructions"]) check(instruction);
  }
  CHECK(texts > 20);
}

TEST_CASE("words are split into the longest pieces, and what cannot be spelled is unknown") {
  const Made made({"[UNK]", "un", "##aff", "##able", "##a", "##ff", "want", "##want", "##ed", ",",
                   "wa", "runn", "##ing"});
  REQUIRE(made.bound.ok());
  CHECK(made.pieces("UNaffable wanted,running") == "un ##aff ##able want ##ed , runn ##ing");
  CHECK(made.pieces("unaffx want") == "[UNK] want");
  CHECK(made.pieces("x") == "[UNK]");
  CHECK(made.pieces("") == "");
  CHECK(made.pieces(" \t\n ") == "");
  CHECK(made.pieces("un" + std::string(49, 'a') + std::string(49, 'a')).substr(0, 6) == "un ##a");
  CHECK(made.pieces("un" + std::string(99, 'a')) == "[UNK]");
}

TEST_CASE("characters are counted, not bytes: a word has at most 100") {
  const Made made({"[UNK]", "\xC3\xA6", "##\xC3\xA6"});
  std::string word;
  for (int i = 0; i < 100; ++i) word += "\xC3\x86";  // Æ, becomes æ
  CHECK(made.ids(word).size() == 100);
  CHECK(made.ids(word + "\xC3\x86") == Ids{0});
}

TEST_CASE("letters lose case and accents, signs stand alone, control characters vanish") {
  const Made made({"[UNK]",
                   "cafe",
                   "naive",
                   "strasse",
                   "stra\xC3\x9F",
                   "##e",
                   "!",
                   "$",
                   "\xC2\xA1",
                   "\xE4\xB8\xAD",
                   "\xE5\x9B\xBD",
                   "a",
                   "b",
                   "\xE2\x80\x94",
                   "viet",
                   "o",
                   "ij",
                   "\xC3\xB8",
                   "istanbul",
                   "\xC4\x91",
                   "`",
                   "^"});
  REQUIRE(made.bound.ok());
  CHECK(made.pieces("CAF\xC3\x89") == "cafe");   // composed
  CHECK(made.pieces("cafe\xCC\x81") == "cafe");  // combining accent
  CHECK(made.pieces("Na\xC3\xAFve!") == "naive !");
  CHECK(made.pieces("STRA\xC3\x9F"
                    "E") == "stra\xC3\x9F ##e");  // ß has no accent to lose
  CHECK(made.pieces("STRA\xE1\xBA\x9E"
                    "E") == "stra\xC3\x9F ##e");  // capital ß
  CHECK(made.pieces("a$b") == "a $ b");
  CHECK(made.pieces("a`b^a") == "a ` b ^ a");
  CHECK(made.pieces("\xC2\xA1"
                    "a!") == "\xC2\xA1 a !");
  CHECK(made.pieces("a\xE2\x80\x94"
                    "b") == "a \xE2\x80\x94 b");  // em dash
  CHECK(made.pieces("\xE4\xB8\xAD\xE5\x9B\xBD") == "\xE4\xB8\xAD \xE5\x9B\xBD");
  CHECK(made.pieces("a\xC2\xA0"
                    "b\xE3\x80\x80"
                    "a") == "a b a");  // no-break and wide space
  CHECK(made.pieces("ca\x01"
                    "f\xE2\x80\x8B"
                    "e\xEF\xBF\xBD") == "cafe");  // control, zero width, U+FFFD
  CHECK(made.pieces("Vi\xE1\xBB\x87t \xC6\xA0") == "viet o");
  CHECK(made.pieces("\xC3\x98 \xC4\x90") == "\xC3\xB8 \xC4\x91");
  CHECK(made.pieces("\xC4\xB0STANBUL") == "istanbul");
}

TEST_CASE("more ids than fit are counted but not written") {
  const Made made({"[UNK]", "a"});
  Ids out(3, -1);
  const auto count = made.bound->encode("a a a a a", {out.data(), 2});
  REQUIRE(count.ok());
  CHECK(*count == 5);
  CHECK(out == Ids{1, 1, -1});
}

TEST_CASE("text that is not UTF-8 is an error that says where") {
  const Made made({"[UNK]", "a"});
  Ids out(8);
  const auto count = made.bound->encode("a \xFF", {out.data(), out.size()});
  CHECK(count.status().code() == Code::malformed);
  CHECK(count.status().offset() == 2);
}

TEST_CASE("a vocabulary made to be slow is refused at once") {
  const auto hash = [](const std::string& s) {
    std::uint64_t h = 0xcbf29ce484222325u;  // FNV-1a, as in wordpiece.hpp
    for (const char c : s) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return h ^ (h >> 32);
  };
  // Strings whose first slots lie together, `each` of them in each of the clusters.
  const auto clustered = [&](std::size_t count, std::size_t slots, std::size_t each) {
    const std::size_t clusters = count / each, gap = slots / clusters;
    std::vector<std::size_t> held(clusters);
    std::vector<std::string> tokens;
    for (int i = 0; tokens.size() < count; ++i) {
      const std::string s = std::to_string(i);
      const std::size_t at = static_cast<std::size_t>(hash(s)) % slots;
      const std::size_t cluster = at / gap;
      if (cluster >= clusters || at % gap >= gap / 8 || held[cluster] == each) continue;
      ++held[cluster];
      tokens.push_back(s);
    }
    return tokens;
  };
  const auto refused = [](const std::vector<std::string>& tokens) {
    const Made made(tokens);
    if (made.bound.ok()) return false;
    CHECK(made.bound.status().code() == Code::unsupported);
    CHECK(made.bound.status().subject() == "tokenizer.ggml.tokens");
    return true;
  };
  CHECK(refused(clustered(2000, 4096, 1000)));  // one string among too many
  CHECK(refused(clustered(2000, 4096, 200)));   // each among few enough, but too many in all
}

TEST_CASE("vocabularies as full as they get are not taken for slow ones") {
  for (const std::size_t count : {std::size_t{10}, std::size_t{682}, std::size_t{174762}}) {
    std::vector<std::string> tokens;
    for (std::size_t i = 0; i < count; ++i)
      tokens.push_back((i % 3 == 0 ? "##" : "[unused") + std::to_string(i * i));
    const Made made(tokens);
    REQUIRE(made.bound.ok());
    CHECK(made.index.size() - count <= count * 8 / 5);  // slots
    CHECK(made.bound->token(made.bound->vocabulary_size() - 1) == tokens.back());
  }
}

TEST_CASE("a vocabulary that cannot be used is refused") {
  const auto status = [](const GgufBytes& made, bool room = true) {
    const auto bytes = made.bytes();
    const auto file = ModelFile::open({bytes.data(), bytes.size()});
    REQUIRE(file.ok());
    std::vector<std::uint32_t> index(room ? Wordpiece::index_size(*file) : 1);
    return Wordpiece::bind(*file, {index.data(), index.size()}).status();
  };
  const auto with = [](const char* model, std::uint32_t unknown) {
    GgufBytes made;
    made.value("tokenizer.ggml.model", 8, text(model));
    made.value("tokenizer.ggml.unknown_token_id", 4, le(unknown));
    return made;
  };
  CHECK(status(with("bert", 0)).subject() == "tokenizer.ggml.tokens");
  CHECK(status(with("bert", 2).strings("tokenizer.ggml.tokens", {"a", "b"})).subject() ==
        "tokenizer.ggml.unknown_token_id");
  CHECK(status(with("gpt2", 0).strings("tokenizer.ggml.tokens", {"a"})).code() ==
        Code::unsupported);
  CHECK(status(with("bert", 0).array("tokenizer.ggml.tokens", 0, 1, "x")).code() == Code::mismatch);
  CHECK(status(with("bert", 0).strings("tokenizer.ggml.tokens", {"a"}), false).code() ==
        Code::no_memory);
  CHECK(status(with("bert", 0).strings("tokenizer.ggml.tokens", {"a"})).ok());
  const auto bytes = with("bert", 0).strings("tokenizer.ggml.tokens", {"a"}).bytes();
  const auto file = ModelFile::open({bytes.data(), bytes.size()});
  CHECK(Wordpiece::bind(*file, {nullptr, 1000}).status().code() == Code::no_memory);
  CHECK(Wordpiece::index_size(ModelFile{}) == 0);
}
