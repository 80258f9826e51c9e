#include "summary.hpp"

#include <cmath>
#include <cstdio>
#include <set>
#include <tuple>

namespace kinglet::tools {
namespace {

/// Geometric mean and minimum.
class Mean {
 public:
  void add(double x) {
    logs_ += std::log(x);
    least_ = count_ == 0 || x < least_ ? x : least_;
    ++count_;
  }
  int count() const { return count_; }
  double mean() const { return std::exp(logs_ / count_); }
  double least() const { return least_; }

 private:
  double logs_ = 0, least_ = 0;
  int count_ = 0;
};

/// Ranges of rows that are judged together. One row is bound by memory, a few by the loads of a tile.
struct Range {
  const char* text;
  int from, to;
};
constexpr int kMost = 1 << 20;
constexpr Range kRanges[] = {
    {"m = 1", 1, 1}, {"m = 2..11", 2, 11}, {"m >= 12", 12, kMost}, {"m >= 16", 16, kMost}};
constexpr Range kEverything[] = {{"all", 0, kMost}};

struct Line {
  Mean shares, best;
  std::map<std::string, Mean> ratios;
};

template <class... Values>
std::string format(const char* text, Values... values) {
  char line[200];
  std::snprintf(line, sizeof line, text, values...);
  return line;
}

}  // namespace

const char* text_of(Limit limit) {
  switch (limit) {
    case Limit::f32: return "FMA peak";
    case Limit::s8: return "int8 peak";
    case Limit::read: return "read loop";
    case Limit::copy: break;
  }
  return "copy loop";
}

void Summary::add(const CaseId& id, Limit limit, const Result& result) {
  entries_.insert_or_assign(id.name(), Entry{id, limit, result});
}

std::string Summary::text() const {
  // Kernels in alphabetical order, instruction sets as the programs list them.
  std::map<std::tuple<std::string, int, int>, std::vector<const Entry*>> groups;
  std::set<std::string> baselines;
  for (const auto& [name, entry] : entries_) {
    int isa = 0;
    while (&kernels::at(isa) != entry.id.kernels) ++isa;
    groups[{entry.id.kernel, entry.id.threads, isa}].push_back(&entry);
    for (const auto& ratio : entry.result.ratios) baselines.insert(ratio.first);
  }
  if (groups.empty()) return {};
  std::string text = format("%-24s %-12s %7s %-10s %5s  %-10s %7s %7s %7s", "kernel", "isa",
                            "threads", "sizes", "cases", "limit", "mean %", "min %", "best %");
  for (const std::string& name : baselines) {
    text += format("  %9s %6s", ("x " + name).c_str(), "min");
  }
  text += "\n";
  for (const auto& [key, group] : groups) {
    const auto& [kernel, threads, isa] = key;
    const bool by_m = group.front()->id.shape.op.compare(0, 4, "gemm") == 0;
    int before = 0;
    for (const Range* range = by_m ? kRanges : kEverything;
         range != (by_m ? std::end(kRanges) : std::end(kEverything)); ++range) {
      Line line;
      Limit limit = Limit::f32;
      for (const Entry* entry : group) {
        const int m = entry->id.shape.sizes[0];
        if (m < range->from || m > range->to) continue;
        limit = entry->limit;
        line.shares.add(entry->result.share);
        line.best.add(entry->result.best_share);
        for (const auto& [name, ratio] : entry->result.ratios) line.ratios[name].add(ratio);
      }
      // The last range is part of the one before it.
      const bool same = range->to == kMost && line.shares.count() == before;
      before = line.shares.count();
      if (before == 0 || same) continue;
      text += format("%-24s %-12s %7d %-10s %5d  %-10s %7.1f %7.1f %7.1f", kernel.c_str(),
                     kernels::at(isa).isa, threads, range->text, before, text_of(limit),
                     100 * line.shares.mean(), 100 * line.shares.least(), 100 * line.best.mean());
      for (const std::string& name : baselines) {
        const auto found = line.ratios.find(name);
        text += found == line.ratios.end()
                    ? format("  %9s %6s", "", "")
                    : format("  %9.3f %6.3f", found->second.mean(), found->second.least());
      }
      text.resize(text.find_last_not_of(' ') + 1);
      text += "\n";
    }
  }
  return text;
}

}  // namespace kinglet::tools
