#include "hitut_samples.hpp"

namespace kinglet::tools {

HitutRows::HitutRows(const Samples& from, const hitut::Config& config, hitut::Task task)
    : config_(config), task_(task) {
  const hitut::Config& c = config;
  const std::int64_t rows = from.length("type_pos");
  if (rows < 1 || rows > (1 << 20)) from.fail("type_pos", "odd number of rows");
  count_ = static_cast<int>(rows);
  words_ = from.numbers<std::int32_t>("lang_input", rows * c.language);
  vision_ = from.numbers<std::int32_t>("vision_cls", rows * c.vision);
  features_ = from.numbers<float>("vision_feats", rows * c.vision * hitut::kFeatures);
  history_ = from.numbers<std::int32_t>("action_history_input", rows * c.history);
  mask_ = from.numbers<std::uint8_t>("seq_mask", rows * c.seq);
  type_position_ = from.numbers<std::int32_t>("type_pos", rows);
  arg_position_ = from.numbers<std::int32_t>("arg_pos", rows);
  if (task == hitut::Task::low_navi && from.has("rotation") && from.has("horizon")) {
    rotation_ = from.numbers<std::int32_t>("rotation", rows);
    horizon_ = from.numbers<std::int32_t>("horizon", rows);
  }
  if (c.past_vision && from.has("his_vis_cls")) {
    const std::int64_t slots = rows * hitut::past_steps(c) * hitut::kPastSlots;
    past_ = from.numbers<std::int32_t>("his_vis_cls", slots);
    past_features_ = from.numbers<float>("his_vis_feat", slots * hitut::kFeatures);
  }
}

hitut::Input HitutRows::slice(int first, int count) const {
  const hitut::Config& c = config_;
  const auto at = [first](const auto& all, int each) {
    return all.empty() ? nullptr : all.data() + static_cast<std::ptrdiff_t>(first) * each;
  };
  const int slots = hitut::past_steps(c) * hitut::kPastSlots;
  hitut::Input in;
  in.task = task_;
  in.batch = count;
  in.words = at(words_, c.language);
  in.vision = at(vision_, c.vision);
  in.features = at(features_, c.vision * hitut::kFeatures);
  in.history = at(history_, c.history);
  in.mask = at(mask_, c.seq);
  in.type_position = at(type_position_, 1);
  in.arg_position = at(arg_position_, 1);
  in.rotation = at(rotation_, 1);
  in.horizon = at(horizon_, 1);
  in.past = at(past_, slots);
  in.past_features = at(past_features_, slots * hitut::kFeatures);
  return in;
}

HitutLogits::HitutLogits(const hitut::Config& config, hitut::Task task, int n) : rows(n) {
  const auto floats = [&](int each) {
    return std::vector<float>(static_cast<std::size_t>(n) * static_cast<std::size_t>(each));
  };
  type = floats(hitut::type_count(config, task));
  arg = floats(config.object_count);
  if (hitut::has_mask(task)) mask = floats(config.vision);
  if (hitut::has_monitors(config, task)) monitors = floats(3);
}

hitut::Output HitutLogits::at(int row) {
  const auto part = [&](std::vector<float>& all) {
    return all.data() + all.size() / static_cast<std::size_t>(rows) * static_cast<std::size_t>(row);
  };
  return {part(type), part(arg), part(mask), part(monitors)};
}

void HitutLogits::add_to(std::vector<Values>& out, const std::string& group) const {
  const auto add = [&](const char* name, const std::vector<float>& x) {
    if (x.empty()) return;
    out.push_back({group + "." + name,
                   {rows, static_cast<std::int64_t>(x.size()) / rows},
                   {x.begin(), x.end()},
                   false});
  };
  add("type_logits", type);
  add("arg_logits", arg);
  add("mask_logits", mask);
  constexpr const char* kMonitors[] = {"visible", "reached", "progress"};
  for (std::size_t m = 0; m < 3 && !monitors.empty(); ++m) {
    Values logits{group + ".navi_logit_" + kMonitors[m], {rows, 1}, {}, false};
    for (std::size_t i = m; i < monitors.size(); i += 3)
      logits.numbers.push_back(static_cast<double>(monitors[i]));
    out.push_back(logits);
  }
}

}  // namespace kinglet::tools
