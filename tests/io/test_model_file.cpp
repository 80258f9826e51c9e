#include <doctest/doctest.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <kinglet/io/model_file.hpp>

#include "gguf_bytes.hpp"

using namespace kinglet;
using kinglet::tests::GgufBytes;
using kinglet::tests::le;
using kinglet::tests::text;

namespace {

constexpr std::uint32_t kF32 = 0, kQ8 = 8;

/// Two f32 tensors, w (2 rows of 3) and b (4), and a few values.
GgufBytes sound() {
  GgufBytes file;
  file.value("general.architecture", 8, text("hitut"));
  file.value("count", 4, le<std::uint32_t>(7));
  file.tensor("w", {3, 2}, kF32, 0).tensor("b", {4}, kF32, 32);
  file.data.resize(48);
  for (std::size_t i = 0; i < file.data.size(); ++i) file.data[i] = static_cast<char>(i);
  return file;
}

Result<ModelFile> open(const std::vector<unsigned char>& bytes) {
  return ModelFile::open({bytes.data(), bytes.size()});
}

Status status_of(const std::vector<unsigned char>& bytes) { return open(bytes).status(); }

}  // namespace

TEST_CASE("a sound file gives its values and tensors, shapes slowest first") {
  const auto bytes = sound().bytes();
  const auto file = open(bytes);
  REQUIRE(file.ok());
  CHECK(file->value_count() == 2);
  CHECK(file->tensor_count() == 2);
  CHECK(*file->string("general.architecture") == "hitut");
  CHECK(*file->u64("count") == 7);
  const auto w = file->tensor("w");
  REQUIRE(w.ok());
  CHECK(w->rank == 2);
  CHECK(w->shape[0] == 2);
  CHECK(w->shape[1] == 3);
  CHECK(w->shape[2] == 1);
  CHECK(w->dtype == DType::f32);
  CHECK(w->nbytes == 24);
  CHECK(w->data[5] == 5);
  CHECK(file->tensor("b")->data[0] == 32);
  int seen = 0;
  file->for_each_tensor([&](const TensorInfo& tensor) { seen += static_cast<int>(tensor.nbytes); });
  file->for_each_value([&](const GgufValue& value) { seen += value.is_array ? 100 : 1; });
  CHECK(seen == 24 + 16 + 2);
}

TEST_CASE("what is not there, or has another type, is named") {
  const auto bytes = sound().bytes();
  const auto file = open(bytes);
  REQUIRE(file.ok());
  CHECK(file->tensor("x").status().code() == Code::missing);
  CHECK(file->tensor("x").status().subject() == "x");
  CHECK(file->u64("none").status().code() == Code::missing);
  CHECK(file->u64("none").status().subject() == "none");
  CHECK(file->u64("general.architecture").status().code() == Code::mismatch);
  CHECK(file->u64("general.architecture").status().subject() == "general.architecture");
  CHECK(file->string("count").status().code() == Code::mismatch);
  CHECK(file->boolean("count").status().code() == Code::mismatch);
  CHECK(file->f64("count").status().code() == Code::mismatch);
  CHECK(file->array("count").status().code() == Code::mismatch);
  CHECK_FALSE(file->has("none"));
  CHECK(file->has("count"));
}

