// ResNets made up for the test, of sizes that no checkpoint has, against the network in double with
// its batch norms as they are.

#include <doctest/doctest.h>

#include <cmath>
#include <dispatch/dispatch.hpp>
#include <map>

#include "convert_resnet.hpp"
#include "int8_variants.hpp"
#include "nan.hpp"
#include "reference/image.hpp"
#include "resnet_session.hpp"

using namespace kinglet;
using reference::Convolution;

namespace {

std::uint32_t next(std::uint32_t& state) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

/// Whatever is required is there, made up.
class MadeUpWeights : public tools::WeightSource {
 public:
  void require(const std::string& name, const tools::Shape& shape) override {
    std::size_t count = 1, inputs = 1;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      count *= static_cast<std::size_t>(shape[i]);
      if (i > 0) inputs *= static_cast<std::size_t>(shape[i]);
    }
    std::vector<float>& values = values_[name];
    if (!values.empty()) return;
    const bool scale = shape.size() == 1 && name.find("bias") == std::string::npos &&
                       name.find("mean") == std::string::npos;
    const float size = 2.0f / std::sqrt(static_cast<float>(inputs));
    for (std::size_t i = 0; i < count; ++i) {
      const float x = static_cast<float>(next(state_) % 2048) / 1024.0f - 1.0f;
      values.push_back(scale ? 1.0f + 0.5f * x : size * x);
    }
    rows_[name] = count / static_cast<std::size_t>(shape[0]);
  }
  void load(const std::string& name, std::int64_t first, std::int64_t count, float* out) override {
    const auto row = static_cast<std::int64_t>(rows_.at(name));
    const float* const from = values_.at(name).data() + first * row;
    std::copy(from, from + count * row, out);
  }
  const std::vector<float>& of(const std::string& name) const { return values_.at(name); }

 private:
  std::uint32_t state_ = 7;
  std::map<std::string, std::vector<float>> values_;
  std::map<std::string, std::size_t> rows_;
};

struct Net {
  tools::ResnetModel model;
  MadeUpWeights weights;
  tools::MemorySink sink{"resnet.gguf"};

  Net(int planes, std::array<int, resnet::kStages> blocks, int classes) {
    model.planes = planes;
    model.blocks = blocks;
    model.classes = classes;
    const tools::TensorPlan plan = tools::plan_resnet(model, weights);
    tools::write_resnet(sink, model, plan, {});
  }
  tools::ModelBytes bytes() const { return {sink.bytes(), "resnet.gguf"}; }

  reference::Image convolved(const reference::Image& x, const std::string& conv,
                             const std::string& norm, const Convolution& c) const {
    const std::vector<float>& w = weights.of(conv + ".weight");  // [n][in][ky][kx]
    const int n = static_cast<int>(weights.of(norm + ".weight").size());
    const int places = c.kernel_h * c.kernel_w;
    std::vector<float> rows(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) {
      const int place = static_cast<int>(i) % places, plane = static_cast<int>(i) / places;
      const int in = plane % x.channels, out = plane / x.channels;
      rows[static_cast<std::size_t>((out * places + place) * x.channels + in)] = w[i];
    }
    reference::Image y = reference::convolve(x, c, n, rows.data()).y;
    for (std::size_t i = 0; i < y.values.size(); ++i) {
      const std::size_t at = i % static_cast<std::size_t>(n);
      const auto of = [&](const char* part) {
        return static_cast<double>(weights.of(norm + part)[at]);
      };
      y.values[i] = (y.values[i] - of(".running_mean")) / std::sqrt(of(".running_var") + 1e-5) *
                        of(".weight") +
                    of(".bias");
    }
    return y;
  }

