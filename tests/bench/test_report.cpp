#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <report/chart.hpp>
#include <report/compare.hpp>
#include <report/page.hpp>
#include <report/plots.hpp>
#include <report/report.hpp>
#include <report/scale.hpp>
#include <report/svg.hpp>

#include "file_error.hpp"
#include "made_up_results.hpp"
#include "tools/tool_files.hpp"

using namespace kinglet::tests;
using namespace kinglet::tools;
using namespace kinglet::tools::report;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Tags that are closed as they were opened, attributes in quotes, no stray < and &; in HTML the
/// elements without an end. "" or what is wrong.
std::string malformed(const std::string& text) {
  static const std::vector<std::string> kVoid = {"meta", "br"};
  std::vector<std::string> open;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '&') {
      const std::string entity = text.substr(i, text.find(';', i) - i);
      if (entity != "&amp" && entity != "&lt" && entity != "&gt" && entity != "&quot" &&
          entity != "&#39") {
        return "stray & at " + text.substr(i, 40);
      }
    }
    if (text[i] != '<') continue;
    std::size_t end = i + 1;
    for (bool quoted = false; end < text.size() && (quoted || text[end] != '>'); ++end) {
      if (text[end] == '"') quoted = !quoted;
      if (text[end] == '<') return "< within a tag at " + text.substr(i, 40);
    }
    if (end == text.size()) return "a tag without end at " + text.substr(i, 40);
    const std::string tag = text.substr(i + 1, end - i - 1);
    i = end;
    if (tag[0] == '!') continue;
    const std::string name =
        tag.substr(tag[0] == '/', tag.find_first_of(" /", 1) - (tag[0] == '/'));
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return "</" + name + "> without its begin";
      open.pop_back();
    } else if (tag.back() != '/' && std::count(kVoid.begin(), kVoid.end(), name) == 0) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> without its end";
}

/// What a browser would fetch. Titles and labels hold text, in which "//" may stand.
bool refers_elsewhere(std::string text) {
  const std::string allowed = "xmlns=\"http://www.w3.org/2000/svg\"";
  for (std::size_t at; (at = text.find(allowed)) != std::string::npos;) {
    text.erase(at, allowed.size());
  }
  for (const char* bad : {"http:", "https:", "//", "url(", "src=", "@import", "<script", "<link"}) {
    if (text.find(bad) != std::string::npos) return true;
  }
  return false;
}

void check_texts(const Svg& svg) {
  const std::vector<Box>& texts = svg.texts();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CHECK(texts[i].left >= 0);
    CHECK(texts[i].top >= 0);
    CHECK(texts[i].right <= svg.width());
    CHECK(texts[i].bottom <= svg.height());
    for (std::size_t j = 0; j < i; ++j) CHECK(!texts[i].overlaps(texts[j]));
  }
}

/// Names that would break out of where they are put, and are too long for it.
std::string hostile_name(int i) {
  return "<b title=\"x\">&amp;' " + std::string(80, 'W') + "\x01\xff\xEF\xBF\xBE]]>" +
         std::to_string(i);
}

Results hostile_results() {
  Results r = made_up_results(hostile_name(0), 1);
  const std::vector<Point> points = r.points;
  const Model model = r.models[0];
  r.models.clear();
  r.points.clear();
  for (int m = 0; m < 19; ++m) {
    r.models.push_back(model);
    r.models.back().name = hostile_name(m % 7);
    r.models.back().file = r.models.back().precision = hostile_name(m);
    r.models.back().accuracy = {{hostile_name(1), hostile_name(2), 0.5, 1, 2}};
    for (Point p : points) {
      p.model = m;
      p.task = hostile_name(3);
      p.latency.p50 *= std::pow(10.0, m - 9);
      for (OpTime& op : p.ops) op.op = op.tensor = hostile_name(4);
      p.energy.why = hostile_name(5);
      if (m % 2 == 0) p.energy.value.reset();
      r.points.push_back(p);
    }
  }
  return r;
}