TEST_CASE("every value type is read, alone and in arrays") {
  const float f = 1.5f;
  const double d = -2.25;
  std::uint32_t f_bits = 0;
  std::uint64_t d_bits = 0;
  std::memcpy(&f_bits, &f, 4);
  std::memcpy(&d_bits, &d, 8);
  GgufBytes made;
  made.value("u8", 0, le<std::uint8_t>(200)).value("s8", 1, le<std::uint8_t>(0xFE));
  made.value("u16", 2, le<std::uint16_t>(60000)).value("s16", 3, le<std::uint16_t>(0xFFFD));
  made.value("u32", 4, le<std::uint32_t>(4000000000u));
  made.value("s32", 5, le<std::uint32_t>(0xFFFFFFFC));
  made.value("f32", 6, le(f_bits)).value("yes", 7, "\1").value("f64", 12, le(d_bits));
  made.value("u64", 10, le(~std::uint64_t{0})).value("s64", 11, le(~std::uint64_t{4}));
  made.array("list", 3, 2, le<std::uint16_t>(5) + le<std::uint16_t>(0xFFFF));
  made.array("none", 4, 0, "").array("flags", 7, 2, std::string("\0\1", 2));
  made.strings("words", {"ein", "", "Größe"});
  const auto bytes = made.bytes();
  const auto file = open(bytes);
  REQUIRE(file.ok());
  CHECK(*file->u64("u8") == 200);
  CHECK(*file->u64("u16") == 60000);
  CHECK(*file->u64("u32") == 4000000000u);
  CHECK(*file->u64("u64") == ~std::uint64_t{0});
  CHECK(file->u64("s8").status().code() == Code::mismatch);
  CHECK(*file->f64("f32") == 1.5);
  CHECK(*file->f64("f64") == -2.25);
  CHECK(*file->boolean("yes"));
  std::int64_t sum = 0;
  file->for_each_value([&](const GgufValue& value) {
    if (const auto number = value.items.s64(0); !value.is_array && number) sum += *number;
  });
  CHECK(sum == 200 - 2 + 60000 - 3 + 4000000000 - 4 - 5);
  const auto list = file->array("list");
  REQUIRE(list.ok());
  CHECK(list->count() == 2);
  CHECK(list->type() == GgufType::s16);
  CHECK(*list->number(0) == 5);
  CHECK(*list->s64(1) == -1);
  CHECK(list->number(1).status().code() == Code::mismatch);
  CHECK(list->number(2).status().code() == Code::invalid);
  CHECK(file->array("none")->count() == 0);
  CHECK_FALSE(*file->array("flags")->boolean(0));
  CHECK(*file->array("flags")->boolean(1));
  const auto words = file->array("words");
  REQUIRE(words.ok());
  CHECK(*words->string(2) == "Größe");
  CHECK(words->string(3).status().code() == Code::invalid);
  std::string joined;
  for (const std::string_view word : words->strings()) joined += std::string(word) + ".";
  CHECK(joined == "ein..Größe.");
}

