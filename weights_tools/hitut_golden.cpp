#include "hitut_golden.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "file_error.hpp"
#include "half.hpp"

namespace kinglet::tools {
namespace {

using hitut::Task;

/// Typed access to the inputs and metadata of one golden file.
class Golden {
 public:
  explicit Golden(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  const std::string& path() const { return checkpoint_.path; }

  std::string meta(const std::string& key, const std::string& fallback) const {
    for (const auto& [name, value] : checkpoint_.metadata) {
      if (name == key) return value;
    }
    return fallback;
  }

  double meta_number(const std::string& key, double fallback) const {
    const std::string text = meta(key, std::to_string(fallback));
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (end == text.c_str() || *end != 0 || !(value > 0 && value < 1e6)) {
      throw FileError(path(), "metadata", key + " " + quoted(text) + " is not a usable number");
    }
    return value;
  }

  bool has(const std::string& name) const { return checkpoint_.find("in." + name) != nullptr; }

  /// The numbers of in.<name>; `count` of them, or any number if negative.
  template <class T>
  std::vector<T> numbers(const std::string& name, std::int64_t count = -1) const {
    const Tensor* tensor = checkpoint_.find("in." + name);
    if (tensor == nullptr) throw FileError(path(), "in." + name, "the input is missing");
    if (count >= 0 && tensor->count() != count) {
      throw FileError(path(), "in." + name,
                      "holds " + std::to_string(tensor->count()) + " numbers, the model needs " +
                          std::to_string(count));
    }
    const Values values = values_of(path(), *tensor);
    std::vector<T> out;
    out.reserve(values.numbers.size());
    for (const double number : values.numbers) {
      if (!(std::abs(number) <= 2147483647.0)) {
        throw FileError(path(), "in." + name, "holds a number out of range");
      }
      out.push_back(static_cast<T>(number));
    }
    return out;
  }

  std::int32_t number(const std::string& name) const { return numbers<std::int32_t>(name, 1)[0]; }

  std::int64_t length(const std::string& name) const {
    const Tensor* tensor = checkpoint_.find("in." + name);
    if (tensor == nullptr) throw FileError(path(), "in." + name, "the input is missing");
    return tensor->shape.empty() ? 1 : tensor->shape[0];
  }

 private:
  const Checkpoint& checkpoint_;
};

Task task_of(const Golden& golden) {
  const std::string name = golden.meta("task_type", "");
  if (name == "high") return Task::high;
  if (name == "low_mani") return Task::low_mani;
  if (name == "low_navi") return Task::low_navi;
  throw FileError(golden.path(), "metadata",
                  "task_type " + quoted(name) + " is not one of HiTUT's");
}

/// Everything one run writes, heads and trace.
class Recorder {
 public:
  Recorder(const hitut::Config& config, Task task, int batch)
      : config_(config), task_(task), batch_(batch) {
    const auto floats = [&](int each) {
      return std::vector<float>(static_cast<std::size_t>(batch) * static_cast<std::size_t>(each));
    };
    type_ = floats(hitut::type_count(config, task));
    arg_ = floats(config.object_count);
    mask_ = floats(config.vision);
    monitors_ = floats(3);
  }

  hitut::Output output() { return {type_.data(), arg_.data(), mask_.data(), monitors_.data()}; }
  hitut::Trace trace() {
    return {[](void* self, hitut::Trace::Stage stage, int index, ConstMatrix rows,
               const Packing& packing) {
              static_cast<Recorder*>(self)->seen(stage, index, rows, packing);
            },
            this};
  }

  bool same_heads(const Recorder& other) const {
    return type_ == other.type_ && arg_ == other.arg_ && mask_ == other.mask_ &&
           monitors_ == other.monitors_;
  }

  const std::vector<float>& type() const { return type_; }
  const std::vector<float>& arg() const { return arg_; }
  const std::vector<float>& mask() const { return mask_; }

