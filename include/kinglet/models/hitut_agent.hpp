#pragma once
// HiTUT in an agent's loop: an observation in, the most probable actions, objects and detections
// out.

#include <cstdint>
#include <kinglet/backend/count.hpp>
#include <kinglet/blocks/largest.hpp>
#include <kinglet/models/hitut.hpp>
#include <string_view>

namespace kinglet::hitut {

struct Detection {
  float x1, y1, x2, y2;  ///< pixels of a square image of Config::image_size
  float score;
  std::int32_t category;  ///< id in the action vocabulary
};

/// What the agent knows when it decides. Detections best first; what exceeds the model's sizes is cut as in the
/// published code: the first detections and words, the last of the history, are kept.
struct Observation {
  Task task = Task::high;
  Span<const std::int32_t> words;
  bool vision_given = true;
  Span<const Detection> detections;
  Span<const std::int32_t>
      history;  ///< type, argument, type, argument …: ids in the action vocabulary, oldest first
  int rotation = 0, horizon = 0;  ///< navigation only: 0..3 and 0..11
  bool past_given = false;
  Span<const Span<const Detection>> past;  ///< what was seen at each past step, oldest first
};

namespace detail {

inline void write_features(const Config& c, const Detection& seen, float* f) noexcept {
  f[0] = seen.x1 / c.image_size;
  f[1] = seen.y1 / c.image_size;
  f[2] = seen.x2 / c.image_size;
  f[3] = seen.y2 / c.image_size;
  f[4] = f[2] - f[0];
  f[5] = f[3] - f[1];
  f[6] = seen.score;
}

template <class T>
T* take_zeroed(Arena& arena, int n) noexcept {
  T* p = arena.take<T>(static_cast<std::size_t>(n));
  for (int i = 0; p != nullptr && i < n; ++i) p[i] = T{};
  return p;
}

}  // namespace detail

/// The prepared tensors of one observation, in memory of the arena; null pointers when that only counts.
inline Input prepare(Arena& arena, const Config& c, const Observation& seen) noexcept {
  const auto at_most = [](std::size_t n, int most) {
    return n < static_cast<std::size_t>(most) ? static_cast<int>(n) : most;
  };
  const int steps = past_steps(c);
  const bool past = c.past_vision && seen.task == Task::low_navi;
  auto* words = detail::take_zeroed<std::int32_t>(arena, c.language);
  auto* vision = detail::take_zeroed<std::int32_t>(arena, c.vision);
  auto* features = detail::take_zeroed<float>(arena, c.vision * kFeatures);
  auto* history = detail::take_zeroed<std::int32_t>(arena, c.history);
  auto* mask = detail::take_zeroed<std::uint8_t>(arena, c.seq);
  auto* past_ids = past ? detail::take_zeroed<std::int32_t>(arena, steps * kPastSlots) : nullptr;
  auto* past_features =
      past ? detail::take_zeroed<float>(arena, steps * kPastSlots * kFeatures) : nullptr;
  auto* numbers = detail::take_zeroed<std::int32_t>(arena, 4);
  Input in;
  in.task = seen.task;
  if (numbers == nullptr) return in;

  const int word_count = at_most(seen.words.size(), c.language);
  for (int i = 0; i < word_count; ++i) words[i] = seen.words[static_cast<std::size_t>(i)];

  const int detection_count = at_most(seen.detections.size(), c.vision - 1);
  constexpr std::int32_t kNoObject = 1;  // slot 0: "no object, cannot ground"
  if (seen.vision_given) vision[0] = kNoObject;
  for (int i = 0; i < detection_count; ++i) {
    const Detection& d = seen.detections[static_cast<std::size_t>(i)];
    vision[1 + i] = d.category;
    detail::write_features(c, d, features + (1 + i) * kFeatures);
  }

  const int kept = at_most(seen.history.size(), c.history);
  for (int i = 0; i < kept; ++i) {
    history[i] = seen.history[seen.history.size() - static_cast<std::size_t>(kept - i)];
  }

  const int past_count = at_most(seen.past.size(), steps);
  for (int t = 0; past && t < past_count; ++t) {
    const auto& step = seen.past[seen.past.size() - static_cast<std::size_t>(past_count - t)];
    const int slots = at_most(step.size(), kPastSlots);
    for (int s = 0; s < slots; ++s) {
      const Detection& d = step[static_cast<std::size_t>(s)];
      past_ids[t * kPastSlots + s] = d.category;
      detail::write_features(c, d, past_features + (t * kPastSlots + s) * kFeatures);
    }
  }

  std::uint8_t* m = mask;
  *m++ = 1;
  for (int i = 0; i < c.vision; ++i) *m++ = vision[i] != 0;
  for (int i = 0; i < c.language; ++i) *m++ = words[i] != 0;
  for (int i = 0; i < c.history; ++i) *m++ = history[i] != 0;
  for (int i = 0; i < c.seq; ++i) {
    if (mask[i] != 0) numbers[0] = i;
  }
  numbers[1] = numbers[0] - 1;
  numbers[2] = seen.rotation;
  numbers[3] = seen.horizon;

  in.words = words;
  in.vision = seen.vision_given ? vision : nullptr;
  in.features = seen.vision_given ? features : nullptr;
  in.history = history;
  in.mask = mask;
  in.arg_position = numbers;
  in.type_position = numbers + 1;
  if (seen.task == Task::low_navi) {
    in.rotation = numbers + 2;
    in.horizon = numbers + 3;
  }
  if (past && seen.past_given) {
    in.past = past_ids;
    in.past_features = past_features;
  }
  return in;
}

/// One decision. With a Count backend it counts the largest observation of that task.
template <class B>
Status step(B& be, const Config& c, const Weights& w, const Observation& seen, const Output& out,
            const Trace* trace = nullptr) noexcept {
  ArenaScope scope(be.arena());
  const Input in = prepare(be.arena(), c, seen);
  const bool counting = in.words == nullptr;
  if (!counting) {
    const Status status = check(c, in);
    if (!status.ok()) return status;
  }
  forward(be, c, w, in, out, trace);
  return {};
}

struct Choice {
  int index;
  float probability;
};

/// The k most probable classes of softmax(logits), best first, equal ones by number; gives how many
/// were written: none where a logit is NaN or +infinity, and none where the arena has no room. Null
/// logits are only counted.
template <class B>
int top_k(B& be, const float* logits, int n, int k, Choice* out) noexcept {
  ArenaScope scope(be.arena());
  const Matrix p = be.arena().matrix(1, n);
  if (logits != nullptr && p.data == nullptr) return 0;
  be.softmax(ConstMatrix{logits, 1, n}, p);
  if (logits == nullptr) return 0;
  const int count = k < n ? k : n;
  for (int i = 0; i < count; ++i) {
    const int best = largest(p.data, n);
    if (!(p.data[best] >= 0)) return i;
    out[i] = {best, p.data[best]};
    p.data[best] = -1;
  }
  return count;
}

/// Scratch for the largest decision of any task, and for top_k of what it gives.
inline std::size_t step_bytes(const Config& c, const Weights& w, int threads = 1) noexcept {
  Count choosing(threads);
  for (const int n : {c.high_count, c.low_count, c.object_count, c.vision}) {
    top_k(choosing, nullptr, n, 1, nullptr);
  }
  std::size_t most = choosing.scratch_bytes();
  for (const Task task : {Task::high, Task::low_mani, Task::low_navi}) {
    Count count(threads);
    Observation seen;
    seen.task = task;
    if (step(count, c, w, seen, {}).ok() && count.scratch_bytes() > most) {
      most = count.scratch_bytes();
    }
  }
  return most;
}

/// Names of the classes, straight from the file; empty where it has none.
class Names {
 public:
  explicit Names(const ModelFile& file) noexcept : file_(file) {}

  std::string_view type(Task task, int index) const noexcept {
    return name(task == Task::high ? "hitut.high_actions" : "hitut.low_actions", index);
  }
  std::string_view object(int index) const noexcept { return name("hitut.objects", index); }

 private:
  std::string_view name(std::string_view list, int index) const noexcept {
    const auto ids = file_.array(list);
    const auto names = file_.array("hitut.action_names");
    if (!ids.ok() || !names.ok()) return {};
    const Result<std::uint64_t> id = ids->number(static_cast<std::uint64_t>(index));
    return id.ok() ? names->string(*id).value_or({}) : std::string_view{};
  }

  const ModelFile& file_;
};

}  // namespace kinglet::hitut
