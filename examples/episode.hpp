#pragma once
// A flat file of observations, read in place. Little-endian 32-bit words:
//
//   "KEP1"  steps  then for each step:
//   task  rotation  horizon  text bytes  detections  history ids
//   text (padded with zeros to whole words)
//   detections × { x1 y1 x2 y2 score (f32)  category }
//   history ids

#include <cstring>
#include <kinglet/models/hitut_agent.hpp>
#include <string_view>

namespace episode {

inline constexpr char kMagic[4] = {'K', 'E', 'P', '1'};

struct Step {
  kinglet::hitut::Observation observation;  ///< all but the words
  std::string_view text;                    ///< goal or instruction
};

class Reader {
 public:
  explicit Reader(kinglet::Bytes bytes) noexcept : bytes_(bytes) {
    std::uint32_t steps = 0;
    valid_ = bytes.size() >= 8 && std::memcmp(bytes.data(), kMagic, 4) == 0;
    at_ = 4;
    if (valid_ && read(steps)) left_ = steps;
  }

  /// False at the end, or where the file breaks off.
  bool next(Step& step) noexcept {
    if (!valid_ || left_ == 0) return false;
    std::uint32_t head[6];
    for (auto& word : head) {
      if (!read(word)) return false;
    }
    using kinglet::hitut::Detection;
    static_assert(sizeof(Detection) == 24, "read in place");
    const auto text = take<char>((std::uint64_t{head[3]} + 3) / 4 * 4);
    const auto detections = take<Detection>(head[4]);
    const auto history = take<std::int32_t>(head[5]);
    if (!valid_ || head[0] > 2) return valid_ = false;
    step.observation = {};
    step.observation.task = static_cast<kinglet::hitut::Task>(head[0]);
    step.observation.rotation = static_cast<int>(head[1]);
    step.observation.horizon = static_cast<int>(head[2]);
    step.observation.detections = {detections, head[4]};
    step.observation.history = {history, head[5]};
    step.text = {text, head[3]};
    --left_;
    return true;
  }

  bool complete() const noexcept { return valid_ && left_ == 0; }

 private:
  bool read(std::uint32_t& word) noexcept {
    const auto* p = take<std::uint32_t>(1);
    if (p != nullptr) word = *p;
    return p != nullptr;
  }

  /// n elements, four-byte aligned in the file; null past its end.
  template <class T>
  const T* take(std::uint64_t n) noexcept {
    if (!valid_ || n > (bytes_.size() - at_) / sizeof(T)) {
      valid_ = false;
      return nullptr;
    }
    const unsigned char* p = bytes_.data() + at_;
    at_ += static_cast<std::size_t>(n) * sizeof(T);
    return reinterpret_cast<const T*>(p);
  }

  kinglet::Bytes bytes_;
  std::size_t at_ = 0;
  std::uint32_t left_ = 0;
  bool valid_ = false;
};

}  // namespace episode