/// Numbers that no machine gives.
Results senseless_results() {
  Results r = made_up_results("", 1);
  r.limits = {{"neon64_dot", 1, -1, 0, kInfinity}, {"neon64_dot", 1, 1e300, 1e-300, 1}};
  int i = 0;
  for (Point& p : r.points) {
    const double odd[] = {0, -1, 1e300, 1e-300, kInfinity, kNone};
    for (double* x : {&p.latency.min, &p.latency.p50, &p.latency.p90, &p.latency.deviation}) {
      *x = odd[i++ % 6];
    }
    p.latency.runs = 0;
    p.flops = i % 3 == 0 ? 0 : ~0ull;
    p.bytes_moved = i % 2 == 0 ? 0 : 1;
    p.peak_planned = p.scratch_planned = ~0ull;
    p.batch = i % 4 == 0 ? 2147483647 : 0;
    for (OpTime& op : p.ops) op.seconds = odd[i++ % 6];
  }
  return r;
}

Latency latency_of(double median, double spread, int runs = 100) {
  return {runs,   median,          spread / 10,     median - spread,
          median, median + spread, median + spread, median + spread,
          0};
}

}  // namespace

TEST_CASE("a page is well formed, refers to nothing, and holds each plot that has data") {
  const std::vector<Results> runs = {made_up_results("board", 1)};
  const std::string page = html_page(runs);
  CHECK(malformed(page) == "");
  CHECK(!refers_elsewhere(page));
  for (const char* title : {"Latency against batch size", "Latency against sequence length",
                            "Roofline", "Time of ops: hitut6, fp32", "Memory", "Energy of a run",
                            "Accuracy against latency: low_mani type"}) {
    CHECK(page.find("aria-label=\"" + std::string(title)) != std::string::npos);
  }
  CHECK(page.find("82\u202f236\u202f800") != std::string::npos);
  CHECK(page.find("VDD_IN (INA3221)") != std::string::npos);
}

TEST_CASE("what was not measured is left out, or why is said") {
  Results r = made_up_results("board", 1);
  r.limits.clear();
  for (Model& model : r.models) model.accuracy.clear();
  for (Point& point : r.points) {
    point.energy.value.reset();
    point.energy.why = "no sensor";
    point.ops.clear();
  }
  const std::string page = html_page({r});
  CHECK(malformed(page) == "");
  for (const char* title : {"Roofline\"", "Time of ops", "Energy of a run", "Accuracy against"}) {
    CHECK(page.find("aria-label=\"" + std::string(title)) == std::string::npos);
  }
  CHECK(page.find("not available: no sensor") != std::string::npos);
  CHECK(html_page({Results{}}).find("</html>") != std::string::npos);
}

TEST_CASE("one place of the grid gives bars") {
  Results r = made_up_results("board", 1);
  r.points = {r.points[0], r.points[12]};
  const std::vector<Results> runs = {r};
  const PlotGroup group = latency_plots(Collection(runs));
  REQUIRE(group.plots.size() == 1);
  CHECK(group.plots[0].file == "latency");
}

TEST_CASE("labels do not overlap and drawings parse, whatever the names and numbers are") {
  for (const std::vector<Results>& runs :
       {std::vector<Results>{made_up_results("board", 1)},
        {made_up_results("a", 1), made_up_results("a", 1), made_up_results("b", 30)},
        {hostile_results()},
        {hostile_results(), hostile_results()},
        {senseless_results()}}) {
    const Collection collection(runs);
    const std::vector<NamedPlot> plots = all_plots(collection);
    CHECK(!plots.empty());
    for (const NamedPlot& plot : plots) {
      CAPTURE(plot.file);
      check_texts(plot.svg);
      const std::string file = plot.svg.standalone(plot.title);
      CHECK(malformed(file) == "");
      CHECK(!refers_elsewhere(file));
      CHECK(file.find("nan") == std::string::npos);
      CHECK(file.find("inf") == std::string::npos);
    }
    CHECK(malformed(html_page(runs)) == "");
  }
}

