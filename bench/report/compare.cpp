#include "compare.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "numbers.hpp"

namespace kinglet::tools::report {
namespace {

constexpr int kFewestRuns = 5;
constexpr double kLeast = 0.01;

using Key = std::vector<std::string>;

Key plain_key(const Model& model) { return {model.name, model.architecture, model.precision}; }

/// Of every model of every run.
std::vector<std::vector<Key>> keys_of(const Collection& collection) {
  std::map<Key, bool> several;
  for (const Results& run : collection.runs()) {
    std::map<Key, int> count;
    for (const Model& model : run.models) {
      const bool again = ++count[plain_key(model)] > 1;
      several[plain_key(model)] = several[plain_key(model)] || again;
    }
  }
  std::vector<std::vector<Key>> keys;
  for (const Results& run : collection.runs()) {
    keys.emplace_back();
    for (const Model& model : run.models) {
      Key key = plain_key(model);
      if (several[key]) key.push_back(model.file.substr(model.file.rfind('/') + 1));
      keys.back().push_back(key);
    }
  }
  return keys;
}

/// One a machine; null where it has none.
using Points = std::vector<const Point*>;

/// Points of one model and setting: by instruction set.
struct Group {
  std::string model;
  std::map<std::string, Points> by_isa;
};

int machines_in(const Points& points) {
  return static_cast<int>(std::count_if(points.begin(), points.end(),
                                        [](const Point* point) { return point != nullptr; }));
}

bool isas_differ(const Points& points) {
  std::set<std::string> isas;
  for (const Point* point : points) {
    if (point != nullptr) isas.insert(point->isa);
  }
  return isas.size() > 1;
}

bool is_part_of(const Points& part, const Points& points) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] != nullptr && part[i] != points[i]) return false;
  }
  return true;
}

bool is_faster(const Point& a, const Point& b) { return a.latency.p50 < b.latency.p50; }

}  // namespace

const char* const kNoiseText =
    "A difference of two medians is beyond noise, and marked ▲ (slower) or ▼ (faster), when it is "
    "larger than the spread of both, √(a² + b²), and than 1 %. The spread of a run is the way from "
    "its "
    "median to its 90th percentile or to its fastest, whichever is longer. Differences within "
    "noise "
    "stand behind ≈; with fewer than 5 runs none is marked.";

double spread_of(const Latency& latency) {
  return std::max(latency.p90 - latency.p50, latency.p50 - latency.min);
}

Difference difference_of(const Latency& reference, const Latency& latency) {
  Difference difference;
  difference.ratio = latency.p50 / reference.p50;
  const double noise = std::hypot(spread_of(reference), spread_of(latency));
  difference.beyond_noise =
      std::abs(latency.p50 - reference.p50) > std::max(noise, kLeast * reference.p50) &&
      std::min(latency.runs, reference.runs) >= kFewestRuns;
  return difference;
}

std::string marked(const Difference& difference) {
  const std::string text = change(difference.ratio);
  if (!difference.beyond_noise) return "<span class=\"small\">≈ " + text + "</span>";
  return difference.ratio > 1 ? "<span class=\"slower\">▲ " + text + "</span>"
                              : "<span class=\"faster\">▼ " + text + "</span>";
}

std::vector<ComparedRow> compared_rows(const Collection& collection) {
  const std::vector<std::vector<Key>> keys = keys_of(collection);
  const std::size_t machines = collection.runs().size();
  std::map<std::pair<Key, Setting>, Group> groups;
  for (const Line& line : collection.lines()) {
    const auto run = static_cast<std::size_t>(line.run);
    const Key& key = keys[run][static_cast<std::size_t>(line.model)];
    for (const auto& [setting, point] : line.points) {
      Group& group = groups[{key, setting}];
      if (group.model.empty()) group.model = collection.model_label(line.run, line.model);
      Points& points = group.by_isa[line.isa];
      points.resize(machines);
      points[run] = point;
    }
  }
  std::vector<ComparedRow> rows;
  for (const auto& [key, group] : groups) {
    Points fastest(machines);
    for (const auto& [isa, points] : group.by_isa) {
      for (std::size_t i = 0; i < machines; ++i) {
        if (points[i] != nullptr && (fastest[i] == nullptr || is_faster(*points[i], *fastest[i]))) {
          fastest[i] = points[i];
        }
      }
    }
    for (const auto& [isa, points] : group.by_isa) {
      if (machines_in(points) > 1 && !is_part_of(points, fastest)) {
        rows.push_back({group.model, key.second, points, isa, false});
      }
    }
    if (machines_in(fastest) > 1) {
      rows.push_back({group.model, key.second, fastest, "", isas_differ(fastest)});
    }
  }
  return rows;
}

}  // namespace kinglet::tools::report
