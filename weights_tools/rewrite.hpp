#pragma once
// The steps that make a model smaller by leaving things out. Each changes a file taken apart and
// notes itself in its recipe; they compose in any order, on quantised files too.

#include <cstdint>
#include <string>
#include <vector>

#include "model_edit.hpp"

namespace kinglet::tools {

/// Keeps the chosen layers, in the order given, each at most once. Layers that run with shared
/// weights (ALBERT) stay stored as long as one of them is kept. Throws FileError.
void keep_layers(ModelEdit& edit, const std::vector<int>& layers);

struct PruneResult {
  std::size_t rows_before = 0, rows = 0;
  std::uint32_t unknown = 0;   // the id that stands for what is left out
  bool unknown_named = false;  // by the file or the caller; else it is the padding's
};

/// Keeps the rows of the word table that belong to `ids` and to the tokens that the file names; all
/// other ids get the row of `unknown`, or of the file's unknown token where that is negative. The
/// outputs of a masked LM are kept alike. Throws FileError.
PruneResult prune_vocabulary(ModelEdit& edit, const std::vector<std::uint32_t>& ids,
                             std::int64_t unknown = -1);

/// Leaves out actions of Seq2Seq by their names; the others keep their order and get new ids, their
/// first ones stay in alfred-seq2seq.kept_actions. Throws FileError.
PruneResult prune_actions(ModelEdit& edit, const std::vector<std::string>& dropped);

struct FactorizeResult {
  int rows = 0, width = 0, rank = 0;
  double energy = 0;        // Σ σ² of what is kept / Σ σ²
  double error = 0;         // ‖E − UV‖ / ‖E‖ of what is stored
  double worst_cosine = 1;  // of a row of E and the same of UV
};

/// The word table V × d as V × r and a Linear r → d. rank: r, or 0 for the smallest one that keeps
/// `energy` of the squared singular values. An int8 table stays int8. Throws FileError.
FactorizeResult factorize_words(ModelEdit& edit, int rank, double energy);

}  // namespace kinglet::tools
