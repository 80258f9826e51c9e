#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <kinglet/backend/count.hpp>
#include <kinglet/backend/cpu.hpp>
#include <kinglet/models/camera_frame.hpp>
#include <memory>

#include "nan.hpp"
#include "reference/pillow.hpp"
#include "samples.hpp"

using namespace kinglet;

namespace {

struct Memory {
  explicit Memory(std::size_t bytes) : all(bytes + Arena::kAlignment) {
    void* at = all.data();
    std::size_t space = all.size();
    arena = Arena(std::align(Arena::kAlignment, bytes, at, space), bytes);
  }
  std::vector<unsigned char> all;
  Arena arena;
};

std::vector<std::uint8_t> resized(const CameraFrame& frame, int height, int width) {
  Arena counted;
  resize_frame(counted, frame, height, width, nullptr);
  Memory memory(counted.peak());
  std::vector<std::uint8_t> out(static_cast<std::size_t>(height * width * 3));
  resize_frame(memory.arena, frame, height, width, out.data());
  CHECK(memory.arena.peak() == counted.peak());
  return out;
}

/// The pixels of prepare_frame, in an image with a border that must stay as it is.
std::vector<float> prepared(const CameraFrame& frame, int height, int width) {
  Count count;
  const auto run = [&](auto& be) {
    const Image y = take_image(be.arena(), 1, height, width, 3, 2);
    for (std::ptrdiff_t i = 0; y.data != nullptr && i < y.size(); ++i) y.data[i] = 1000;
    prepare_frame(be, frame, y);
    return y;
  };
  run(count);
  Memory memory(count.scratch_bytes());
  Cpu<isa::scalar> cpu(memory.arena);
  const Image y = run(cpu);
  std::vector<float> out;
  for (int row = 0; row < height; ++row) {
    const float* const line = y.view().at(row, 0);
    out.insert(out.end(), line, line + width * 3);
  }
  for (int i = 0; i < 6; ++i) CHECK(y.data[i] == 1000);
  return out;
}

}  // namespace

TEST_CASE("a frame is resized as Pillow does it, larger and smaller, from any size") {
  struct Sizes {
    int height, width, to_height, to_width;
  };
  for (const Sizes s : {Sizes{300, 300, 224, 224}, Sizes{1, 1, 5, 7}, Sizes{7, 5, 7, 5},
                        Sizes{33, 500, 64, 48}, Sizes{3, 4, 224, 224}}) {
    CAPTURE(s.width);
    std::uint32_t state = 3;
    const std::ptrdiff_t pitch = s.width * 3 + 5;
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(pitch * s.height)), dense;
    for (std::uint8_t& b : bytes) {
      state = state * 1664525u + 1013904223u;
      b = static_cast<std::uint8_t>(state >> 24);
    }
    for (int y = 0; y < s.height; ++y) {
      const auto line = bytes.begin() + y * pitch;
      dense.insert(dense.end(), line, line + s.width * 3);
    }
    const auto narrow = reference::resize_pillow(dense, s.height, s.width, s.to_width, 3);
    const auto expected =
        reference::resize_pillow(narrow, 1, s.height, s.to_height, s.to_width * 3);
    const auto got = resized({bytes.data(), s.height, s.width, pitch}, s.to_height, s.to_width);
    REQUIRE(got.size() == expected.size());
    int most = 0, different = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const int error = std::abs(got[i] - expected[i]);
      most = std::max(most, error);
      different += error != 0;
    }
    CHECK(most <= 1);  // where a weight lies between two units
    CHECK(different <= static_cast<int>(got.size() / 1000));
  }
}

TEST_CASE("a prepared frame is the recorded input of the published extractor") {
  const char* const fixtures = std::getenv("KINGLET_FIXTURES");
  const std::string path =
      fixtures ? std::string(fixtures) + "/zoo/frame_preprocess/golden.safetensors" : "";
  if (!std::filesystem::exists(path)) {
    std::printf("skipped: the recorded camera frame: KINGLET_FIXTURES names no folder with it\n");
    return;
  }
  const tools::Checkpoint golden = tools::read_checkpoint(path);
  const tools::Samples in(golden, "in"), out(golden, "out");
  const auto frame = in.numbers<std::uint8_t>("image_u8", 300 * 300 * 3);
  const auto bytes = out.numbers<int>("resized_u8", 224 * 224 * 3);
  const auto recorded = out.numbers<float>("normalised_every_8th_row", 3 * 28 * 224);
  const CameraFrame camera{frame.data(), 300, 300, 900};
  const auto got = resized(camera, 224, 224);
  int different = 0;
  for (std::size_t i = 0; i < got.size(); ++i) different += got[i] != bytes[i];
  CHECK(different == 0);
  const std::vector<float> pixels = prepared(camera, 224, 224);
  float worst = 0;
  for (std::size_t i = 0; i < recorded.size(); ++i) {  // [channel][row / 8][column]
    const std::size_t column = i % 224, row = i / 224 % 28 * 8, channel = i / 224 / 28;
    worst = tools::max_or_nan(worst,
                              std::fabs(pixels[(row * 224 + column) * 3 + channel] - recorded[i]));
  }
  CHECK(worst <= 1e-6f);
}
