#include "results.hpp"

#include <map>
#include <set>

#include "text.hpp"

namespace kinglet::tools {

const Limits* limits_of(const Results& results, const Point& point) {
  for (const Limits& limits : results.limits) {
    if (limits.isa == point.isa && limits.threads == point.threads) return &limits;
  }
  return nullptr;
}

std::vector<std::string> distinct_names(const std::vector<Model>& models) {
  std::vector<std::string> names, precisions, files;
  for (const Model& model : models) {
    names.push_back(model.name.empty() ? file_name(model.file) : model.name);
    // "int8, 3 of 40 matrices fp32": the table has the rest.
    precisions.push_back(model.precision.substr(0, model.precision.find(',')));
    files.push_back(file_name(model.file));
  }
  tell_apart(names, precisions);
  tell_apart(names, files);
  number_equal(names);
  return names;
}

void tell_apart(std::vector<std::string>& names, const std::vector<std::string>& more) {
  std::map<std::string, std::set<std::string>> differences;
  for (std::size_t i = 0; i < names.size(); ++i) differences[names[i]].insert(more[i]);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (differences[names[i]].size() > 1 && !more[i].empty()) names[i] += ", " + more[i];
  }
}

void number_equal(std::vector<std::string>& names) {
  std::set<std::string> taken;
  for (std::string& name : names) {
    std::string numbered = name;
    for (int n = 2; !taken.insert(numbered).second; ++n)
      numbered = name + " (" + std::to_string(n) + ")";
    name = numbered;
  }
}

}  // namespace kinglet::tools
