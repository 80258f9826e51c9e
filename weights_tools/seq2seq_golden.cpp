#include "seq2seq_golden.hpp"

#include <algorithm>
#include <string_view>

#include "bert_samples.hpp"
#include "file_error.hpp"
#include "nan.hpp"
#include "seq2seq_samples.hpp"

namespace kinglet::tools {
namespace {

using seq2seq::Config;
using seq2seq::Episode;

std::vector<float> floats(std::int64_t count) {
  return std::vector<float>(static_cast<std::size_t>(count));
}

/// What an episode leaves, [batch][steps][…] each.
struct Record {
  Record(const Config& c, int batch_size, int step_count, int longest)
      : batch(batch_size),
        steps(step_count),
        encoded(floats(std::int64_t{batch} * longest * c.width())),
        context(floats(std::int64_t{batch} * c.width())) {
    const auto each = [&](int n) { return floats(std::int64_t{batch} * steps * n); };
    logits = each(c.actions);
    action.resize(static_cast<std::size_t>(batch) * static_cast<std::size_t>(steps));
    attention = each(longest);
    h = each(c.width());
    cell = each(c.width());
    next = each(c.embedding);
    visual = each(c.frame);
    monitors = each(c.monitors ? 2 : 0);
    masks = each(c.masks ? c.mask_size * c.mask_size : 0);
  }