  /// Features, then logits.
  std::vector<double> run(const reference::Image& image) const {
    const auto relu = [](reference::Image& x) {
      for (double& v : x.values) v = std::max(v, 0.0);
    };
    reference::Image x = convolved(image, "conv1", "bn1", {7, 7, 2, 3});
    relu(x);
    x = reference::max_pool(x, 3, 2, 1, (x.height + 1) / 2, (x.width + 1) / 2);
    for (int s = 0; s < resnet::kStages; ++s) {
      for (int b = 0; b < model.blocks[static_cast<std::size_t>(s)]; ++b) {
        const std::string at = "layer" + std::to_string(s + 1) + "." + std::to_string(b) + ".";
        const bool halves = s > 0 && b == 0;
        reference::Image inner = convolved(x, at + "conv1", at + "bn1", {3, 3, halves ? 2 : 1, 1});
        relu(inner);
        reference::Image y = convolved(inner, at + "conv2", at + "bn2", {3, 3, 1, 1});
        if (halves) x = convolved(x, at + "downsample.0", at + "downsample.1", {1, 1, 2});
        for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] += x.values[i];
        relu(y);
        x = y;
      }
    }
    std::vector<double> out = x.values;
    const std::vector<double> mean = reference::average_pool(x);
    for (int j = 0; j < model.classes; ++j) {
      double sum = static_cast<double>(weights.of("fc.bias")[static_cast<std::size_t>(j)]);
      for (std::size_t i = 0; i < mean.size(); ++i)
        sum += mean[i] * static_cast<double>(weights.of(
                             "fc.weight")[static_cast<std::size_t>(j) * mean.size() + i]);
      out.push_back(sum);
    }
    return out;
  }
};

/// Pictures between −2 and 2; picture i is the same in every batch.
void fill(const Image& x, int first) {
  for (int i = 0; i < x.count; ++i) {
    std::uint32_t state = static_cast<std::uint32_t>(first + i + 1);
    for (int y = 0; y < x.height; ++y) {
      for (int u = 0; u < x.width; ++u) {
        for (int c = 0; c < x.channels; ++c) {
          x.view().at(y, u)[i * x.size() + c] =
              static_cast<float>(next(state) % 256) / 64.0f - 2.0f;
        }
      }
    }
  }
}

/// Features and logits of each of the pictures from `first` on, in exactly the scratch that was planned.
std::vector<std::vector<float>> run(tools::ResnetSession& session, int first, int images,
                                    int height, int width) {
  const unsigned wanted = resnet::outputs_of(session.config());
  const int places = resnet::features_of(height) * resnet::features_of(width);
  const auto each = static_cast<std::size_t>(places * session.config().features());
  const auto classes = static_cast<std::size_t>(session.config().classes);
  const auto count = static_cast<std::size_t>(images);
  std::vector<float> features(count * each), logits(count * classes);
  const auto planned = session.plan(images, height, width, wanted).scratch_bytes;
  const auto used = session.run(planned, [&](auto& be) {
    const Image x = resnet::take_input(be.arena(), images, height, width);
    fill(x, first);
    resnet::forward(be, session.config(), session.weights(), {x, wanted},
                    {features.data(), logits.data()});
  });
  CHECK(used == planned);
  std::vector<std::vector<float>> out;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<float>& all =
        out.emplace_back(features.begin() + static_cast<std::ptrdiff_t>(i * each),
                         features.begin() + static_cast<std::ptrdiff_t>((i + 1) * each));
    all.insert(all.end(), logits.begin() + static_cast<std::ptrdiff_t>(i * classes),
               logits.begin() + static_cast<std::ptrdiff_t>((i + 1) * classes));
  }
  return out;
}

}  // namespace

TEST_CASE("a ResNet of any planes, blocks and image size gives what the unfolded network gives") {
  struct Case {
    int planes;
    std::array<int, resnet::kStages> blocks;
    int classes, height, width;
  };
  for (const Case& c : {Case{5, {1, 2, 1, 3}, 7, 37, 52}, Case{16, {2, 1, 1, 1}, 0, 1, 1},
                        Case{3, {2, 2, 2, 2}, 4, 65, 31}}) {
    CAPTURE(c.planes);
    const Net net(c.planes, c.blocks, c.classes);
    constexpr int kImages = 3;
    std::vector<std::vector<double>> expected;
    for (int i = 0; i < kImages; ++i) {
      std::vector<float> memory(static_cast<std::size_t>(c.height * c.width * resnet::kRgb));
      fill({memory.data(), 1, c.height, c.width, resnet::kRgb, 0}, i);
      expected.push_back(net.run({c.height, c.width, resnet::kRgb, memory}));
    }
    std::vector<std::vector<float>> first;
    for (int isa = 0; isa < kernels::count(); ++isa) {
      const std::string name = kernels::at(isa).isa;
      CAPTURE(name);
      tools::ResnetSession session(net.bytes(), name), threads(net.bytes(), name, 3);
      const auto batch = run(session, 0, kImages, c.height, c.width);
      CHECK(run(threads, 0, kImages, c.height, c.width) == batch);
      for (int i = 0; i < kImages; ++i) {
        const auto at = static_cast<std::size_t>(i);
        CHECK(run(session, i, 1, c.height, c.width)[0] == batch[at]);
        REQUIRE(batch[at].size() == expected[at].size());
        double peak = 1, worst = 0;
        for (std::size_t j = 0; j < batch[at].size(); ++j) {
          peak = std::max(peak, std::fabs(expected[at][j]));
          worst = tools::max_or_nan(worst,
                                    std::fabs(static_cast<double>(batch[at][j]) - expected[at][j]));
        }
        CHECK(worst <= 1e-5 * peak);
      }
      if (name == "sse4_2") continue;
      if (first.empty()) first = batch;
      CHECK(batch == first);
    }
  }
}