TEST_CASE("every rule of the format is checked") {
  struct Rule {
    const char* what;
    Code code;
    std::function<void(GgufBytes&)> breach;
  };
  const Rule rules[] = {
      {"magic", Code::malformed, [](auto& f) { f.magic = "GGML"; }},
      {"version", Code::unsupported, [](auto& f) { f.version = 2; }},
      {"big-endian", Code::unsupported, [](auto& f) { f.version = 0x03000000; }},
      {"value count", Code::truncated, [](auto& f) { f.value_count = std::uint64_t{1} << 60; }},
      {"tensor count", Code::truncated, [](auto& f) { f.tensor_count = ~std::uint64_t{0}; }},
      {"one value too many", Code::truncated, [](auto& f) { f.value_count += 1; }},
      {"one tensor too many", Code::malformed, [](auto& f) { f.tensor_count += 1; }},
      {"empty key", Code::malformed, [](auto& f) { f.value("", 0, "x"); }},
      {"key UTF-8", Code::malformed, [](auto& f) { f.value("\xC3(", 0, "x"); }},
      {"key length", Code::unsupported, [](auto& f) { f.value(std::string(5000, 'k'), 0, "x"); }},
      {"key twice", Code::malformed, [](auto& f) { f.value("count", 0, "x"); }},
      {"value type", Code::malformed, [](auto& f) { f.value("k", 13, "x"); }},
      {"boolean", Code::malformed, [](auto& f) { f.value("k", 7, "\2"); }},
      {"boolean in array", Code::malformed, [](auto& f) { f.array("k", 7, 2, "\1\3"); }},
      {"string UTF-8", Code::malformed, [](auto& f) { f.value("k", 8, text("\xED\xA0\x80")); }},
      {"string length", Code::truncated, [](auto& f) { f.value("k", 8, le(~std::uint64_t{0})); }},
      {"array length", Code::truncated,
       [](auto& f) { f.array("k", 10, std::uint64_t{1} << 61, ""); }},
      {"array of strings length", Code::truncated,
       [](auto& f) { f.array("k", 8, std::uint64_t{1} << 61, ""); }},
      {"array type", Code::malformed, [](auto& f) { f.array("k", 77, 0, ""); }},
      {"array of arrays", Code::unsupported, [](auto& f) { f.array("k", 9, 0, ""); }},
      {"alignment type", Code::malformed,
       [](auto& f) { f.value("general.alignment", 10, le<std::uint64_t>(32)); }},
      {"alignment zero", Code::malformed,
       [](auto& f) { f.value("general.alignment", 4, le<std::uint32_t>(0)); }},
      {"alignment power", Code::malformed,
       [](auto& f) { f.value("general.alignment", 4, le<std::uint32_t>(48)); }},
      {"alignment small", Code::unsupported,
       [](auto& f) { f.value("general.alignment", 4, le<std::uint32_t>(8)); }},
      {"alignment huge", Code::truncated,
       [](auto& f) { f.value("general.alignment", 4, le<std::uint32_t>(1u << 31)); }},
      {"tensor name empty", Code::malformed, [](auto& f) { f.tensor("", {1}, kF32, 0); }},
      {"tensor name long", Code::malformed,
       [](auto& f) { f.tensor(std::string(65, 'n'), {1}, kF32, 0); }},
      {"tensor name UTF-8", Code::malformed, [](auto& f) { f.tensor("\xFF", {1}, kF32, 0); }},
      {"tensor name NUL", Code::malformed,
       [](auto& f) { f.tensor(std::string("a\0b", 3), {1}, kF32, 0); }},
      {"tensor name twice", Code::malformed,
       [](auto& f) { f.tensor("w", {4}, kF32, 64), f.data.resize(80); }},
      {"five dimensions", Code::malformed,
       [](auto& f) {
         f.tensor("x", {1, 1, 1, 1, 1}, kF32, 0);
       }},
      {"dimension zero", Code::malformed,
       [](auto& f) {
         f.tensor("x", {4, 0}, kF32, 0);
       }},
      {"product", Code::malformed,
       [](auto& f) {
         f.tensor("x", {std::uint64_t{1} << 32, std::uint64_t{1} << 32}, kF32, 0);
       }},
      {"byte size", Code::malformed,
       [](auto& f) { f.tensor("x", {std::uint64_t{1} << 62}, kF32, 0); }},
      {"tensor type", Code::malformed, [](auto& f) { f.tensor("x", {1}, 4, 0); }},
      {"tensor type number", Code::malformed, [](auto& f) { f.tensor("x", {1}, 1000, 0); }},
      {"blocks", Code::malformed, [](auto& f) { f.tensor("x", {33}, kQ8, 0); }},
      {"offset alignment", Code::malformed,
       [](auto& f) { f.tensor("x", {1}, kF32, 48), f.data.resize(128); }},
      {"offset outside", Code::truncated, [](auto& f) { f.tensor("x", {1}, kF32, 64); }},
      {"offset wraps", Code::truncated,
       [](auto& f) { f.tensor("x", {8}, kF32, ~std::uint64_t{31}); }},
      {"data outside", Code::truncated, [](auto& f) { f.data.resize(47); }},
      {"no data", Code::truncated, [](auto& f) { f.data.clear(); }},
      {"overlap", Code::malformed, [](auto& f) { f.tensor("x", {1}, kF32, 32); }},
      {"overlap from below", Code::malformed,
       [](auto& f) { f.tensor("x", {100}, kF32, 0), f.data.resize(400); }},
  };
  for (const Rule& rule : rules) {
    CAPTURE(rule.what);
    GgufBytes file = sound();
    rule.breach(file);
    const Status status = status_of(file.bytes());
    CHECK_FALSE(status.ok());
    CHECK(status.code() == rule.code);
    CHECK(std::string_view(status.what()) != "");
  }
  CHECK(status_of(sound().bytes()).ok());
}

TEST_CASE("a file that is cut anywhere is refused") {
  const auto bytes = sound().bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(status_of({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}).ok());
  }
}

