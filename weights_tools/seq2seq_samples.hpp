#pragma once
// Episodes of a Seq2Seq agent: those of a golden file, and of an evaluation set whose frames are made
// of the objects in them.

#include <cstdint>
#include <kinglet/models/alfred_seq2seq.hpp>
#include <vector>

#include "samples.hpp"

namespace kinglet::tools {

/// in.lang_ids [batch][longest], in.lang_lengths [batch], in.gold_actions [batch][steps], and
/// in.frames [batch][steps][512][7][7] or in.visual_features [batch][steps][frame].
class Seq2SeqGolden {
 public:
  /// Throws FileError.
  Seq2SeqGolden(const Checkpoint& golden, const seq2seq::Config& config);

  int batch() const { return batch_; }
  int steps() const { return steps_; }
  int longest() const { return longest_; }
  const std::vector<std::int32_t>& actions() const { return actions_; }
  /// Valid as long as this object; without actions.
  seq2seq::Episode episode() const;

 private:
  int batch_, steps_, longest_;
  std::vector<std::int32_t> words_, lengths_, actions_;
  std::vector<float> frames_;
  seq2seq::Frames::Form form_;
};

/// An evaluation set: ragged lists with offsets. Frames are [7][7][512]: the sum, over the objects of a frame, of the
/// features of their class in each cell that they cover.
class Seq2SeqEpisodes {
 public:
  /// Throws FileError.
  explicit Seq2SeqEpisodes(const Checkpoint& samples);

  /// Whether the file is such a set.
  static bool holds(const Checkpoint& samples);

  int count() const { return static_cast<int>(step_offsets_.size()) - 1; }
  int steps(int episode) const { return length(step_offsets_, episode); }
  int words(int episode) const { return length(word_offsets_, episode); }
  const std::int32_t* word_ids(int episode) const { return at(words_, word_offsets_, episode); }
  /// What the expert did, with the stop at the end.
  const std::int32_t* actions(int episode) const { return at(actions_, step_offsets_, episode); }
  /// Of all steps of an episode, one after the other.
  std::vector<float> frames(int episode) const;

 private:
  static int length(const std::vector<std::int32_t>& offsets, int i) {
    const auto at = static_cast<std::size_t>(i);
    return offsets[at + 1] - offsets[at];
  }
  static const std::int32_t* at(const std::vector<std::int32_t>& all,
                                const std::vector<std::int32_t>& offsets, int i) {
    return all.data() + offsets[static_cast<std::size_t>(i)];
  }
  void add_object(std::int32_t object, float* frame) const;

  std::vector<std::int32_t> words_, word_offsets_, actions_, step_offsets_;
  std::vector<std::int32_t> object_class_, object_cells_, object_offsets_;
  std::vector<float> features_;  // [classes][512]
};

}  // namespace kinglet::tools