  void heads(std::vector<Values>& out) const {
    add(out, "type_logits", type_);
    add(out, "arg_logits", arg_);
    predictions(out, "type_pred", type_);
    predictions(out, "arg_pred", arg_);
    if (hitut::has_mask(task_)) {
      add(out, "mask_logits", mask_);
      predictions(out, "mask_pred", mask_);
    }
    if (!hitut::has_monitors(config_, task_)) return;
    constexpr const char* kMonitors[] = {"visible", "reached", "progress"};
    for (std::size_t m = 0; m < 3; ++m) {
      Values logits{std::string("out.navi_logit_") + kMonitors[m], {batch_, 1}, {}, false};
      Values predicted{std::string("out.navi_pred_") + kMonitors[m], {batch_}, {}, m < 2};
      for (std::size_t b = 0; b < static_cast<std::size_t>(batch_); ++b) {
        const double logit = monitors_[3 * b + m];
        logits.numbers.push_back(logit);
        // The published code compares the raw logit with 0.5 for the two flags.
        predicted.numbers.push_back(m < 2 ? (logit > 0.5 ? 1.0 : 0.0)
                                          : 1.0 / (1.0 + std::exp(-logit)));
      }
      out.push_back(logits);
      out.push_back(predicted);
    }
  }

  void traced(std::vector<Values>& out) const {
    out.insert(out.end(), traced_.begin(), traced_.end());
  }

 private:
  void add(std::vector<Values>& out, const std::string& name, const std::vector<float>& x) const {
    out.push_back({"out." + name,
                   {batch_, static_cast<std::int64_t>(x.size()) / batch_},
                   {x.begin(), x.end()},
                   false});
  }