  int batch, steps;
  std::vector<float> encoded, context, logits, attention, h, cell, next, visual, monitors, masks;
  std::vector<std::int32_t> action;
};

/// Rows of one step of a batch, to where the episodes keep them.
void put(ConstMatrix rows, int t, int steps, std::vector<float>& to) {
  if (rows.data == nullptr || to.empty()) return;
  for (int b = 0; b < rows.rows; ++b)
    std::copy_n(rows.row(b), rows.cols,
                to.begin() + (static_cast<std::ptrdiff_t>(b) * steps + t) * rows.cols);
}

/// The episode step by step, with all that happens on the way.
template <class B>
void play(B& be, const Config& c, const seq2seq::Weights& w, const Episode& in, Record& record) {
  Arena& arena = be.arena();
  const int batch = in.instruction.batch, longest = in.instruction.longest;
  seq2seq::State s = seq2seq::take_state(arena, c, batch, longest);
  const Matrix query = arena.matrix(batch, c.width()), attended = arena.matrix(batch, c.width());
  Probs probs{arena.matrix(batch, longest)};
  const Matrix logits = arena.matrix(batch, c.actions), visual = arena.matrix(batch, c.frame);
  const Matrix monitors = arena.matrix(batch, 2);
  std::vector<float> masks(record.masks.size() / static_cast<std::size_t>(record.steps));
  std::vector<std::int32_t> chosen(static_cast<std::size_t>(batch)), last(chosen.size());
  seq2seq::begin(be, c, w, in.instruction, s);
  if (s.encoded.data != nullptr) {
    put({s.encoded.data, batch, longest * c.width()}, 0, 1, record.encoded);
    put(s.context, 0, 1, record.context);
  }
  for (int t = 0; t < in.steps; ++t) {
    seq2seq::Frames frames = in.frames;
    const std::ptrdiff_t size = frames.size(c);
    frames.ld = in.steps * size;
    if (frames.data != nullptr) frames.data += t * size;
    for (std::size_t b = 0; in.actions != nullptr && t > 0 && b < last.size(); ++b)
      last[b] =
          in.actions[b * static_cast<std::size_t>(in.steps) + static_cast<std::size_t>(t) - 1];
    // The step does not tell where it looks: the same products once more.
    be.linear(w.query, s.h, query);
    be.attention(query, s.encoded, s.encoded, {batch, 1}, {batch, longest}, 1, 1.0f, attended,
                 &probs);
    seq2seq::Output out;
    out.logits = logits.data;
    out.action = chosen.data();
    out.visual = visual.data;
    out.monitors = c.monitors ? monitors.data : nullptr;
    seq2seq::step(be, c, w, s, frames, in.actions != nullptr && t > 0 ? last.data() : nullptr, out);
    if (!masks.empty()) seq2seq::mask(be, c, w, s.cont, masks.data());
    if (s.h.data == nullptr) continue;  // only counting
    put(logits, t, in.steps, record.logits);
    put(probs.sum, t, in.steps, record.attention);
    put(s.h, t, in.steps, record.h);
    put(s.c, t, in.steps, record.cell);
    put(s.action, t, in.steps, record.next);
    put(visual, t, in.steps, record.visual);
    put(monitors, t, in.steps, record.monitors);
    if (!masks.empty())
      put({masks.data(), batch, c.mask_size * c.mask_size}, t, in.steps, record.masks);
    for (std::size_t b = 0; b < chosen.size(); ++b)
      record.action[b * static_cast<std::size_t>(in.steps) + static_cast<std::size_t>(t)] =
          chosen[b];
  }
}

Record played(Seq2SeqSession& session, const Episode& in) {
  session.check(in, {});
  const Config& c = session.config();
  Record record(c, in.instruction.batch, in.steps, in.instruction.longest);
  Count count(session.threads());
  Episode counted = in;
  counted.instruction.words = counted.instruction.lengths = nullptr;
  counted.frames.data = nullptr;
  play(count, c, session.weights(), counted, record);
  session.run(count.scratch_bytes(),
              [&](auto& backend) { play(backend, c, session.weights(), in, record); });
  return record;
}

/// "mask_logits_every_16th_row" and its kind: every so many rows; 0: something else.
int every_rows(std::string_view name) {
  constexpr std::string_view kBegin = "mask_logits_every_", kEnd = "th_row";
  const std::size_t at = name.find(kBegin);
  if (at == std::string_view::npos || name.size() < kEnd.size() ||
      name.substr(name.size() - kEnd.size()) != kEnd)
    return 0;
  const std::string_view digits =
      name.substr(at + kBegin.size(), name.size() - kEnd.size() - at - kBegin.size());
  int every = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9' || every > 999) return 0;
    every = every * 10 + (c - '0');
  }
  return every;
}

/// Rows 0, every, 2·every … of masks, as the golden file's entries of this beginning ask for.
void add_mask_rows(const Checkpoint& golden, const std::string& begin,
                   const std::vector<std::int64_t>& shape, int size,
                   const std::vector<float>& masks, std::vector<Values>& out) {
  for (const Tensor& tensor : golden.tensors) {
    const std::string start = "out." + begin + "mask_logits_every_";
    const int every =
        tensor.name.compare(0, start.size(), start) == 0 ? every_rows(tensor.name) : 0;
    if (every == 0 || masks.empty()) continue;
    Values values{tensor.name, shape, {}, false};
    values.shape.push_back((size + every - 1) / every);
    values.shape.push_back(size);
    for (std::size_t at = 0; at < masks.size(); at += static_cast<std::size_t>(size)) {
      if (static_cast<int>(at / static_cast<std::size_t>(size)) % size % every != 0) continue;
      const auto first = masks.begin() + static_cast<std::ptrdiff_t>(at);
      values.numbers.insert(values.numbers.end(), first, first + size);
    }
    out.push_back(std::move(values));
  }
}

/// Every `stride`-th number from `first` on.
std::vector<float> strided(const std::vector<float>& x, std::size_t first, std::size_t stride) {
  std::vector<float> out;
  for (std::size_t i = first; i < x.size(); i += stride) out.push_back(x[i]);
  return out;
}

/// The last step of each episode.
std::vector<float> last_of(const Record& r, const std::vector<float>& x) {
  std::vector<float> out;
  const std::size_t n = x.size() / static_cast<std::size_t>(r.batch * r.steps);
  for (int b = 1; b <= r.batch; ++b) {
    const auto end = static_cast<std::ptrdiff_t>(n) * b * r.steps;
    out.insert(out.end(), x.begin() + end - static_cast<std::ptrdiff_t>(n), x.begin() + end);
  }
  return out;
}

void add_episode(const Seq2SeqSession& session, const Checkpoint& golden, const std::string& begin,
                 const Record& r, int longest, std::vector<Values>& out) {
  const Config& c = session.config();
  const auto add = [&](const char* name, int width, const std::vector<float>& x) {
    std::vector<std::int64_t> shape = {r.batch, r.steps};
    if (width > 0) shape.push_back(width);
    out.push_back(values_from(begin + name, shape, x));
  };
  add("action_logits", c.actions, r.logits);
  add("attention", longest, r.attention);
  add("h", c.width(), r.h);
  add("c", c.width(), r.cell);
  out.push_back(values_from(begin + "final_h", {r.batch, c.width()}, last_of(r, r.h)));
  out.push_back(values_from(begin + "final_c", {r.batch, c.width()}, last_of(r, r.cell)));
  if (c.monitors) {
    add("subgoal", 0, strided(r.monitors, 0, 2));
    add("progress", 0, strided(r.monitors, 1, 2));
  }
  Values actions{"out." + begin + "actions", {r.batch, r.steps}, {}, true};
  for (const std::int32_t a : r.action)
    actions.numbers.push_back(session.first_actions()[static_cast<std::size_t>(a)]);
  out.push_back(std::move(actions));
  if (!c.masks) return;
  add_mask_rows(golden, begin, {r.batch, r.steps}, c.mask_size, r.masks, out);
  out.push_back(values_from(begin + "mask_logits_last_step", {r.batch, c.mask_size, c.mask_size},
                            last_of(r, r.masks)));
}

/// The same episode in one call, which must give the same bits.
void check_unroll(Seq2SeqSession& session, const Checkpoint& golden, const Episode& in,
                  const Record& stepped) {
  const Config& c = session.config();
  Record whole(c, in.instruction.batch, in.steps, in.instruction.longest);
  seq2seq::EpisodeOutput out;
  out.logits = whole.logits.data();
  out.action = whole.action.data();
  out.visual = whole.visual.data();
  if (c.monitors) out.monitors = whole.monitors.data();
  if (c.masks) out.masks = whole.masks.data();
  session.unroll(in, out);
  if (!same_or_nan(whole.logits, stepped.logits) || whole.action != stepped.action ||
      !same_or_nan(whole.visual, stepped.visual) ||
      !same_or_nan(whole.monitors, stepped.monitors) || !same_or_nan(whole.masks, stepped.masks))
    throw FileError(golden.path, "episode", "differs between single steps and one call");
}

/// The golden's second step after an action that is given by its name.
void add_named_action(Seq2SeqSession& session, const Checkpoint& golden, const Episode& free,
                      std::vector<Values>& out) {
  const std::string name = "step.second_logits_with_prev_action_", begin = "out." + name;
  for (const Tensor& tensor : golden.tensors) {
    if (tensor.name.compare(0, begin.size(), begin) != 0) continue;
    const std::string action = tensor.name.substr(begin.size());
    const int id = seq2seq::id_of(session.file(), seq2seq::kActionsKey, action);
    if (id < 0 || free.steps < 2) continue;
    const std::vector<std::int32_t> done(
        static_cast<std::size_t>(free.instruction.batch * free.steps), id);
    Episode in = free;
    in.actions = done.data();
    const Record r = played(session, in);
    const int n = session.config().actions;
    std::vector<float> second;
    for (int b = 0; b < r.batch; ++b) {
      const auto at = r.logits.begin() + (static_cast<std::ptrdiff_t>(b) * r.steps + 1) * n;
      second.insert(second.end(), at, at + n);
    }
    out.push_back(values_from(name + action, {r.batch, n}, second));
  }
}

/// Gold actions as the model numbers them; false where it lacks one.
bool translate(const Seq2SeqSession& session, std::vector<std::int32_t>& actions) {
  for (std::int32_t& a : actions) a = session.action_of(a);
  return std::find(actions.begin(), actions.end(), -1) == actions.end();
}

/// Masks alone, from what their decoder reads; of any size.
std::vector<Values> mask_golden(Seq2SeqSession& session, const Checkpoint& golden) {
  const Samples in(golden, "in");
  const Status status = seq2seq::check_masks(session.config());
  if (!status.ok()) throw FileError(session.path(), status);
  Config c = session.config();
  c.mask_size = static_cast<int>(in.meta_number("pframe", c.mask_size));
  if (c.mask_size > 4096) throw FileError(golden.path, "metadata", "pframe is out of range");
  const std::int64_t rows = in.length("cont_t");
  if (rows < 1 || rows > 64) in.fail("cont_t", "odd number of rows");
  const std::vector<float> cont = in.numbers<float>("cont_t", rows * c.cont());
  const ConstMatrix x{cont.data(), static_cast<int>(rows), c.cont()};
  std::vector<float> masks = floats(rows * c.mask_size * c.mask_size);
  Count count(session.threads());
  seq2seq::mask(count, c, session.weights(), {nullptr, x.rows, x.cols}, nullptr);
  session.run(count.scratch_bytes(), [&](auto& backend) {
    seq2seq::mask(backend, c, session.weights(), x, masks.data());
  });
  std::vector<Values> out;
  add_mask_rows(golden, "", {rows, 1}, c.mask_size, masks, out);
  return out;
}

}  // namespace

