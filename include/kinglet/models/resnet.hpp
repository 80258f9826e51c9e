#pragma once
// ResNet of basic blocks (He et al. 2016): ResNet-18 and ResNet-34, up to the map before the average
// (what an agent sees) and on to the classes.
//
//   image ─ stem 7×7/2, ReLU ─ max pool 3×3/2 ─ stage 1 ─ stage 2 ─ stage 3 ─ stage 4 ─┬─ features
//   224²         112²              56²            56²       28²       14²       7²    └─ mean ─ fc
//   3            P                 P              P         2P        4P        8P         classes
//
//   block:  y = ReLU(conv2(ReLU(conv1 x)) + shortcut)    3×3 each; the first one of stages 2, 3, 4
//           halves the image, and its shortcut is a 1×1 convolution
//
// Batch norms are folded into the convolutions. All but the stem may be int8.

#include <kinglet/backend/image.hpp>
#include <kinglet/core/status.hpp>
#include <kinglet/io/model_file.hpp>
#include <kinglet/models/bind.hpp>
#include <kinglet/models/check.hpp>

namespace kinglet::resnet {

inline constexpr int kStages = 4;
inline constexpr int kMostBlocks = 8;  ///< in a stage
inline constexpr int kRgb = 3;
inline constexpr int kBorder = 3;  ///< of an input
// So that the numbers of one image fit int everywhere, with the borders.
inline constexpr int kMostPlanes = 1024;
inline constexpr int kMostSide = 4096;

struct Config {
  int planes;  ///< of the first stage; each has twice those of the one before
  int blocks[kStages];
  int classes;  ///< 0 where there is no classifier

