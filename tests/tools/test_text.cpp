#include <doctest/doctest.h>

#include <string>

#include "file_error.hpp"

using kinglet::tools::append_utf8;
using kinglet::tools::FileError;
using kinglet::tools::in_quotes;
using kinglet::tools::printable;

TEST_CASE("names in messages stay on one line, are valid UTF-8 and short") {
  CHECK(in_quotes(std::string_view("größe.вес")) == "'größe.вес'");
  CHECK(in_quotes(std::string_view("a\nb\x7f")) == "'a\\x0ab\\x7f'");
  CHECK(in_quotes(std::string_view("a\0b", 3)) == "'a\\x00b'");
  CHECK(in_quotes(std::string_view("\xff\xc0\x80")) == "'\\xff\\xc0\\x80'");
  CHECK(in_quotes(std::string_view("\xe2\x80\xa8")) == "'\\xe2\\x80\\xa8'");
  CHECK(printable(std::string(5000, 'a'), 10) == "aaaaaaaaaa…");
  const FileError error("a\nb", "", std::string("what"));
  CHECK(std::string(error.what()) == "a\\x0ab: what");
}

TEST_CASE("append_utf8 writes one to four bytes") {
  std::string text;
  for (const std::uint32_t point : {0x41u, 0xE9u, 0x20ACu, 0x1F600u}) append_utf8(text, point);
  CHECK(text == "Aé€😀");
}