std::vector<Values> run_seq2seq_golden(Seq2SeqSession& session, const Checkpoint& golden) {
  if (golden.find("in.cont_t") != nullptr) return mask_golden(session, golden);
  const Config& c = session.config();
  const Seq2SeqGolden recorded(golden, c);
  const Episode free = recorded.episode();
  const Record chosen = played(session, free);
  check_unroll(session, golden, free, chosen);
  const int batch = recorded.batch(), longest = recorded.longest();
  std::vector<Values> out;
  out.push_back(values_from("lang_encoded", {batch, longest, c.width()}, chosen.encoded));
  out.push_back(values_from("lang_context", {batch, c.width()}, chosen.context));
  out.push_back(values_from("visual_features", {batch, recorded.steps(), c.frame}, chosen.visual));
  add_episode(session, golden, "free.", chosen, longest, out);

  std::vector<std::int32_t> gold = recorded.actions();
  if (translate(session, gold)) {
    Episode forced = free;
    forced.actions = gold.data();
    const Record told = played(session, forced);
    check_unroll(session, golden, forced, told);
    add_episode(session, golden, "forced.", told, longest, out);
  }
  // The published step() is what the free run does.
  out.push_back(
      values_from("step.action_logits", {batch, recorded.steps(), c.actions}, chosen.logits));
  out.push_back(values_from("step.state_h", {batch, c.width()}, last_of(chosen, chosen.h)));
  out.push_back(values_from("step.state_c", {batch, c.width()}, last_of(chosen, chosen.cell)));
  out.push_back(
      values_from("step.next_embedding", {batch, c.embedding}, last_of(chosen, chosen.next)));
  add_named_action(session, golden, free, out);
  return out;
}

