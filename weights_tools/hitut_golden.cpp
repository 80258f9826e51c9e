#include "hitut_golden.hpp"

#include <algorithm>
#include <cmath>

#include "file_error.hpp"
#include "hitut_samples.hpp"
#include "nan.hpp"

namespace kinglet::tools {
namespace {

using hitut::Task;

Task task_of(const Samples& golden) {
  const std::string wanted = golden.meta("task_type", "");
  for (const auto& [task, name] : kHitutTasks) {
    if (wanted == name) return task;
  }
  throw FileError(golden.path(), "metadata",
                  "task_type " + in_quotes(wanted) + " is not one of HiTUT's");
}

/// Everything one run writes, heads and trace.
class Recorder {
 public:
  Recorder(const hitut::Config& config, Task task, int batch)
      : config_(config), batch_(batch), logits_(config, task, batch) {}

  hitut::Output output() { return logits_.at(0); }
  hitut::Trace trace() {
    return {[](void* self, hitut::Trace::Stage stage, int index, ConstMatrix rows,
               const Packing& packing) {
              static_cast<Recorder*>(self)->seen(stage, index, rows, packing);
            },
            this};
  }

  bool same_heads(const Recorder& other) const {
    const HitutLogits &a = logits_, &b = other.logits_;
    return same_or_nan(a.type, b.type) && same_or_nan(a.arg, b.arg) &&
           same_or_nan(a.mask, b.mask) && same_or_nan(a.monitors, b.monitors);
  }

  const HitutLogits& logits() const { return logits_; }

  void predictions(std::vector<Values>& out) const {
    best(out, "type_pred", logits_.type);
    best(out, "arg_pred", logits_.arg);
    if (!logits_.mask.empty()) best(out, "mask_pred", logits_.mask);
    if (logits_.monitors.empty()) return;
    constexpr const char* kMonitors[] = {"visible", "reached", "progress"};
    for (std::size_t m = 0; m < 3; ++m) {
      Values predicted{std::string("out.navi_pred_") + kMonitors[m], {batch_}, {}, m < 2};
      for (std::size_t b = 0; b < static_cast<std::size_t>(batch_); ++b) {
        const double logit = static_cast<double>(logits_.monitors[3 * b + m]);
        // The published code compares the raw logit with 0.5 for the two flags.
        predicted.numbers.push_back(m < 2 ? (logit > 0.5 ? 1.0 : 0.0)
                                          : 1.0 / (1.0 + std::exp(-logit)));
      }
      out.push_back(predicted);
    }
  }

  void traced(std::vector<Values>& out) const {
    out.insert(out.end(), traced_.begin(), traced_.end());
  }

 private:
  void best(std::vector<Values>& out, const std::string& name,
            const std::vector<float>& logits) const {
    Values best{"out." + name, {batch_}, {}, true};
    const auto each = static_cast<std::ptrdiff_t>(logits.size()) / batch_;
    for (std::ptrdiff_t b = 0; b < batch_; ++b) {
      const auto first = logits.begin() + b * each;
      best.numbers.push_back(static_cast<double>(std::max_element(first, first + each) - first));
    }
    out.push_back(best);
  }

  /// Packed rows back to their positions.
  void seen(hitut::Trace::Stage stage, int index, ConstMatrix rows, const Packing& packing) {
    const bool attention = stage == hitut::Trace::Stage::attention;
    const int width = attention ? config_.seq : rows.cols;
    Values values;
    values.name = attention                              ? "out.last_layer_attention_sum_over_heads"
                  : stage == hitut::Trace::Stage::hidden ? "out.hidden." + std::to_string(index)
                                                         : "out.encoder_input_embeds";
    values.shape = {batch_, config_.seq, width};
    values.numbers.assign(static_cast<std::size_t>(batch_) * static_cast<std::size_t>(config_.seq) *
                              static_cast<std::size_t>(width),
                          0.0);
    for (int b = 0; b < batch_; ++b) {
      for (int r = 0; r < packing.length[b]; ++r) {
        const float* x = rows.row(packing.start[b] + r);
        double* y =
            values.numbers.data() +
            (static_cast<std::ptrdiff_t>(b) * config_.seq + packing.position_of(b, r)) * width;
        const int columns = attention ? packing.live[b] : width;
        for (int j = 0; j < columns; ++j) {
          y[attention ? packing.position_of(b, j) : j] = static_cast<double>(x[j]);
        }
      }
    }
    traced_.push_back(values);
  }

