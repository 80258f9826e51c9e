#include "collection.hpp"

#include <algorithm>
#include <map>

#include "svg.hpp"

namespace kinglet::tools::report {
namespace {

std::vector<std::string> machine_labels(const std::vector<Results>& runs) {
  std::vector<std::string> names, days, times;
  for (const Results& run : runs) {
    const Machine& machine = run.machine;
    names.push_back(machine.label.empty() ? machine.cpu : machine.label);
    if (names.back().empty()) names.back() = "this machine";
    days.push_back(machine.date.substr(0, 10));
    times.push_back(machine.date.size() > 11 ? machine.date.substr(11, 8) : "");
  }
  tell_apart(names, days);
  tell_apart(names, times);
  return distinct_labels(names, 170);
}

}  // namespace

std::vector<std::string> distinct_labels(const std::vector<std::string>& names, double width) {
  std::vector<std::string> labels;
  for (const std::string& name : names) labels.push_back(fitted(name, Svg::kFont, width));
  number_equal(labels);
  return labels;
}

Setting Setting::of(const Point& point) {
  return {point.task,  point.threads, point.batch,    point.length,
          point.image, point.steps,   point.every_row};
}

const Point* Line::at(const Setting& setting) const {
  const auto found = points.find(setting);
  return found == points.end() ? nullptr : found->second;
}

Collection::Collection(const std::vector<Results>& runs)
    : runs_(runs), machines_(machine_labels(runs)) {
  for (std::size_t r = 0; r < runs.size(); ++r) {
    models_.push_back(distinct_labels(distinct_names(runs[r].models), 200));
    std::map<std::pair<int, std::string>, std::size_t> at;
    for (const Point& point : runs[r].points) {
      const auto [found, is_new] = at.emplace(std::pair(point.model, point.isa), lines_.size());
      if (is_new) lines_.push_back({static_cast<int>(r), point.model, point.isa, "", {}});
      lines_[found->second].points.emplace(Setting::of(point), &point);
    }
  }
  std::stable_sort(lines_.begin(), lines_.end(), [](const Line& a, const Line& b) {
    return std::tie(a.run, a.model) < std::tie(b.run, b.model);
  });
  // Instruction sets are named where a model ran on several.
  for (Line& line : lines_) {
    line.label = model_label(line.run, line.model);
    const bool several = std::any_of(lines_.begin(), lines_.end(), [&](const Line& other) {
      return other.run == line.run && other.model == line.model && other.isa != line.isa;
    });
    if (several) line.label += ", " + fitted(line.isa, Svg::kFont, 90);
    if (runs.size() > 1) line.label += " · " + machine_label(line.run);
  }
  find_settings();
}

void Collection::find_settings() {
  std::map<Setting, int> count;
  for (const Line& line : lines_) {
    for (const auto& [setting, point] : line.points) ++count[setting];
  }
  int most = 0;
  for (const auto& [setting, times] : count) {
    settings_.push_back(setting);
    if (times > most) {
      most = times;
      reference_ = setting;
    }
  }
}

std::string Collection::text_of(const Setting& setting, bool varying) const {
  std::string text;
  const auto add = [&](auto member, bool applies, const std::string& words) {
    const bool varies = std::any_of(settings_.begin(), settings_.end(), [&](const Setting& other) {
      return other.*member != settings_[0].*member;
    });
    if (applies && varies == varying) text += (text.empty() ? "" : ", ") + words;
  };
  const auto plural = [](int count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
  };
  add(&Setting::task, !setting.task.empty(), fitted(setting.task, Svg::kFont, 150));
  add(&Setting::every_row, setting.every_row, "every row computed");
  add(&Setting::batch, setting.batch > 0, "batch " + std::to_string(setting.batch));
  add(&Setting::length, setting.length > 0, plural(setting.length, "position"));
  add(&Setting::image, setting.image > 0,
      "image " + std::to_string(setting.image) + " × " + std::to_string(setting.image));
  add(&Setting::steps, setting.steps > 0, plural(setting.steps, "step"));
  add(&Setting::threads, setting.threads > 0, plural(setting.threads, "thread"));
  return text;
}

const Point& Collection::shown(const Line& line) const {
  const Point* point = line.at(reference_);
  return point != nullptr ? *point : *line.points.begin()->second;
}

std::string Collection::label_of_shown(const Line& line) const {
  const Setting setting = Setting::of(shown(line));
  return setting == reference_ ? line.label : line.label + ", " + text_of(setting);
}

std::string Collection::text_of(const Setting& setting) const { return text_of(setting, true); }

std::string Collection::common_text() const {
  std::string text = settings_.empty() ? "" : text_of(settings_[0], false);
  const bool one_isa = std::all_of(lines_.begin(), lines_.end(),
                                   [this](const Line& line) { return line.isa == lines_[0].isa; });
  if (one_isa && !lines_.empty()) text += (text.empty() ? "" : ", ") + lines_[0].isa;
  return text;
}

}  // namespace kinglet::tools::report
