#include "seq2seq_samples.hpp"

#include <algorithm>

namespace kinglet::tools {

using seq2seq::kCells;
using seq2seq::kChannels;
using seq2seq::kGrid;

Seq2SeqGolden::Seq2SeqGolden(const Checkpoint& golden, const seq2seq::Config& config) {
  const Samples in(golden, "in");
  const auto dims = [&](const char* name, std::size_t rank) {
    const std::vector<std::int64_t> shape = in.shape(name);
    const bool usable = shape.size() >= rank && std::all_of(shape.begin(), shape.end(), [](auto n) {
                          return n >= 1 && n <= 65536;
                        });
    if (!usable) in.fail(name, "has a shape that no episodes have");
    return shape;
  };
  const std::vector<std::int64_t> words = dims("lang_ids", 2);
  batch_ = static_cast<int>(words[0]);
  longest_ = static_cast<int>(words[1]);
  words_ = in.numbers<std::int32_t>("lang_ids", words[0] * words[1]);
  lengths_ = in.numbers<std::int32_t>("lang_lengths", batch_);
  steps_ = static_cast<int>(dims("gold_actions", 2)[1]);
  const std::int64_t all = std::int64_t{batch_} * steps_;
  actions_ = in.numbers<std::int32_t>("gold_actions", all);
  form_ = in.has("frames") ? seq2seq::Frames::Form::channels : seq2seq::Frames::Form::encoded;
  frames_ = in.has("frames") ? in.numbers<float>("frames", all * kChannels * kCells)
                             : in.numbers<float>("visual_features", all * config.frame);
}

seq2seq::Episode Seq2SeqGolden::episode() const {
  seq2seq::Episode e;
  e.instruction = {batch_, longest_, words_.data(), lengths_.data()};
  e.steps = steps_;
  e.frames.form = form_;
  e.frames.data = frames_.data();
  return e;
}

bool Seq2SeqEpisodes::holds(const Checkpoint& samples) {
  return samples.find("step_offsets") != nullptr;
}

Seq2SeqEpisodes::Seq2SeqEpisodes(const Checkpoint& samples) {
  const Samples in(samples, "");
  const auto offsets = [&](const char* name, std::size_t items) {
    const std::vector<std::int32_t> all = in.numbers<std::int32_t>(name);
    const bool usable = all.size() >= 2 && all.front() == 0 &&
                        std::is_sorted(all.begin(), all.end()) &&
                        static_cast<std::size_t>(all.back()) == items;
    if (!usable) in.fail(name, "does not divide what it is for");
    return all;
  };
  words_ = in.numbers<std::int32_t>("lang_ids");
  word_offsets_ = offsets("lang_offsets", words_.size());
  actions_ = in.numbers<std::int32_t>("actions");
  step_offsets_ = offsets("step_offsets", actions_.size());
  if (word_offsets_.size() != step_offsets_.size())
    in.fail("lang_offsets", "has not as many episodes as step_offsets");
  object_class_ = in.numbers<std::int32_t>("object_class");
  object_offsets_ = offsets("frame_object_offsets", object_class_.size());
  if (object_offsets_.size() != actions_.size() + 1)
    in.fail("frame_object_offsets", "has not as many frames as there are steps");
  object_cells_ =
      in.numbers<std::int32_t>("object_cells", static_cast<std::int64_t>(object_class_.size()) * 4);
  features_ = in.numbers<float>("class_features_x8");
  const auto classes = static_cast<std::int32_t>(features_.size() / kChannels);
  if (features_.size() % kChannels != 0)
    in.fail("class_features_x8", "has not 512 features a class");
  for (float& x : features_) x /= 8;
  for (std::size_t i = 0; i < object_class_.size(); ++i) {
    if (object_class_[i] < 0 || object_class_[i] >= classes)
      in.fail("object_class", "names a class without features");
    const std::int32_t* box = object_cells_.data() + 4 * i;
    if (box[0] < 0 || box[1] < 0 || box[2] >= kGrid || box[3] >= kGrid)
      in.fail("object_cells", "leaves the frame");
  }
}

std::vector<float> Seq2SeqEpisodes::frames(int episode) const {
  constexpr std::size_t kFrame = std::size_t{kCells} * kChannels;
  const std::int32_t first = step_offsets_[static_cast<std::size_t>(episode)];
  std::vector<float> all(static_cast<std::size_t>(steps(episode)) * kFrame);
  for (int t = 0; t < steps(episode); ++t) {
    const auto frame = static_cast<std::size_t>(first + t);
    for (std::int32_t i = object_offsets_[frame]; i < object_offsets_[frame + 1]; ++i)
      add_object(i, all.data() + static_cast<std::size_t>(t) * kFrame);
  }
  return all;
}

void Seq2SeqEpisodes::add_object(std::int32_t object, float* frame) const {
  const std::int32_t* box = object_cells_.data() + std::ptrdiff_t{object} * 4;  // x0 y0 x1 y1
  const float* from = features_.data() +
                      std::ptrdiff_t{object_class_[static_cast<std::size_t>(object)]} * kChannels;
  for (int y = box[1]; y <= box[3]; ++y)
    for (int x = box[0]; x <= box[2]; ++x)
      for (int c = 0; c < kChannels; ++c)
        frame[std::ptrdiff_t{y * kGrid + x} * kChannels + c] += from[c];
}

}  // namespace kinglet::tools
