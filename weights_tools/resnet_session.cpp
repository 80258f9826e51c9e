#include "resnet_session.hpp"

#include <algorithm>

#include "file_error.hpp"

namespace kinglet::tools {
namespace {

/// Pictures of a sample file, channel by channel as PyTorch has them.
class Pictures {
 public:
  explicit Pictures(const Checkpoint& checkpoint) {
    const Samples samples(checkpoint, "in");
    const std::vector<std::int64_t>& shape = samples.shape("images_u8");
    constexpr std::int64_t kMost = resnet::kMostSide;
    const bool fits = shape.size() == 4 && shape[0] >= 1 && shape[1] == resnet::kRgb &&
                      shape[2] >= 1 && shape[2] <= kMost && shape[3] >= 1 && shape[3] <= kMost &&
                      shape[0] <= (1 << 28) / (shape[2] * shape[3]);
    if (!fits) samples.fail("images_u8", "is not [images, 3, height, width]");
    count = static_cast<int>(shape[0]);
    height = static_cast<int>(shape[2]);
    width = static_cast<int>(shape[3]);
    bytes_ = samples.numbers<std::int32_t>("images_u8");
  }

  /// Images first … first + to.count − 1.
  void copy(int first, const Image& to) const {
    for (int i = 0; i < to.count; ++i) {
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          for (int c = 0; c < resnet::kRgb; ++c) {
            const std::ptrdiff_t plane = std::ptrdiff_t{first + i} * resnet::kRgb + c;
            const auto at = static_cast<std::size_t>((plane * height + y) * width + x);
            to.view().at(y, x)[i * to.size() + c] = static_cast<float>(bytes_[at]) / 64.0f - 2.0f;
          }
        }
      }
    }
  }

  int count = 0, height = 0, width = 0;

 private:
  std::vector<std::int32_t> bytes_;
};

/// What the trace shows, as PyTorch would give it.
struct Recorder {
  std::vector<Values> values;

  static void show(void* context, resnet::Trace::Stage stage, int number, const Image& x) {
    const std::string name = stage == resnet::Trace::Stage::pooled ? "stage.maxpool"
                             : stage == resnet::Trace::Stage::stage
                                 ? "stage.layer" + std::to_string(number + 1)
                                 : "stage.avgpool";
    std::vector<float> planes;
    for (int i = 0; i < x.count; ++i) {
      for (int c = 0; c < x.channels; ++c) {
        for (int y = 0; y < x.height; ++y) {
          for (int u = 0; u < x.width; ++u) planes.push_back(x.view().at(y, u)[i * x.size() + c]);
        }
      }
    }
    static_cast<Recorder*>(context)->values.push_back(
        values_from(name.c_str(), {x.count, x.channels, x.height, x.width}, planes));
  }
};

}  // namespace

ResnetSession::ResnetSession(const ModelBytes& source, const std::string& isa, int threads)
    : ModelSession(source, isa, threads), weights_(std::make_unique<resnet::Weights>()) {
  const Result<resnet::Config> config = resnet::read_config(file());
  need(config.status());
  config_ = *config;
  need(resnet::bind(file(), config_, *weights_));
}

Plan ResnetSession::plan(int images, int height, int width, unsigned wanted,
                         const resnet::Trace* trace) const {
  Count count(threads());
  const Image x = resnet::take_input(count.arena(), images, height, width);
  resnet::forward(count, config_, *weights_, {x, wanted}, {}, trace);
  return plan_of(count);
}

std::vector<Values> ResnetSession::run_golden(const Checkpoint& golden) {
  const Pictures pictures(golden);
  const unsigned wanted = resnet::outputs_of(config_);
  Recorder recorder;
  const resnet::Trace trace{Recorder::show, &recorder};
  const int n = pictures.count;
  std::vector<float> logits(static_cast<std::size_t>(n) *
                            static_cast<std::size_t>(config_.classes));
  std::vector<float> features(static_cast<std::size_t>(n) *
                              static_cast<std::size_t>(resnet::features_of(pictures.height)) *
                              static_cast<std::size_t>(resnet::features_of(pictures.width)) *
                              static_cast<std::size_t>(config_.features()));
  const Plan needed = plan(n, pictures.height, pictures.width, wanted, &trace);
  run(needed.scratch_bytes, [&](auto& backend) {
    const Image x = resnet::take_input(backend.arena(), n, pictures.height, pictures.width);
    pictures.copy(0, x);
    const resnet::Input in{x, wanted};
    need(resnet::check(config_, in));
    resnet::forward(backend, config_, *weights_, in, {features.data(), logits.data()}, &trace);
  });
  std::vector<Values> out = std::move(recorder.values);
  if (!logits.empty()) out.push_back(values_from("logits", {n, config_.classes}, logits));
  return out;
}

std::vector<Values> ResnetSession::run_samples(const Checkpoint& samples, int rows) {
  const Pictures pictures(samples);
  const bool classes = config_.classes > 0;
  const unsigned wanted = classes ? resnet::kLogits : resnet::kFeatures;
  const int count = rows > 0 ? std::min(rows, pictures.count) : pictures.count;
  const int h = resnet::features_of(pictures.height), w = resnet::features_of(pictures.width);
  const int each = classes ? config_.classes : h * w * config_.features();
  std::vector<float> results(static_cast<std::size_t>(count) * static_cast<std::size_t>(each));
  const Plan needed = plan(1, pictures.height, pictures.width, wanted);
  for (int i = 0; i < count; ++i) {
    float* const to = results.data() + std::ptrdiff_t{i} * each;
    run(needed.scratch_bytes, [&](auto& backend) {
      const Image x = resnet::take_input(backend.arena(), 1, pictures.height, pictures.width);
      pictures.copy(i, x);
      const resnet::Input in{x, wanted};
      need(resnet::check(config_, in));
      resnet::forward(backend, config_, *weights_, in, {to, to});
    });
  }
  if (classes) return {values_from("logits", {count, each}, results)};
  return {values_from("features", {count, h, w, config_.features()}, results)};
}

std::vector<NamedPlan> ResnetSession::plans(int batch, int live, bool every_row) const {
  const int side = live > 0 ? live : positions();
  const resnet::Trace everything{[](void*, resnet::Trace::Stage, int, const Image&) {}, nullptr};
  std::vector<NamedPlan> all;
  const auto add = [&](const char* name, unsigned wanted) {
    if ((resnet::outputs_of(config_) & wanted) != 0)
      all.push_back({name, plan(batch, side, side, wanted, every_row ? &everything : nullptr)});
  };
  add("features", resnet::kFeatures);
  add("logits", resnet::kLogits);
  return all;
}

}  // namespace kinglet::tools
