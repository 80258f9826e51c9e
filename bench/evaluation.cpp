#include "evaluation.hpp"

#include <typeinfo>

#include "file_error.hpp"

namespace kinglet::tools {

std::unique_ptr<Evaluation> evaluate(ModelSession& session, const Checkpoint& set, int batch,
                                     const Evaluation* first) {
  auto evaluation = evaluate_labels(session, set, batch);
  if (evaluation == nullptr) evaluation = evaluate_episodes(session, set);
  if (evaluation == nullptr) evaluation = evaluate_outputs(session, set);
  const Evaluation& mine = *evaluation;
  if (first != nullptr && typeid(mine) != typeid(*first))
    throw FileError(session.path(), set.path, "is judged otherwise than for the first model");
  return evaluation;
}

std::vector<Score> scores_of(const Evaluation& evaluation, const Evaluation& reference,
                             const Checkpoint& set) {
  std::vector<Score> scores = evaluation.scores(reference);
  if (scores.empty())
    throw FileError(set.path, "set", "holds no labels, embeddings or logits for this model");
  return scores;
}

}  // namespace kinglet::tools