  const hitut::Config& config_;
  int batch_;
  HitutLogits logits_;
  std::vector<Values> traced_;
};

/// `decisions`: one run as an agent would, its logits. `everything`: one more with every row computed, whose heads must
/// not differ in a bit, and all that golden files record.
enum class Wanted { decisions, everything };

template <class Run>
std::vector<Values> record(const Samples& golden, const hitut::Config& config, Task task, int batch,
                           Wanted wanted, Run run, Recorder& packed) {
  std::vector<Values> out;
  run(packed.output(), nullptr);
  packed.logits().add_to(out, "out");
  if (wanted == Wanted::decisions) return out;
  Recorder full(config, task, batch);
  const hitut::Trace trace = full.trace();
  run(full.output(), &trace);
  if (!packed.same_heads(full)) {
    throw FileError(golden.path(), "heads", "differ between a packed and a full run");
  }
  packed.predictions(out);
  full.traced(out);
  return out;
}

std::vector<Values> run_batch(HitutSession& session, const Samples& golden, Wanted wanted,
                              int most) {
  const hitut::Config& c = session.config();
  const Task task = task_of(golden);
  const HitutRows rows(golden, c, task);
  const int batch = most > 0 ? std::min(most, rows.count()) : rows.count();
  const hitut::Input in = rows.slice(0, batch);
  Recorder packed(c, task, batch);
  return record(
      golden, c, task, batch, wanted,
      [&](const hitut::Output& out, const hitut::Trace* trace) { session.forward(in, out, trace); },
      packed);
}

std::vector<hitut::Detection> detections(const Samples& golden, const std::string& boxes,
                                         const std::string& scores, const std::string& classes) {
  const auto ids = golden.numbers<std::int32_t>(classes);
  const auto n = static_cast<std::int64_t>(ids.size());
  const auto xyxy = golden.numbers<float>(boxes, 4 * n);
  const auto score = golden.numbers<float>(scores, n);
  std::vector<hitut::Detection> out;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const float* box = xyxy.data() + 4 * i;
    out.push_back({box[0], box[1], box[2], box[3], score[i], ids[i]});
  }
  return out;
}

void add_top_k(HitutSession& session, int k, const std::string& name,
               const std::vector<float>& logits, std::vector<Values>& out) {
  std::vector<hitut::Choice> choices(logits.size());
  int count = 0;
  const int n = static_cast<int>(logits.size());
  session.run((logits.size() + Arena::kAlignment) * sizeof(float), [&](auto& backend) {
    count = hitut::top_k(backend, logits.data(), n, k, choices.data());
  });
  Values index{"out.topk_index_" + name, {count}, {}, true};
  Values probability{"out.topk_prob_" + name, {count}, {}, false};
  for (int i = 0; i < count; ++i) {
    index.numbers.push_back(choices[static_cast<std::size_t>(i)].index);
    probability.numbers.push_back(
        static_cast<double>(choices[static_cast<std::size_t>(i)].probability));
  }
  out.push_back(index);
  out.push_back(probability);
}

std::vector<Values> run_step(HitutSession& session, const Samples& golden, Wanted wanted) {
  hitut::Config& c = session.config();
  hitut::Observation seen;
  seen.task = task_of(golden);
  c.image_size =
      static_cast<float>(golden.meta_number("image_size", static_cast<double>(c.image_size)));

  const auto words = golden.numbers<std::int32_t>("lang_input");
  seen.words = {words.data(), words.size()};
  std::vector<hitut::Detection> boxes;
  seen.vision_given = golden.number("vision_given") != 0;
  if (seen.vision_given) {
    boxes = detections(golden, "boxes_xyxy_pixels", "box_scores", "box_class_ids");
    seen.detections = {boxes.data(), boxes.size()};
  }
  std::vector<std::int32_t> history;
  if (golden.number("history_given") != 0) {
    history = golden.numbers<std::int32_t>("action_history_ids_raw");
    seen.history = {history.data(), history.size()};
  }
  seen.rotation = golden.number("rotation");
  seen.horizon = golden.number("horizon");
  std::vector<std::vector<hitut::Detection>> past;
  std::vector<Span<const hitut::Detection>> past_views;
  seen.past_given = golden.number("vis_his_given") != 0;
  for (int t = 0; seen.past_given; ++t) {
    const std::string step = "vis_his." + std::to_string(t) + ".";
    if (!golden.has(step + "class_ids")) break;
    past.push_back(
        detections(golden, step + "boxes_xyxy_pixels", step + "scores", step + "class_ids"));
  }
  for (const auto& step : past) past_views.emplace_back(step.data(), step.size());
  seen.past = {past_views.data(), past_views.size()};

  Recorder packed(c, seen.task, 1);
  auto out = record(
      golden, c, seen.task, 1, wanted,
      [&](const hitut::Output& heads, const hitut::Trace* trace) {
        Count count(session.threads());
        const hitut::Trace everything{};
        hitut::Observation largest;
        largest.task = seen.task;
        const Status counted =
            hitut::step(count, c, session.weights(), largest, {}, trace ? &everything : nullptr);
        if (!counted.ok()) throw FileError(golden.path(), counted);
        session.run(count.scratch_bytes(), [&](auto& backend) {
          const Status status = hitut::step(backend, c, session.weights(), seen, heads, trace);
          if (!status.ok()) throw FileError(golden.path(), status);
        });
      },
      packed);
  if (wanted == Wanted::decisions) return out;
  const int k = static_cast<int>(golden.meta_number("topk", 5));
  add_top_k(session, k, "type", packed.logits().type, out);
  add_top_k(session, k, "arg", packed.logits().arg, out);
  if (hitut::has_mask(seen.task)) add_top_k(session, k, "mask", packed.logits().mask, out);
  return out;
}

/// As the file's metadata say.
std::vector<Values> run_recorded(HitutSession& session, const Checkpoint& checkpoint, Wanted wanted,
                                 int most) {
  const Samples golden(checkpoint, "in");
  hitut::Config& config = session.config();
  const hitut::Config kept = config;
  const std::string position =
      golden.meta("pred_head_pos", config.navigation_reads_cls ? "cls" : "sep");
  if (position != "cls" && position != "sep") {
    throw FileError(golden.path(), "metadata",
                    "pred_head_pos " + in_quotes(position) + " is unknown");
  }
  config.navigation_reads_cls = position == "cls";
  const std::string entry = golden.meta("entry", "batch");
  if (entry != "batch" && entry != "step") {
    throw FileError(golden.path(), "metadata", "entry " + in_quotes(entry) + " is unknown");
  }
  auto out = entry == "step" ? run_step(session, golden, wanted)
                             : run_batch(session, golden, wanted, most);
  config = kept;
  return out;
}

}  // namespace

std::vector<Values> run_hitut_golden(HitutSession& session, const Checkpoint& checkpoint) {
  return run_recorded(session, checkpoint, Wanted::everything, 0);
}

std::vector<Values> run_hitut_samples(HitutSession& session, const Checkpoint& samples, int most) {
  constexpr int kBatch = 16;
  std::vector<Values> out;
  for (const auto& [task, name] : kHitutTasks) {
    const Samples of_task(samples, name);
    if (!of_task.has("type_pos")) continue;
    const HitutRows rows(of_task, session.config(), task);
    const int count = most > 0 ? std::min(most, rows.count()) : rows.count();
    HitutLogits logits(session.config(), task, count);
    for (int row = 0; row < count; row += kBatch) {
      session.forward(rows.slice(row, std::min(kBatch, count - row)), logits.at(row));
    }
    logits.add_to(out, name);
  }
  return out.empty() ? run_recorded(session, samples, Wanted::decisions, most) : out;
}

}  // namespace kinglet::tools
