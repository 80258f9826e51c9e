#include "svg.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <kinglet/io/utf8.hpp>

#include "text.hpp"

namespace kinglet::tools::report {
namespace {

/// A coordinate: a tenth of a pixel is enough.
std::string at(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.1f", std::isfinite(value) ? value : 0);
  std::string number = text;
  if (number.size() > 2 && number.compare(number.size() - 2, 2, ".0") == 0) {
    number.resize(number.size() - 2);
  }
  return number == "-0" ? "0" : number;
}

std::string attribute(const char* name, const std::string& value) {
  return std::string(" ") + name + "=\"" + value + "\"";
}

std::string series_class(int style, const char* kind) {
  return attribute("class", std::string(kind) + " s" + std::to_string(style % kColours));
}

/// In units of the font's size, of the wider of the common sans-serif fonts.
double width_of(std::uint32_t point) {
  if (point >= 0x2E80) return 1.05;  // ideographs and what else takes a square
  if (point >= 0x250) return point >= 0x2000 && point < 0x2030 ? 0.65 : 0.85;
  if (point >= 0x80) return 0.7;
  const char c = static_cast<char>(point);
  const auto in = [c](std::string_view set) { return set.find(c) != std::string_view::npos; };
  if (in(" ,.:;|!'ijlI()[]/\\")) return 0.4;
  if (in("frt-\"`*")) return 0.5;
  if (in("mwMW@%&_=+<>~#")) return 0.98;
  return c >= 'A' && c <= 'Z' ? 0.76 : 0.64;
}

/// The characters of valid text, with their widths.
struct Character {
  std::string_view bytes;
  double width;
};

std::vector<Character> characters_of(std::string_view text, double size) {
  std::vector<Character> all;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = decode_utf8(text, i);
    const std::size_t bytes = point.size > 0 ? point.size : 1;
    all.push_back({text.substr(i, bytes), size * width_of(point.size > 0 ? point.value : 'm')});
    i += bytes;
  }
  return all;
}

}  // namespace

std::string escaped(std::string_view text) {
  const std::string shown = printable(text, 10000);
  std::string out;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    switch (shown[i]) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default:
        // U+FFFE and U+FFFF are no characters of XML.
        if (shown.compare(i, 2, "\xEF\xBF") == 0 &&
            static_cast<unsigned char>(shown[i + 2]) >= 0xBE) {
          out += "\xEF\xBF\xBD";
          i += 2;
        } else {
          out += shown[i];
        }
    }
  }
  return out;
}

double text_width(std::string_view text, double size) {
  double width = 0;
  for (const Character& character : characters_of(text, size)) width += character.width;
  return width;
}

std::string fitted(std::string_view text, double size, double width) {
  const std::string shown = printable(text, 10000);
  if (text_width(shown, size) <= width) return shown;
  const std::vector<Character> characters = characters_of(shown, size);
  // Names that share a beginning often differ at the end: that gets a third.
  const double room = width - text_width("…", size);
  double taken = 0;
  std::string head, tail;
  std::size_t first = 0, last = characters.size();
  while (last > 0 && taken + characters[last - 1].width <= room / 3)
    taken += characters[--last].width;
  for (std::size_t i = last; i < characters.size(); ++i) tail += characters[i].bytes;
  while (first < last && taken + characters[first].width <= room) {
    head += characters[first].bytes;
    taken += characters[first++].width;
  }
  return head + "…" + tail;
}

std::vector<std::string> wrapped(std::string_view text, double size, double width) {
  const std::string shown = printable(text, 10000);
  std::vector<std::string> lines;
  std::string line, word;
  double line_width = 0, word_width = 0;
  const auto end_line = [&] {
    if (!line.empty() && line.back() == ' ') line.pop_back();
    if (!line.empty()) lines.push_back(line);
    line.clear();
    line_width = 0;
  };
  const auto end_word = [&] {
    if (line_width + word_width > width) end_line();
    line += word;
    line_width += word_width;
    word.clear();
    word_width = 0;
  };
  for (const Character& character : characters_of(shown, size)) {
    if (word_width + character.width > width) end_word(), end_line();
    word += character.bytes;
    word_width += character.width;
    if (character.bytes == " ") end_word();
  }
  end_word();
  end_line();
  return lines;
}