TEST_CASE("odd but legal files are read") {
  GgufBytes file = sound();
  SUBCASE("alignment 512") {
    file.alignment = 512;
    file.value("general.alignment", 4, le<std::uint32_t>(512));
    file.tensors.clear();
    file.tensor_count = 0;
    file.tensor("w", {3, 2}, kF32, 512).tensor("b", {4}, kF32, 0);
    file.data.assign(536, '\0');
    const auto bytes = file.bytes();
    REQUIRE(open(bytes).ok());
    CHECK(open(bytes)->tensor("w")->data == open(bytes)->tensor("b")->data + 512);
  }
  SUBCASE("a name of 64 bytes, a scalar, blocks, bytes after the last tensor") {
    file.tensor(std::string(64, 'n'), {}, kF32, 64).tensor("q", {64, 2}, kQ8, 96);
    file.data.resize(96 + 4 * 34 + 100);
    const auto bytes = file.bytes();
    REQUIRE(open(bytes).ok());
    CHECK(open(bytes)->tensor(std::string(64, 'n'))->rank == 0);
    CHECK(open(bytes)->tensor("q")->nbytes == 4 * 34);
    CHECK(open(bytes)->tensor("q")->dtype == DType::other);
  }
  SUBCASE("nothing in it") {
    const auto bytes = GgufBytes{}.bytes();
    CHECK(open(bytes).ok());
  }
}

TEST_CASE("duplicates are found however far apart, within the limits on counts") {
  const auto many = [](std::uint64_t keys, std::uint64_t tensors) {
    GgufBytes file;
    for (std::uint64_t i = 0; i < keys; ++i) file.value("k" + std::to_string(i), 0, "x");
    for (std::uint64_t i = 0; i < tensors; ++i) {
      file.tensor("t" + std::to_string(i), {1}, kF32, 32 * i);
    }
    file.data.resize(32 * (tensors + 1));
    return file;
  };
  CHECK(status_of(many(1024, 8192).bytes()).ok());
  CHECK(status_of(many(1025, 0).bytes()).code() == Code::unsupported);
  CHECK(status_of(many(0, 8193).bytes()).code() == Code::unsupported);
  GgufBytes keys = many(300, 0);
  keys.value("k0", 0, "x");
  CHECK(status_of(keys.bytes()).code() == Code::malformed);
  GgufBytes names = many(0, 500);
  names.tensor("t99", {1}, kF32, 32 * 500);
  CHECK(status_of(names.bytes()).subject() == "t99");
  GgufBytes data = many(0, 500);
  data.tensor("late", {1}, kF32, 32 * 70);
  CHECK(status_of(data.bytes()).subject() == "late");
}

TEST_CASE("the largest number of keys and tensors that is allowed is checked in bounded time") {
  GgufBytes file;
  std::string strings;
  for (int i = 0; i < 300000; ++i) strings += text("");
  file.array("strings", 8, 300000, strings);
  for (int i = 1; i < 1024; ++i) file.value("k" + std::to_string(i), 0, "x");
  for (std::uint64_t i = 0; i < 8192; ++i) {
    file.tensor(std::string(58, 'n') + std::to_string(i), {1}, kF32, 32 * (8191 - i));
  }
  file.data.resize(32 * 8192);
  const auto bytes = file.bytes();
  const auto start = std::chrono::steady_clock::now();
  CHECK(status_of(bytes).ok());
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  CHECK(taken.count() < 20);  // about 0.2 s; the limit allows for sanitizers and emulation
}

TEST_CASE("a const array can be a model file") {
  alignas(64) static constexpr unsigned char kFlash[] = {
      'G', 'G', 'U', 'F', 3, 0, 0, 0, 1, 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0,   0,
      0,   1,   0,   0,   0, 0, 0, 0, 0, 'w', 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,    0,   0,
      0,   0,   0,   0,   0, 0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f};
  const auto file = ModelFile::open({kFlash, sizeof kFlash});
  REQUIRE(file.ok());
  const auto w = file->tensor("w");
  REQUIRE(w.ok());
  CHECK(w->data == kFlash + 64);
  float value = 0;
  std::memcpy(&value, w->data, sizeof value);
  CHECK(value == 1.0f);
}

TEST_CASE("UTF-8 is taken strictly") {
  for (const char* good : {"", "a", "Größe", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF",
                           "eight by\xC3\xA4tes"}) {
    CHECK(valid_utf8(good));
  }
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3", "\xE2\x82",
        "\xF0\x9F\x98", "a\xC3(", "12345678\xFF"}) {
    CHECK_FALSE(valid_utf8(bad));
  }
}