  void predictions(std::vector<Values>& out, const std::string& name,
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
  Task task_;
  int batch_;
  std::vector<float> type_, arg_, mask_, monitors_;
  std::vector<Values> traced_;
};

/// Runs once as an agent would and once with everything computed; the heads must not differ in a bit.
template <class Run>
std::vector<Values> record(const Golden& golden, const hitut::Config& config, Task task, int batch,
                           Run run, Recorder& packed) {
  Recorder full(config, task, batch);
  const hitut::Trace trace = full.trace();
  run(packed.output(), nullptr);
  run(full.output(), &trace);
  if (!packed.same_heads(full)) {
    throw FileError(golden.path(), "heads", "differ between a packed and a full run");
  }
  std::vector<Values> out;
  packed.heads(out);
  full.traced(out);
  return out;
}

std::vector<Values> run_batch(HitutSession& session, const Golden& golden) {
  const hitut::Config& c = session.config();
  hitut::Input in;
  in.task = task_of(golden);
  const std::int64_t batch = golden.length("type_pos");
  if (batch < 1 || batch > 4096) throw FileError(golden.path(), "in.type_pos", "odd batch size");
  in.batch = static_cast<int>(batch);

  const auto words = golden.numbers<std::int32_t>("lang_input", batch * c.language);
  const auto vision = golden.numbers<std::int32_t>("vision_cls", batch * c.vision);
  const auto features = golden.numbers<float>("vision_feats", batch * c.vision * hitut::kFeatures);
  const auto history = golden.numbers<std::int32_t>("action_history_input", batch * c.history);
  const auto mask = golden.numbers<std::uint8_t>("seq_mask", batch * c.seq);
  const auto type_position = golden.numbers<std::int32_t>("type_pos", batch);
  const auto arg_position = golden.numbers<std::int32_t>("arg_pos", batch);
  in.words = words.data();
  in.vision = vision.data();
  in.features = features.data();
  in.history = history.data();
  in.mask = mask.data();
  in.type_position = type_position.data();
  in.arg_position = arg_position.data();

  std::vector<std::int32_t> rotation, horizon, past;
  std::vector<float> past_features;
  if (in.task == Task::low_navi && golden.has("rotation") && golden.has("horizon")) {
    rotation = golden.numbers<std::int32_t>("rotation", batch);
    horizon = golden.numbers<std::int32_t>("horizon", batch);
    in.rotation = rotation.data();
    in.horizon = horizon.data();
  }
  if (c.past_vision && golden.has("his_vis_cls")) {
    const std::int64_t slots = batch * hitut::past_steps(c) * hitut::kPastSlots;
    past = golden.numbers<std::int32_t>("his_vis_cls", slots);
    past_features = golden.numbers<float>("his_vis_feat", slots * hitut::kFeatures);
    in.past = past.data();
    in.past_features = past_features.data();
  }
  Recorder packed(c, in.task, in.batch);
  return record(
      golden, c, in.task, in.batch,
      [&](const hitut::Output& out, const hitut::Trace* trace) { session.forward(in, out, trace); },
      packed);
}

std::vector<hitut::Detection> detections(const Golden& golden, const std::string& boxes,
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

std::vector<Values> run_step(HitutSession& session, const Golden& golden) {
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
      golden, c, seen.task, 1,
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
  const int k = static_cast<int>(golden.meta_number("topk", 5));
  add_top_k(session, k, "type", packed.type(), out);
  add_top_k(session, k, "arg", packed.arg(), out);
  if (hitut::has_mask(seen.task)) add_top_k(session, k, "mask", packed.mask(), out);
  return out;
}

}  // namespace

Values values_of(const std::string& path, const Tensor& tensor) {
  Values values{tensor.name, tensor.shape, {}, true};
  std::vector<unsigned char> bytes(tensor.nbytes());
  if (size_of(tensor.dtype) == 0) {
    throw FileError(path, tensor.name,
                    "holds " + tensor.dtype_name + ", which is not a number type");
  }
  copy_dense(tensor, bytes.data());
  const auto n = static_cast<std::size_t>(tensor.count());
  values.numbers.reserve(n);
  const auto read = [&](auto zero, auto convert) {
    for (std::size_t i = 0; i < n; ++i) {
      auto element = zero;
      std::memcpy(&element, bytes.data() + i * sizeof element, sizeof element);
      values.numbers.push_back(static_cast<double>(convert(element)));
    }
  };
  const auto same = [](auto x) { return x; };
  switch (tensor.dtype) {
    case DType::f32: read(float{}, same); break;
    case DType::f64: read(double{}, same); break;
    case DType::f16: read(std::uint16_t{}, half_to_float); break;
    case DType::bf16: read(std::uint16_t{}, bfloat16_to_float); break;
    case DType::s8: read(std::int8_t{}, same); break;
    case DType::s16: read(std::int16_t{}, same); break;
    case DType::s32: read(std::int32_t{}, same); break;
    case DType::s64: read(std::int64_t{}, same); break;
    case DType::u8:
    case DType::boolean: read(std::uint8_t{}, same); break;
    case DType::other: break;
  }
  values.integer = tensor.dtype != DType::f32 && tensor.dtype != DType::f64 &&
                   tensor.dtype != DType::f16 && tensor.dtype != DType::bf16;
  return values;
}

std::vector<Values> run_hitut_golden(HitutSession& session, const Checkpoint& checkpoint) {
  const Golden golden(checkpoint);
  hitut::Config& config = session.config();
  const hitut::Config kept = config;
  const std::string position =
      golden.meta("pred_head_pos", config.navigation_reads_cls ? "cls" : "sep");
  if (position != "cls" && position != "sep") {
    throw FileError(golden.path(), "metadata", "pred_head_pos " + quoted(position) + " is unknown");
  }
  config.navigation_reads_cls = position == "cls";
  const std::string entry = golden.meta("entry", "batch");
  if (entry != "batch" && entry != "step") {
    throw FileError(golden.path(), "metadata", "entry " + quoted(entry) + " is unknown");
  }
  auto out = entry == "step" ? run_step(session, golden) : run_batch(session, golden);
  config = kept;
  return out;
}

}  // namespace kinglet::tools
