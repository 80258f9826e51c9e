#pragma once
// The runs that a report is about, as it names and groups them.

#include <map>
#include <results/results.hpp>
#include <string>
#include <tuple>
#include <vector>

namespace kinglet::tools::report {

/// Names of a report: short enough for a legend, and each different from the others.
std::vector<std::string> distinct_labels(const std::vector<std::string>& names, double width);

/// What was asked for, apart from the model and the instruction set.
struct Setting {
  std::string task;
  int threads = 1, batch = 1, length = 0, image = 0, steps = 0;
  bool every_row = false;

  static Setting of(const Point& point);
  auto key() const { return std::tie(task, every_row, threads, length, image, steps, batch); }
  bool operator<(const Setting& other) const { return key() < other.key(); }
  bool operator==(const Setting& other) const { return key() == other.key(); }
};

/// A model on a machine with an instruction set: the same colour and marker in every plot.
struct Line {
  int run = 0, model = 0;
  std::string isa;
  std::string label;
  std::map<Setting, const Point*> points;

  /// The point of a setting; null where there is none.
  const Point* at(const Setting& setting) const;
};

class Collection {
 public:
  /// The results must outlive the collection.
  explicit Collection(const std::vector<Results>& runs);

  const std::vector<Results>& runs() const { return runs_; }
  const std::vector<Line>& lines() const { return lines_; }
  const Results& run_of(const Line& line) const { return runs_[index(line.run)]; }
  const Model& model_of(const Line& line) const { return run_of(line).models[index(line.model)]; }
  const std::string& machine_label(int run) const { return machines_[index(run)]; }
  const std::string& model_label(int run, int model) const {
    return models_[index(run)][index(model)];
  }
  /// All settings that points have, in order.
  const std::vector<Setting>& settings() const { return settings_; }
  /// What most lines have a point of; the first of those: where models are held beside each other.
  const Setting& reference() const { return reference_; }

  /// A line's point there, or its first where it has none.
  const Point& shown(const Line& line) const;
  /// With what differs there from the reference.
  std::string label_of_shown(const Line& line) const;

  /// What differs between the points: "batch 4, 128 positions"; "" where nothing does.
  std::string text_of(const Setting& setting) const;
  /// What all points have in common.
  std::string common_text() const;

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  std::string text_of(const Setting& setting, bool varying) const;
  void find_settings();

  const std::vector<Results>& runs_;
  std::vector<std::string> machines_;
  std::vector<std::vector<std::string>> models_;
  std::vector<Line> lines_;
  std::vector<Setting> settings_;
  Setting reference_;
};

}  // namespace kinglet::tools::report