TEST_CASE("differences within noise are not marked") {
  CHECK(!difference_of(latency_of(10, 1), latency_of(11, 1)).beyond_noise);
  CHECK(difference_of(latency_of(10, 0.2), latency_of(11, 0.2)).beyond_noise);
  CHECK(difference_of(latency_of(11, 0.2), latency_of(10, 0.2)).beyond_noise);
  CHECK(difference_of(latency_of(10, 0.2), latency_of(11, 0.2)).ratio == doctest::Approx(1.1));
  // Less than 1 %, and too few runs.
  CHECK(!difference_of(latency_of(10, 0), latency_of(10.09, 0)).beyond_noise);
  CHECK(difference_of(latency_of(10, 0), latency_of(10.11, 0)).beyond_noise);
  CHECK(!difference_of(latency_of(10, 0, 4), latency_of(20, 0)).beyond_noise);
  CHECK(spread_of({9, 10, 1, 7, 10, 12, 15, 15, 0}) == 3);
  CHECK(spread_of({9, 10, 1, 9, 10, 12, 15, 15, 0}) == 2);
}

TEST_CASE("machines are compared where they ran the same model at the same place") {
  const std::vector<Results> same = {made_up_results("a", 1), made_up_results("b", 1.002)};
  CHECK(compared_rows(Collection(same)).size() == 24);
  const std::string calm = html_page(same);
  const std::string table = calm.substr(calm.find("id=\"comparison\""));
  const std::string section = table.substr(0, table.find("</table>"));
  CHECK(section.find("≈ +0.2 %") != std::string::npos);
  CHECK(section.find("▲") == std::string::npos);
  CHECK(section.find("same bits") != std::string::npos);

  std::vector<Results> boards = {made_up_results("a", 1), made_up_results("b", 3)};
  for (Point& point : boards[1].points) {
    point.isa = "neon64";
    point.output_hash = "0";
  }
  boards[1].points.resize(1);
  const std::vector<ComparedRow> rows = compared_rows(Collection(boards));
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].isas_differ);
  const std::string page = html_page(boards);
  CHECK(page.find("▲ × 3.00") != std::string::npos);
  CHECK(page.find("<td class=\"short\">differ</td>") != std::string::npos);

  // A third one, and a second instruction set that two of them have.
  std::vector<Results> three = {boards[0], boards[1], boards[0]};
  CHECK(compared_rows(Collection(three)).size() == 24);
  for (const std::size_t run : {0u, 2u}) {
    three[run].points.resize(1);
    Point slow = three[run].points[0];
    slow.isa = "scalar";
    slow.latency.p50 *= 10;
    three[run].points.push_back(slow);
  }
  const std::vector<ComparedRow> both = compared_rows(Collection(three));
  REQUIRE(both.size() == 2);
  CHECK(both[0].isa == "scalar");
  CHECK(both[0].points[1] == nullptr);
  CHECK(both[1].isas_differ);

  boards[1].models[0].precision = "int8";
  CHECK(compared_rows(Collection(boards)).empty());
}

TEST_CASE("machines and models of the same name get labels that differ") {
  std::vector<Results> runs = {made_up_results("a", 1), made_up_results("a", 1)};
  CHECK(Collection(runs).machine_label(1) == "a (2)");
  runs[1].machine.date = "2026-02-01T12:00:00Z";
  CHECK(Collection(runs).machine_label(1) == "a, 2026-02-01");
  runs[0].models[1].precision = "fp32";
  CHECK(Collection(runs).model_label(0, 1) == "hitut6, hitut6-int8.gguf");
  CHECK(Collection(runs).model_label(1, 1) == "hitut6, int8");
}

TEST_CASE("a report is written as a page and plots, and never over an input") {
  const ScratchFolder scratch;
  const std::vector<Results> runs = {made_up_results("board", 1)};
  ReportFiles(scratch.file("page.html"), scratch.file("a/b"), {}).write(runs);
  CHECK(read_text(scratch.file("page.html")) == html_page(runs));
  CHECK(read_text(scratch.file("a/b/memory.svg")).find("<svg ") == 0);
  CHECK_THROWS_AS(ReportFiles(scratch.file("page.html"), "", {scratch.file("page.html")}),
                  FileError);
  CHECK_THROWS_AS(ReportFiles("", scratch.file("page.html"), {}), FileError);
  CHECK_THROWS_AS(ReportFiles(scratch.file("nowhere/page.html"), "", {}), FileError);
}
