// What the plots of a report are made of: scales, numbers, texts, styles.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <report/chart.hpp>
#include <report/collection.hpp>
#include <report/numbers.hpp>
#include <report/scale.hpp>
#include <report/svg.hpp>

using namespace kinglet::tools::report;

namespace {

using Values = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool near(const Values& a, const Values& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::abs(a[i] - b[i]) <= 1e-9 * std::abs(b[i]))) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("ticks of a linear axis are round") {
  CHECK(near(linear_ticks({0, 1}, 6), {0, 0.2, 0.4, 0.6, 0.8, 1}));
  CHECK(near(linear_ticks({0, 1}, 5), {0, 0.5, 1}));
  CHECK(near(linear_ticks({-3, 14}, 5), {0, 5, 10}));
  CHECK(near(linear_ticks({96.3, 98.9}, 7), {96.5, 97, 97.5, 98, 98.5}));
  CHECK(linear_ticks({1, 1}, 5).empty());
  CHECK(linear_ticks({0, kInfinity}, 5).empty());
}

TEST_CASE("ticks of a logarithmic axis are 1, 2, 5 of decades, or fewer") {
  CHECK(near(log_ticks({1, 100}, 8), {1, 2, 5, 10, 20, 50, 100}));
  CHECK(near(log_ticks({1, 100}, 6), {1, 3, 10, 30, 100}));
  CHECK(near(log_ticks({1, 1e4}, 6), {1, 10, 100, 1000, 1e4}));
  CHECK(near(log_ticks({1e-6, 1e6}, 5), {1e-6, 1e-3, 1, 1e3, 1e6}));
  CHECK(log_ticks({1e-300, 1e300}, 8).size() <= 8);
  CHECK(near(log_ticks({2.1, 4.6}, 8), {2.5, 3, 3.5, 4, 4.5}));
  CHECK(log_ticks({0, 1}, 8).empty());
}

TEST_CASE("a scale puts the ends of its range at its ends and nothing beyond") {
  const Scale linear({10, 20}, false, 100, 300);
  CHECK(linear(10) == doctest::Approx(100));
  CHECK(linear(12.5) == doctest::Approx(150));
  CHECK(linear(25) == doctest::Approx(300));
  const Scale log({1, 10000}, true, 400, 0);
  CHECK(log(1) == doctest::Approx(400));
  CHECK(log(10) == doctest::Approx(300));
  CHECK(log(1e9) == doctest::Approx(0));
  CHECK(log.has(1));
  CHECK(!log.has(0));
  CHECK(!linear.has(kNone));
}

TEST_CASE("axes end at round values around theirs") {
  const Range zero = linear_range({95, 98}, true);
  CHECK(zero.low == 0);
  CHECK(zero.high == doctest::Approx(100));
  const Range close = linear_range({96.93, 98.85}, false);
  CHECK(close.low == doctest::Approx(96.5));
  CHECK(close.high == doctest::Approx(99));
  const Range log = log_range({33, 750});
  CHECK(log.low == doctest::Approx(20));
  CHECK(log.high == doctest::Approx(1000));
  CHECK(linear_range({5, 5}, false).high > 5);
  CHECK(log_range({5, 5}).high > 5);
}

TEST_CASE("numbers have the digits that matter") {
  CHECK(number(0.012345) == "0.0123");
  CHECK(number(9.996) == "10.0");
  CHECK(number(99.96, 4) == "99.96");
  CHECK(number(1234.6) == "1235");
  CHECK(number(2.5e9) == "2.5·10⁹");
  CHECK(number(-1e-7) == "−10⁻⁷");
  CHECK(number(0) == "0");
  CHECK(number(kNone) == "–");
  CHECK(amount(Quantity::seconds, 0.0123) == "12.3 ms");
  CHECK(amount(Quantity::bytes, 326.2e6) == "326 MB");
  CHECK(grouped(82236800) == "82\u202f236\u202f800");
  CHECK(grouped(12) == "12");
  CHECK(change(0.66) == "−34 %");
  CHECK(change(1.004) == "+0.4 %");
  CHECK(change(3.7) == "× 3.70");
  CHECK(tick_label(0.30000000000000004) == "0.3");
  CHECK(tick_label(1e6) == "10⁶");
  CHECK(unit_for(Quantity::seconds, {0.033, 3}).text == "ms");
  CHECK(unit_for(Quantity::seconds, {20e-6, 5e-3}).text == "µs");
  CHECK(unit_for(Quantity::seconds, {}).text == "ns");
  CHECK(decimals_for({0.95, 1200}) == 2);
  CHECK(decimals_for({95.8, 3018}) == 1);
}

TEST_CASE("text from files stays text") {
  CHECK(escaped("<a href='x'>&\"") == "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
  CHECK(escaped("a\nb\x01\xff") == "a\\x0ab\\x01\\xff");
  CHECK(escaped("\xEF\xBF\xBE µ") == "\xEF\xBF\xBD µ");
}

TEST_CASE("text is cut and broken to a width") {
  const std::string text = "models/a-long-name-int8";
  CHECK(fitted(text, 12, 1000) == text);
  const std::string cut = fitted(text, 12, 100);
  CHECK(text_width(cut, 12) <= 100);
  CHECK(cut.substr(0, 6) == "models");
  CHECK(cut.substr(cut.size() - 3) == "nt8");
  for (const std::string& words :
       {std::string("a few words that fill lines"), std::string(99, 'm')}) {
    std::string joined;
    for (const std::string& line : wrapped(words, 12, 80)) {
      CHECK(text_width(line, 12) <= 80);
      joined += line;
    }
    joined.erase(std::remove(joined.begin(), joined.end(), ' '), joined.end());
    std::string letters = words;
    letters.erase(std::remove(letters.begin(), letters.end(), ' '), letters.end());
    CHECK(joined == letters);
  }
  CHECK(wrapped("", 12, 80).empty());
}

TEST_CASE("the first 64 styles are pairs of colour and marker that all differ") {
  std::vector<std::pair<int, int>> seen;
  for (int style = 0; style < kColours * kColours; ++style) {
    const std::pair pair(style % kColours, marker_of(style));
    CHECK(std::find(seen.begin(), seen.end(), pair) == seen.end());
    seen.push_back(pair);
  }
}

TEST_CASE("labels that are cut to the same text are told apart") {
  const auto labels = distinct_labels({std::string(99, 'a'), std::string(98, 'a'), "b", "b"}, 100);
  CHECK(labels[0] != labels[1]);
  CHECK(labels[1].find(" (2)") != std::string::npos);
  CHECK(labels[2] == "b");
  CHECK(labels[3] == "b (2)");
}
