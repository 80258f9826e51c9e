#pragma once
// How right a model is over examples: what `kinglet-bench accuracy` asks of a model and a set.

#include <memory>
#include <string>
#include <vector>

#include "checkpoint.hpp"
#include "model_session.hpp"

namespace kinglet::tools {

struct Score {
  std::string group;  ///< the task, or the output
  std::string name;
  double value;                   ///< of 1: a share of right answers, or a cosine
  int right = 0;                  ///< value = right / asked, where it is a share
  int asked = 0;                  ///< 0 where it is none
  int agreed = 0;                 ///< of those asked, answered as the reference does
  std::vector<int> answers = {};  ///< of every row, asked or not; empty where there are none
};

/// How far an output is from the recorded one, at most.
struct Difference {
  std::string name;
  double largest;
};

/// One model's answers, collected step by step so that models can take turns.
class Evaluation {
 public:
  virtual ~Evaluation() = default;
  virtual int steps() const = 0;
  /// What a step reads is made here, so that its time does not count.
  virtual void prepare(int) {}
  /// Runs the model; gives the number of examples that this took.
  virtual int run(int step) = 0;
  /// After every step. `reference` is an evaluation of the same set, perhaps this one.
  virtual std::vector<Score> scores(const Evaluation& reference) const = 0;
  /// Where the set records outputs for this.
  virtual std::vector<Difference> differences() const { return {}; }
};

/// Right answers of a HiTUT model on the rows <task>.* and their labels; null when the set holds none.
std::unique_ptr<Evaluation> evaluate_labels(ModelSession& session, const Checkpoint& set,
                                            int batch);

/// What a Seq2Seq agent does in recorded episodes; null when the model or the set is another.
std::unique_ptr<Evaluation> evaluate_episodes(ModelSession& session, const Checkpoint& set);

/// A model's outputs beside those of the reference, or of the set where it records them: embeddings by their cosines
/// and by nearest neighbours among the rows, logits by their largest.
std::unique_ptr<Evaluation> evaluate_outputs(ModelSession& session, const Checkpoint& set);

/// The one of these that fits the model and the set. Throws FileError unless it is of the kind of `first`, the
/// evaluation of the first model, which is null for that itself.
std::unique_ptr<Evaluation> evaluate(ModelSession& session, const Checkpoint& set, int batch,
                                     const Evaluation* first);

/// Of an evaluation that has run. Throws FileError when there is none.
std::vector<Score> scores_of(const Evaluation& evaluation, const Evaluation& reference,
                             const Checkpoint& set);

}  // namespace kinglet::tools
