#pragma once
// HiTUT's prepared tensors and its logits: rows of a golden file or of an evaluation set.

#include <cstdint>
#include <kinglet/models/hitut.hpp>
#include <vector>

#include "samples.hpp"

namespace kinglet::tools {

struct HitutTask {
  hitut::Task task;
  const char* name;
};
inline constexpr HitutTask kHitutTasks[] = {{hitut::Task::high, "high"},
                                            {hitut::Task::low_mani, "low_mani"},
                                            {hitut::Task::low_navi, "low_navi"}};

/// Every row of one task. An evaluation set holds, for each task T, row-major tensors T.vision_cls, T.vision_feats,
/// T.lang_input, T.action_history_input, T.seq_mask, T.arg_pos, T.type_pos, for navigation T.rotation and T.horizon;
/// a golden file the same as in.*.
class HitutRows {
 public:
  /// Throws FileError when a tensor is missing or has another shape than the model needs.
  HitutRows(const Samples& from, const hitut::Config& config, hitut::Task task);

  int count() const { return count_; }
  /// Rows first … first + count − 1, valid as long as this object.
  hitut::Input slice(int first, int count) const;

 private:
  const hitut::Config& config_;
  hitut::Task task_;
  int count_;
  std::vector<std::int32_t> words_, vision_, history_, type_position_, arg_position_, rotation_,
      horizon_, past_;
  std::vector<float> features_, past_features_;
  std::vector<std::uint8_t> mask_;
};

/// Memory for the logits of `rows` rows.
struct HitutLogits {
  HitutLogits(const hitut::Config& config, hitut::Task task, int rows);

  /// Where a run leaves the logits of its rows, the first of which is `row`.
  hitut::Output at(int row);
  /// out.type_logits …, as golden files name them; `group` stands for "out".
  void add_to(std::vector<Values>& out, const std::string& group) const;

  int rows;
  std::vector<float> type, arg, mask, monitors;  ///< mask, monitors: empty where the task has none
};

}  // namespace kinglet::tools
