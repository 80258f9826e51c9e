#pragma once
// A drawing in SVG. It is `inline_svg` in a page that has plot_style() once, or a file of its own.

#include <string>
#include <string_view>
#include <vector>

namespace kinglet::tools::report {

/// Text from anywhere as it may stand between tags and in quoted attributes, of HTML and of XML.
std::string escaped(std::string_view text);

/// How wide a text is at most in the fonts that pages are shown in; `size` is the font's.
double text_width(std::string_view text, double size);
/// The text, or its beginning and end around "…", no wider than `width`.
std::string fitted(std::string_view text, double size, double width);
/// In lines of at most `width`, broken at blanks, within words where it must be.
std::vector<std::string> wrapped(std::string_view text, double size, double width);

enum class Anchor { start, middle, end };

struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
  bool overlaps(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

/// Colours and markers that differ from each other: eight of each, in 64 pairs.
constexpr int kColours = 8;
int marker_of(int style);

class Svg {
 public:
  static constexpr double kFont = 12, kTitleFont = 13.5;

  /// Free on all sides; a page brings its own on the left.
  static constexpr double kEdge = 12;

  explicit Svg(double width) : width_(width) {}

  /// `kind`: a class of plot_style(), "" for plain text.
  void text(double x, double y, Anchor anchor, std::string_view text, const char* kind = "");
  void line(double x1, double y1, double x2, double y2, const char* kind);
  /// Joined points.
  void curve(const std::vector<std::pair<double, double>>& points, int style);
  /// The same without colour, in one of three patterns.
  void rule(const std::vector<std::pair<double, double>>& points, int pattern);
  void rect(double x, double y, double width, double height, int style, std::string_view title);
  void whisker(double x1, double y1, double x2, double y2, int style);
  /// Small ones are hollow. `title` is shown where the pointer rests.
  void marker(double x, double y, int style, bool small, std::string_view title);
  void set_height(double height) { height_ = height; }

  double width() const { return width_; }
  double height() const { return height_; }
  /// Of every text: that they do not overlap can be tested.
  const std::vector<Box>& texts() const { return texts_; }

  /// `name` is what those hear who do not see it.
  std::string inline_svg(std::string_view name) const;
  std::string standalone(std::string_view name) const;

 private:
  void path(const std::vector<std::pair<double, double>>& points, const std::string& attributes);

  double width_, height_ = 0;
  std::string body_;
  std::vector<Box> texts_;
};

/// Rules for what is in a drawing, light and, on dark screens, dark.
std::string plot_style();

}  // namespace kinglet::tools::report
