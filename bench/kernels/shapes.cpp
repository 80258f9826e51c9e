#include "shapes.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

namespace kinglet::tools {
namespace {

/// "1,4,16"
std::vector<int> sizes_in(const std::string& text) {
  std::vector<int> sizes;
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ',');) {
    int size = 0;
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), size);
    if (error != std::errc() || end != item.data() + item.size() || size < 1 || size > 1 << 20) {
      throw std::runtime_error("'" + item + "' is not a size");
    }
    sizes.push_back(size);
  }
  return sizes;
}

/// Every combination of `lists`, the last one changing fastest.
void combine(const std::string& op, const std::vector<std::vector<int>>& lists,
             std::vector<Shape>& shapes) {
  std::vector<std::vector<int>> all{{}};
  for (const auto& list : lists) {
    std::vector<std::vector<int>> longer;
    for (const auto& sizes : all) {
      for (const int size : list) {
        longer.push_back(sizes);
        longer.back().push_back(size);
      }
    }
    all = longer;
  }
  for (const auto& sizes : all) shapes.push_back({op, sizes});
}

void read_line(const std::string& line, std::vector<Shape>& shapes) {
  std::istringstream words(line.substr(0, line.find('#')));
  std::string op;
  if (!(words >> op)) return;
  const auto& names = size_names(op);
  if (names.empty()) throw std::runtime_error("no such op: " + op);
  std::vector<std::vector<int>> lists;
  for (std::string word; words >> word;) lists.push_back(sizes_in(word));
  if (lists.size() != names.size()) {
    std::string wanted;
    for (const char* name : names) wanted += std::string(" ") + name;
    throw std::runtime_error(op + " takes" + wanted);
  }
  combine(op, lists, shapes);
}

void read_lines(std::istream&& in, const std::string& name, std::vector<Shape>& shapes) {
  if (!in) throw std::runtime_error(name + ": cannot be read");
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    try {
      read_line(line, shapes);
    } catch (const std::exception& error) {
      throw std::runtime_error(name + ": line " + std::to_string(number) + ": " + error.what());
    }
  }
}

}  // namespace

const std::vector<const char*>& size_names(const std::string& op) {
  static const std::vector<const char*> gemm{"m", "n", "k"}, rows{"rows", "n"}, none;
  static const std::map<std::string, std::vector<const char*>> ops{
      {"gemm", gemm},           {"gemm_cold", gemm},
      {"softmax", rows},        {"layer_norm", rows},
      {"quantize", rows},       {"relu", rows},
      {"gelu_erf", rows},       {"gelu_tanh", rows},
      {"tanh", rows},           {"attention", {"seq", "d", "heads"}},
      {"lstm", {"k", "units"}}, {"embedding", {"rows", "n", "vocabulary"}}};
  const auto found = ops.find(op);
  return found == ops.end() ? none : found->second;
}

std::vector<Shape> read_shapes(const std::vector<std::string>& names) {
  std::vector<Shape> shapes;
  for (const OurShapes& ours : our_shapes()) {
    if (names.empty()) read_lines(std::istringstream(ours.text), ours.name, shapes);
  }
  for (const std::string& name : names) {
    const auto ours = std::find_if(our_shapes().begin(), our_shapes().end(),
                                   [&](const OurShapes& o) { return o.name == name; });
    if (ours != our_shapes().end()) {
      read_lines(std::istringstream(ours->text), name, shapes);
    } else {
      read_lines(std::ifstream(name), name, shapes);
    }
  }
  return shapes;
}

}  // namespace kinglet::tools
