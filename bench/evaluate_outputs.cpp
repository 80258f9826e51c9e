// Outputs of a model over a sample file beside those of another, or beside the recorded ones.

#include <algorithm>
#include <cmath>

#include "evaluation.hpp"
#include "file_error.hpp"
#include "nan.hpp"
#include "samples.hpp"

namespace kinglet::tools {
namespace {

/// An output as rows of its last dimension, or dimensions.
struct Rows {
  explicit Rows(const Values& values, std::size_t dimensions = 1)
      : n(1), count(0), data(values.numbers.data()) {
    const std::size_t rank = values.shape.size();
    for (std::size_t d = rank - std::min(rank, dimensions); d < rank; ++d)
      n *= static_cast<std::size_t>(values.shape[d]);
    if (n > 0) count = values.numbers.size() / n;
  }

  const double* row(std::size_t i) const { return data + i * n; }

  std::size_t n, count;
  const double* data;
};

double dot(const double* a, const double* b, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// 0 where one of them is zero.
double cosine(const double* a, const double* b, std::size_t n) {
  const double lengths = std::sqrt(dot(a, a, n) * dot(b, b, n));
  return lengths == 0 ? 0 : dot(a, b, n) / lengths;
}

/// For each row the number of the row nearest to it.
std::vector<std::size_t> neighbours(const Rows& rows) {
  std::vector<std::size_t> nearest(rows.count);
  for (std::size_t i = 0; i < rows.count; ++i) {
    double best = -2;
    for (std::size_t j = 0; j < rows.count; ++j) {
      const double near = i == j ? -2 : cosine(rows.row(i), rows.row(j), rows.n);
      if (near > best) best = near, nearest[i] = j;
    }
  }
  return nearest;
}

Score share(const std::string& group, const char* name, int right, std::size_t asked) {
  const int count = static_cast<int>(asked);
  return {group, name, static_cast<double>(right) / count, right, count, right};
}

void add_cosines(const std::string& name, const Rows& mine, const Rows& theirs,
                 std::vector<Score>& out) {
  double sum = 0, worst = 1;
  for (std::size_t i = 0; i < mine.count; ++i) {
    const double near = cosine(mine.row(i), theirs.row(i), mine.n);
    sum += near;
    worst = min_or_nan(worst, near);
  }
  out.push_back({name, "mean cosine", sum / static_cast<double>(mine.count)});
  out.push_back({name, "worst cosine", worst});
  if (mine.count < 3) return;
  const auto a = neighbours(mine), b = neighbours(theirs);
  int same = 0;
  for (std::size_t i = 0; i < a.size(); ++i) same += a[i] == b[i] ? 1 : 0;
  out.push_back(share(name, "same neighbour", same, a.size()));
}

void add_answers(const std::string& name, const Rows& mine, const Rows& theirs,
                 std::vector<Score>& out) {
  int same = 0;
  // Its place in the row; none, which is the row's end, where there is a NaN.
  const auto largest = [](const Rows& rows, std::size_t i) {
    const double *begin = rows.row(i), *end = begin + rows.n;
    if (std::any_of(begin, end, [](double x) { return std::isnan(x); })) return end - begin;
    return std::max_element(begin, end) - begin;
  };
  for (std::size_t i = 0; i < mine.count; ++i) {
    const std::ptrdiff_t answer = largest(mine, i);
    same += answer < static_cast<std::ptrdiff_t>(mine.n) && answer == largest(theirs, i);
  }
  out.push_back(share(name, "same answer", same, mine.count));
}

/// Masks are where logits are positive: the share of what either has that both have, an output's mean
/// and the worst. A row is a mask, or some of its rows.
void add_overlaps(const std::string& name, const Rows& mine, const Rows& theirs,
                  std::vector<Score>& out) {
  double sum = 0, worst = 1;
  for (std::size_t i = 0; i < mine.count; ++i) {
    int both = 0, either = 0;
    for (std::size_t j = 0; j < mine.n; ++j) {
      const bool a = mine.row(i)[j] > 0, b = theirs.row(i)[j] > 0;
      both += a && b ? 1 : 0;
      either += a || b ? 1 : 0;
    }
    const double overlap = either > 0 ? static_cast<double>(both) / either : 1;
    sum += overlap;
    worst = std::min(worst, overlap);
  }
  out.push_back({name, "mean IoU", sum / static_cast<double>(mine.count)});
  out.push_back({name, "worst IoU", worst});
}

class OutputEvaluation : public Evaluation {
 public:
  OutputEvaluation(ModelSession& session, const Checkpoint& set) : session_(session), set_(set) {}

  // More than one, so that the models' times can be compared.
  int steps() const override { return 3; }

  int run(int) override {
    outputs_ = session_.run_samples(set_, 0);
    if (outputs_.empty() || outputs_[0].shape.empty())
      throw FileError(set_.path, "samples", "give no output of this model");
    if (masks_.empty() && records_masks()) masks_ = session_.run_golden(set_);
    return static_cast<int>(outputs_[0].shape[0]);
  }

  std::vector<Score> scores(const Evaluation& reference) const override {
    const auto& other = dynamic_cast<const OutputEvaluation&>(reference);
    std::vector<Score> all;
    for (const Values& mine : outputs_) {
      const Values theirs = &other == this ? recorded(mine) : other.output(mine);
      const Rows a(mine), b(theirs);
      if (mine.integer || a.n < 2 || a.count == 0) continue;
      const std::string name = mine.name.substr(mine.name.find('.') + 1);
      if (mine.shape.size() > 2 && ends_with(name, "mask_logits")) {
        add_overlaps(name, Rows(mine, 2), Rows(theirs, 2), all);
        continue;
      }
      if (ends_with(name, "embedding")) {
        add_cosines(name, a, b, all);
      } else if (name.find("logits") != std::string::npos) {
        add_answers(name, a, b, all);
      }
    }
    // Pixels are compared with those that the set records, not with another model's.
    for (const Values& mine : masks_) {
      const Tensor* tensor = set_.find(mine.name);
      if (!names_masks(mine.name) || tensor == nullptr || tensor->shape != mine.shape) continue;
      add_overlaps(mine.name.substr(mine.name.find('.') + 1), Rows(mine, 2),
                   Rows(values_of(set_.path, *tensor), 2), all);
    }
    return all;
  }

 private:
  static bool names_masks(const std::string& name) {
    return name.find("mask_logits_") != std::string::npos;
  }
  bool records_masks() const {
    return std::any_of(set_.tensors.begin(), set_.tensors.end(),
                       [](const Tensor& tensor) { return names_masks(tensor.name); });
  }

  /// What the set records for an output, else the output.
  Values recorded(const Values& mine) const {
    const Tensor* tensor = set_.find(mine.name);
    if (tensor == nullptr || tensor->shape != mine.shape) return mine;
    return values_of(set_.path, *tensor);
  }

  const Values& output(const Values& like) const {
    for (const Values& values : outputs_) {
      if (values.name == like.name && values.shape == like.shape) return values;
    }
    throw FileError(session_.path(), like.name, "is no output of this model, or of another shape");
  }

  ModelSession& session_;
  const Checkpoint& set_;
  std::vector<Values> outputs_;
  std::vector<Values> masks_;  ///< every output that the set records, where masks are among them
};

}  // namespace

std::unique_ptr<Evaluation> evaluate_outputs(ModelSession& session, const Checkpoint& set) {
  return std::make_unique<OutputEvaluation>(session, set);
}

}  // namespace kinglet::tools
