// Text after text as on a device: after the one allocation that the plan asked for, a BERT allocates
// nothing, and takes exactly the scratch that was planned.
// usage: embedded_bert MODEL.gguf
#include "device.hpp"

namespace {

using namespace kinglet;

bert::Weights weights;

constexpr int kBatch = 2, kSeq = 32, kMost = 128;
std::int32_t ids[kBatch * kSeq];
float last_hidden[kBatch * kSeq * kMost], pooled[kBatch * kMost], classes[kBatch * kMost],
    embedding[kBatch * kMost];

}  // namespace

int main(int argc, char** argv) {
  const Bytes model = device::read_model(argc, argv);
  const auto file = device::without_allocation("open", [&] { return ModelFile::open(model); });
  const auto config =
      device::without_allocation("config", [&] { return bert::read_config(*file); });
  const bert::Config& c = *config;
  device::done_without_allocation("bind", [&] { return bert::bind(*file, c, weights); });
  if (c.hidden > kMost || c.labels > kMost || c.masked_lm || c.answer) {
    device::fail("another model than this test expects");
  }

  for (int i = 0; i < kBatch * kSeq; ++i) ids[i] = (i * 7 + 3) % c.vocab;
  bert::Output output;
  output.last_hidden = last_hidden;
  output.pooled = pooled;
  output.classes = classes;
  output.embedding = embedding;
  for (const unsigned wanted : {unsigned{bert::kClasses}, bert::heads_of(c)}) {
    bert::Input input;
    input.wanted = wanted;
    input.batch = kBatch;
    input.seq = kSeq;
    Count count;
    bert::forward(count, c, weights, input, {});
    input.ids = ids;
    const char* const heads = wanted == bert::kClasses ? "classes" : "all heads";
    device::run_as_planned(heads, count.scratch_bytes(), [&](Cpu<>& cpu) {
      for (int i = 0; i < 3; ++i) {
        if (!bert::check(c, input).ok()) device::fail("the input does not fit the model");
        bert::forward(cpu, c, weights, input, output);
      }
    });
  }
  return 0;
}
