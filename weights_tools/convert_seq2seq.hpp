#pragma once
// ALFRED's Seq2Seq agent as a model file: what describes the model, and how its weights are stored.
// Used by the converter, and by whoever makes up a model of the same kind.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "convert.hpp"
#include "convert_plan.hpp"
#include "convert_source.hpp"

namespace kinglet::tools {

struct Seq2SeqModel {
  int words = 0, actions = 0;
  int embedding = 0, hidden = 0, frame = 0;  // hidden: of one direction of the encoder
  int mask_size = 0;                         // rows, and columns; 0 without masks
  bool monitors = false, vision = false, masks = false;
  std::vector<std::string> word_names, action_names;  // by id; either may be empty
  std::string source_sha256;
  std::uint64_t source_parameters = 0;
  std::string recipe;

  int width() const { return 2 * hidden; }
  int cell_in() const { return frame + width() + embedding; }
};

/// Every tensor of the model file, with what it needs required from `weights`. Both must outlive the plan.
TensorPlan plan_seq2seq(const Seq2SeqModel& model, WeightSource& weights);

/// Values, then the tensors. Does not commit.
void write_seq2seq(OutputFile& out, const Seq2SeqModel& model, const TensorPlan& plan,
                   const std::function<void(std::size_t done, std::size_t all)>& progress);

/// Whether the tensors are those of such an agent.
bool holds_seq2seq(const Checkpoint& checkpoint);

}  // namespace kinglet::tools