TEST_CASE("a ResNet in int8 sees what it saw, on every instruction set alike") {
  for (const int planes : {5, 16}) {  // 5: only the classes can be int8
    const Net net(planes, {1, 2, 1, 1}, 70);
    const tools::Int8Variants variants(tools::ModelEdit(net.sink.bytes(), "resnet.gguf"));
    CHECK((variants.weights().size() > 1) == (planes == 16));
    tools::MemorySink sink("resnet_int8.gguf");
    variants.model(variants.all_int8()).write(sink);
    const tools::ModelBytes bytes(sink.bytes(), "resnet_int8.gguf");
    tools::ResnetSession f32(net.bytes());
    const auto expected = run(f32, 0, 2, 61, 75);
    std::vector<std::vector<float>> first;
    for (int isa = 0; isa < kernels::count(); ++isa) {
      const std::string name = kernels::at(isa).isa;
      CAPTURE(name);
      tools::ResnetSession session(bytes, name), threads(bytes, name, 3);
      const auto got = run(session, 0, 2, 61, 75);
      CHECK(run(threads, 0, 2, 61, 75) == got);
      CHECK(run(session, 1, 1, 61, 75)[0] == got[1]);
      double error = 0, size = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        for (std::size_t j = 0; j < got[i].size(); ++j) {
          error += std::pow(static_cast<double>(got[i][j] - expected[i][j]), 2);
          size += std::pow(static_cast<double>(expected[i][j]), 2);
        }
      }
      CHECK(std::sqrt(error / size) < 0.1);
      CHECK(error > 0);
      if (name == "sse4_2") continue;
      if (first.empty()) first = got;
      CHECK(got == first);
    }
  }
}

TEST_CASE("images from outside are checked before the network sees them") {
  const Net net(5, {1, 1, 1, 1}, 0);
  const tools::ResnetSession session(net.bytes());
  float pixel = 0;
  const auto broken = [&](auto damage) {
    resnet::Input in{{&pixel, 2, 37, 52, resnet::kRgb, resnet::kBorder}, resnet::kFeatures};
    damage(in);
    return std::string(resnet::check(session.config(), in).subject());
  };
  using resnet::Input;
  CHECK(broken([](Input&) {}).empty());
  CHECK(broken([](Input& in) { in.wanted = 0; }) == "wanted");
  CHECK(broken([](Input& in) { in.wanted = resnet::kLogits; }) == "wanted");  // has no classes
  CHECK(broken([](Input& in) { in.images.data = nullptr; }) == "images");
  CHECK(broken([](Input& in) { in.images.count = 0; }) == "images");
  CHECK(broken([](Input& in) { in.images.count = -1; }) == "images");
  CHECK(broken([](Input& in) { in.images.count = 1 << 28; }) == "images");
  CHECK(broken([](Input& in) { in.images.height = 0; }) == "images");
  CHECK(broken([](Input& in) { in.images.width = -52; }) == "images");
  CHECK(broken([](Input& in) { in.images.width = resnet::kMostSide + 1; }) == "images");
  CHECK(broken([](Input& in) { in.images.channels = 1; }) == "images");
  CHECK(broken([](Input& in) { in.images.border = 0; }) == "images");
}

TEST_CASE("the work of ResNet-18 is that of the published tables") {
  const Net net(64, {2, 2, 2, 2}, 1000);
  const tools::ResnetSession session(net.bytes());
  CHECK(session.plan(1, 224, 224, resnet::kLogits).flops == 2 * 1814073344ull);
  CHECK(session.plan(1, 64, 64, resnet::kLogits).flops == 2 * 148557824ull);
  CHECK(resnet::features_of(224) == 7);
}