std::vector<Values> run_seq2seq_samples(Seq2SeqSession& session, const Checkpoint& samples,
                                        int most) {
  constexpr int kMasks = 16;
  const Config& c = session.config();
  const std::int64_t pixels = std::int64_t{c.mask_size} * c.mask_size;
  Values logits{"out.action_logits", {0, c.actions}, {}, false};
  Values masks{"out.mask_logits", {0, c.mask_size, c.mask_size}, {}, false};
  /// One after the other: an instruction is not to see the padding of another.
  const auto run = [&](const Episode& episode) {
    const int steps = episode.steps;
    std::vector<float> step_logits = floats(std::int64_t{steps} * c.actions), step_masks;
    seq2seq::EpisodeOutput out;
    out.logits = step_logits.data();
    session.unroll(episode, out);
    logits.numbers.insert(logits.numbers.end(), step_logits.begin(), step_logits.end());
    logits.shape[0] += steps;
    if (!c.masks || masks.shape[0] == kMasks) return;
    Episode first = episode;
    first.steps = 1;
    step_masks = floats(pixels);
    out = {};
    out.masks = step_masks.data();
    session.unroll(first, out);
    masks.numbers.insert(masks.numbers.end(), step_masks.begin(), step_masks.end());
    ++masks.shape[0];
  };
  if (Seq2SeqEpisodes::holds(samples)) {
    const Seq2SeqEpisodes episodes(samples);
    const int count = most > 0 ? std::min(most, episodes.count()) : episodes.count();
    for (int e = 0; e < count; ++e) {
      const std::vector<float> frames = episodes.frames(e);
      std::vector<std::int32_t> actions(episodes.actions(e),
                                        episodes.actions(e) + episodes.steps(e));
      if (!translate(session, actions)) continue;
      Episode episode;
      episode.instruction = {1, episodes.words(e), episodes.word_ids(e), nullptr};
      episode.steps = episodes.steps(e);
      episode.frames.form = seq2seq::Frames::Form::pixels;
      episode.frames.data = frames.data();
      episode.actions = actions.data();
      if (episode.steps > 0) run(episode);
    }
  } else {
    const Seq2SeqGolden recorded(samples, c);
    const Episode all = recorded.episode();
    std::vector<std::int32_t> gold = recorded.actions();
    const bool forced = translate(session, gold);
    const int count = most > 0 ? std::min(most, recorded.batch()) : recorded.batch();
    for (int b = 0; b < count; ++b) {
      Episode episode = all;
      episode.instruction.batch = 1;
      episode.instruction.longest = all.instruction.lengths[b];
      episode.instruction.words += static_cast<std::ptrdiff_t>(b) * recorded.longest();
      episode.instruction.lengths = nullptr;
      episode.frames.data += static_cast<std::ptrdiff_t>(b) * all.steps * all.frames.size(c);
      if (forced) episode.actions = gold.data() + static_cast<std::ptrdiff_t>(b) * all.steps;
      run(episode);
    }
  }
  std::vector<Values> out;
  if (!logits.numbers.empty()) out.push_back(std::move(logits));
  if (!masks.numbers.empty()) out.push_back(std::move(masks));
  return out;
}

}  // namespace kinglet::tools