  constexpr int width(int stage) const noexcept { return planes << stage; }
  constexpr int features() const noexcept { return width(kStages - 1); }
};

struct Block {
  Conv conv1, conv2;
  Conv shortcut;  ///< or none: x itself
};

struct Weights {
  Conv stem;
  Block blocks[kStages][kMostBlocks];
  Linear classes;
};

/// Lines or columns of the features of an image that has `size`.
constexpr int features_of(int size) noexcept {
  for (int halved = 0; halved < kStages + 1; ++halved) size = (size + 1) / 2;
  return size;
}

inline Result<Config> read_config(const ModelFile& file) noexcept {
  constexpr std::string_view kBlocks = "resnet.block_counts";
  ConfigReader read(file);
  Config c{};
  read.architecture("resnet");
  c.planes = read.integer("resnet.base_planes", 1, kMostPlanes);
  c.classes = read.integer("resnet.label_count", 0, 65536);
  if (!read.status().ok()) return read.status();
  const Result<GgufArray> counts = file.array(kBlocks);
  if (!counts.ok()) return counts.status();
  bool fits = counts->count() == kStages;
  for (int s = 0; fits && s < kStages; ++s) {
    const std::uint64_t count = counts->number(static_cast<std::uint64_t>(s)).value_or(0);
    fits = count >= 1 && count <= kMostBlocks;
    c.blocks[s] = static_cast<int>(count);
  }
  if (!fits) {
    return Status(Code::mismatch, "does not say how many blocks each of four stages has",
                  Status::kNowhere, kBlocks);
  }
  return c;
}

/// Views into the file; every shape is checked, nothing is copied.
inline Status bind(const ModelFile& file, const Config& c, Weights& w) noexcept {
  Binder b(file);
  w = {};
  w.stem = b.conv("conv1", c.planes, kRgb, 7, 2, 3);
  for (int s = 0; s < kStages; ++s) {
    const int n = c.width(s);
    for (int i = 0; i < c.blocks[s]; ++i) {
      const auto name = [&](const char* part) {
        return Name("stage.").append(s).append(".").append(i).append(part);
      };
      const bool halves = s > 0 && i == 0;
      const int from = halves ? n / 2 : n;
      Block& block = w.blocks[s][i];
      block.conv1 = b.conv(name(".conv1").view(), n, from, 3, halves ? 2 : 1, 1);
      block.conv2 = b.conv(name(".conv2").view(), n, n, 3, 1, 1);
      if (halves) block.shortcut = b.conv(name(".shortcut").view(), n, from, 1, 2, 0);
    }
  }
  if (c.classes > 0) w.classes = b.linear("classes", c.classes, c.features());
  return b.status();
}

/// What a run is asked for; or'ed.
enum Wanted : unsigned {
  kFeatures = 1,  ///< what stage 4 sees
  kLogits = 2,    ///< of the classes
};

/// Everything that a model can be asked for.
constexpr unsigned outputs_of(const Config& c) noexcept {
  return kFeatures | (c.classes > 0 ? kLogits : 0u);
}

struct Input {
  Image images;  ///< from take_input
  unsigned wanted = kFeatures;
};

/// Where results go; what is not wanted is not written.
struct Output {
  float* features;  ///< [images][features_of(height)][features_of(width)][features()]
  float* logits;    ///< [images][classes]
};

/// Shows what lies between, for tests and for verify.
struct Trace {
  enum class Stage : std::uint8_t { pooled, stage, average };
  /// stage: number < kStages; average: an image of one pixel.
  void (*show)(void* context, Stage stage, int number, const Image& x);
  void* context;
};

/// An image for forward, whose pixels the caller sets: prepare_frame, for one.
inline Image take_input(Arena& arena, int images, int height, int width) noexcept {
  return take_image(arena, images, height, width, kRgb, kBorder);
}

/// For inputs that come from outside.
inline Status check(const Config& c, const Input& in) noexcept {
  constexpr int kMostPixels = 1 << 28;
  if (in.wanted == 0 || (in.wanted & ~outputs_of(c)) != 0) {
    return invalid("nothing, or something that the model does not have", "wanted");
  }
  const Image& x = in.images;
  if (x.height < 1 || x.height > kMostSide || x.width < 1 || x.width > kMostSide) {
    return invalid("each side must be 1 to 4096", "images");
  }
  if (x.count < 1 || x.count > kMostPixels / (x.height * x.width)) {
    return invalid("must be at least 1, with at most 2^28 pixels in all", "images");
  }
  if (x.channels != kRgb || x.border != kBorder) return invalid("are not of take_input", "images");
  if (x.data == nullptr) return invalid("are not given", "images");
  return {};
}

/// Scratch: what Count says. Precondition: check(c, in) is ok.
/// numerics  the same bits for any thread count, for an image alone or in a batch
template <class B>
void forward(B& be, const Config& c, const Weights& w, const Input& in, const Output& out,
             const Trace* trace = nullptr) noexcept {
  const Image& x = in.images;
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  const auto look = [&](Trace::Stage stage, int number, const Image& image) {
    if (trace != nullptr && image.data != nullptr)
      trace->show(trace->context, stage, number, image);
  };
  be.zero_border(x);
  const int height = w.stem.out(x.height), width = w.stem.out(x.width);
  Image y = take_image(arena, x.count, (height + 1) / 2, (width + 1) / 2, c.planes, 1);
  {
    ArenaScope large(arena);
    const Image stem = take_image(arena, x.count, height, width, c.planes);
    be.conv(w.stem, x, stem, Activation::relu);
    be.max_pool(3, 2, 1, stem, y);
  }
  look(Trace::Stage::pooled, 0, y);
  for (int s = 0; s < kStages; ++s) {
    const Image from = y;
    if (s > 0) {
      y = take_image(arena, x.count, (from.height + 1) / 2, (from.width + 1) / 2, c.width(s), 1);
    }
    ArenaScope stage(arena);
    const Image inner = take_image(arena, y.count, y.height, y.width, y.channels, 1);
    for (int i = 0; i < c.blocks[s]; ++i) {
      const Block& block = w.blocks[s][i];
      if (block.shortcut) be.conv(block.shortcut, from, y);
      be.conv(block.conv1, block.shortcut ? from : y, inner, Activation::relu);
      be.conv(block.conv2, inner, y, Activation::relu, y);
    }
    look(Trace::Stage::stage, s, y);
  }
  if ((in.wanted & kFeatures) != 0) be.copy_pixels(y, {out.features, y.pixels(), y.channels});
  if ((in.wanted & kLogits) == 0 && trace == nullptr) return;
  const Image mean = take_image(arena, x.count, 1, 1, y.channels);
  be.average_pool(y, mean.rows());
  look(Trace::Stage::average, 0, mean);
  if ((in.wanted & kLogits) == 0) return;
  be.linear(w.classes, mean.rows(), {out.logits, x.count, c.classes});
}

}  // namespace kinglet::resnet