int marker_of(int style) { return (style + style / kColours) % kColours; }

void Svg::text(double x, double y, Anchor anchor, std::string_view text, const char* kind) {
  static const char* const kAnchors[] = {"", "middle", "end"};
  const bool title = std::string_view(kind) == "title";
  const double size = title ? kTitleFont : kFont;
  const double width = text_width(text, title ? 1.06 * size : size);
  const double left = anchor == Anchor::start ? x
                      : anchor == Anchor::end ? x - width
                                              : x - width / 2;
  texts_.push_back({left, y - 0.8 * size, left + width, y + 0.25 * size});
  body_ += "<text" + attribute("x", at(x)) + attribute("y", at(y));
  if (anchor != Anchor::start) {
    body_ += attribute("text-anchor", kAnchors[static_cast<int>(anchor)]);
  }
  if (*kind != 0) body_ += attribute("class", kind);
  body_ += ">" + escaped(text) + "</text>\n";
}

void Svg::line(double x1, double y1, double x2, double y2, const char* kind) {
  body_ += "<path" + attribute("class", kind) +
           attribute("d", "M" + at(x1) + " " + at(y1) + "L" + at(x2) + " " + at(y2)) + "/>\n";
}

void Svg::path(const std::vector<std::pair<double, double>>& points,
               const std::string& attributes) {
  std::string d;
  for (const auto& [x, y] : points) d += (d.empty() ? "M" : "L") + at(x) + " " + at(y);
  body_ += "<path" + attributes + attribute("d", d) + "/>\n";
}

void Svg::curve(const std::vector<std::pair<double, double>>& points, int style) {
  path(points, series_class(style, "curve"));
}

void Svg::rule(const std::vector<std::pair<double, double>>& points, int pattern) {
  path(points, attribute("class", "rule r" + std::to_string(pattern)));
}

void Svg::rect(double x, double y, double width, double height, int style, std::string_view title) {
  body_ += "<rect" + series_class(style, "bar") + attribute("x", at(x)) + attribute("y", at(y)) +
           attribute("width", at(width)) + attribute("height", at(height)) + "><title>" +
           escaped(title) + "</title></rect>\n";
}

void Svg::whisker(double x1, double y1, double x2, double y2, int style) {
  // Caps across the ends.
  const double dx = x1 == x2 ? 3 : 0, dy = 3 - dx;
  std::string d;
  const auto stroke = [&](double ax, double ay, double bx, double by) {
    d += "M" + at(ax) + " " + at(ay) + "L" + at(bx) + " " + at(by);
  };
  stroke(x1, y1, x2, y2);
  stroke(x1 - dx, y1 - dy, x1 + dx, y1 + dy);
  stroke(x2 - dx, y2 - dy, x2 + dx, y2 + dy);
  body_ += "<path" + series_class(style, "whisker") + attribute("d", d) + "/>\n";
}

void Svg::marker(double x, double y, int style, bool small, std::string_view title) {
  // Around the origin, of about equal area.
  static const char* const kShapes[kColours] = {
      "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z",                   // circle
      "M-3.6 -3.6H3.6V3.6H-3.6Z",                              // square
      "M0 -5L4.8 3.6H-4.8Z",                                   // triangle
      "M0 -5.2L5.2 0L0 5.2L-5.2 0Z",                           // diamond
      "M0 5L4.8 -3.6H-4.8Z",                                   // triangle, down
      "M-1.6 -5H1.6V-1.6H5V1.6H1.6V5H-1.6V1.6H-5V-1.6H-1.6Z",  // plus
      "M-5 0L-2.5 -4.4H2.5L5 0L2.5 4.4H-2.5Z",                 // hexagon
      "M0 -5.6L1.5 -1.8L5.5 -1.7L2.3 .8L3.4 4.7L0 2.4L-3.4 4.7L-2.3 .8L-5.5 -1.7L-1.5 -1.8Z"};
  body_ += "<path" + series_class(style, small ? "mark hollow" : "mark") +
           attribute("transform",
                     "translate(" + at(x) + " " + at(y) + ")" + (small ? " scale(.7)" : "")) +
           attribute("d", kShapes[marker_of(style)]);
  body_ += title.empty() ? "/>\n" : "><title>" + escaped(title) + "</title></path>\n";
}

std::string Svg::inline_svg(std::string_view name) const {
  return "<svg class=\"plot\" role=\"img\"" + attribute("aria-label", escaped(name)) +
         attribute("viewBox", at(kEdge - 1) + " 0 " + at(width_ - kEdge + 1) + " " + at(height_)) +
         ">\n" + body_ + "</svg>\n";
}

std::string Svg::standalone(std::string_view name) const {
  const std::string size = attribute("width", at(width_)) + attribute("height", at(height_));
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\"" + size +
         attribute("viewBox", "0 0 " + at(width_) + " " + at(height_)) + ">\n<title>" +
         escaped(name) + "</title>\n<style>\n" + plot_style() + "</style>\n<rect class=\"paper\"" +
         size + " rx=\"6\"/>\n" + body_ + "</svg>\n";
}

std::string plot_style() {
  // Also with each kind of colour blindness 9 or more apart in CIELAB, and at 3:1 or more from the
  // paper.
  static const char* const kLight[kColours] = {"#0b62a8", "#b8430a", "#00805e", "#b34a90",
                                               "#b5830a", "#4596d2", "#50535a", "#42208a"};
  static const char* const kDark[kColours] = {"#4c9fec", "#f08c4e", "#2fb893", "#ee9ace",
                                              "#f5dc86", "#b5e0fb", "#9da1a8", "#7f5ae6"};
  const auto colours = [](const char* const* series, const char* ink, const char* muted,
                          const char* grid, const char* axis, const char* paper) {
    std::string rules = std::string(".plot text{fill:") + ink + "}.plot .muted{fill:" + muted +
                        "}.plot .grid{stroke:" + grid + "}.plot .axis{stroke:" + axis +
                        "}.plot .rule{stroke:" + muted + "}.plot .paper{fill:" + paper +
                        "}.plot .mark{stroke:" + paper + "}.plot .hollow{fill:" + paper + "}\n";
    for (int i = 0; i < kColours; ++i) {
      rules += ".plot .s" + std::to_string(i) + "{color:" + series[i] + "}";
    }
    return rules + "\n";
  };
  return ".plot text{font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,Helvetica,Arial,"
         "sans-serif;font-variant-numeric:tabular-nums}\n"
         ".plot .title{font-size:13.5px;font-weight:600}\n"
         ".plot path{fill:none}.plot .grid{stroke-width:1}.plot .axis{stroke-width:1}\n"
         ".plot .curve{stroke:currentColor;stroke-width:1.75;stroke-linejoin:round}\n"
         ".plot .rule{stroke-width:1.5}.plot .r1{stroke-dasharray:7 3}.plot .r2{stroke-dasharray:2 "
         "3}\n"
         ".plot .whisker{stroke:currentColor;stroke-width:1.25}\n"
         ".plot .bar{fill:currentColor}.plot .mark{fill:currentColor;stroke-width:.75}\n" +
         colours(kLight, "#1c1f24", "#5b616b", "#e4e7eb", "#8a909a", "#ffffff") +
         ".plot .hollow{stroke:currentColor;stroke-width:1.75}\n"
         "@media screen and (prefers-color-scheme:dark){\n" +
         colours(kDark, "#e8eaed", "#a2a8b2", "#2c3138", "#6b727d", "#15181c") +
         ".plot .hollow{stroke:currentColor}}\n";
}

}  // namespace kinglet::tools::report
