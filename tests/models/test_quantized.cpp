// int8 models as quantize makes them: moved constants change nothing but what int8 makes of them, and
// the logits have the same bits everywhere.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <dispatch/dispatch.hpp>

#include "checkpoint.hpp"
#include "models/hitut_fixture.hpp"
#include "output_error.hpp"
#include "quantize.hpp"
#include "recentre.hpp"
#include "smooth.hpp"
#include "tools/tool_files.hpp"

using namespace kinglet;
using namespace kinglet::test;
using hitut::Task;
using tools::ModelEdit;

namespace {

const std::string kSet = KINGLET_MODELS_DIR "/hitut6_small/eval.safetensors";
constexpr Task kTasks[] = {Task::high, Task::low_mani, Task::low_navi};

std::string golden_of(const std::string& encoder, const std::string& name) {
  return KINGLET_TEST_DATA "/alfred/hitut_" + encoder + "/golden_" + name + ".safetensors";
}

std::unique_ptr<tools::ModelSession> opened(const ModelEdit& model, tools::MemorySink& memory) {
  model.write(memory);
  return tools::open_model(memory.bytes(), "memory");
}

/// The outputs of a changed model beside those of the one it was.
double change(const ModelEdit& before, const ModelEdit& after, const tools::Checkpoint& samples,
              int rows) {
  tools::MemorySink a("before"), b("after");
  return tools::relative_error(opened(before, a)->run_samples(samples, rows),
                               opened(after, b)->run_samples(samples, rows))
      .worst;
}

/// Channels with a constant c in every norm, made by the inverse of recentring: the same function.
ModelEdit with_outliers(const std::string& path, double c) {
  ModelEdit model(path);
  for (const tools::NormReaders& at : tools::movable_norms(model)) {
    std::vector<double> offsets(model.vector(at.norm + ".bias").size(), 0.0);
    offsets[offsets.size() / 6] = offsets[offsets.size() / 2 + 1] = -c;
    move_offsets(model, at, offsets);
  }
  return model;
}

struct Share {
  std::string name;
  double right;
};

/// The share of right answers of every head over the evaluation set.
std::vector<Share> accuracies(const std::string& model, const tools::Checkpoint& set) {
  std::vector<Share> shares;
  const auto session = tools::open_model(model);
  for (const tools::Values& logits : session->run_samples(set, 0)) {
    const std::size_t dot = logits.name.find('.');
    std::string label = logits.name.substr(dot + 1);
    label = label == "type_logits"  ? "actype_label"
            : label == "arg_logits" ? "arg_label"
                                    : "mask_label";
    const auto* wanted = set.find(logits.name.substr(0, dot + 1) + label);
    REQUIRE(wanted != nullptr);
    const tools::Values labels = tools::values_of(set.path, *wanted);
    int right = 0, asked = 0;
    const std::ptrdiff_t n = logits.shape[1];
    for (std::ptrdiff_t r = 0; r < logits.shape[0]; ++r) {
      const double of_row = labels.numbers[static_cast<std::size_t>(r)];
      if (of_row < 0) continue;
      const auto first = logits.numbers.begin() + r * n;
      right += std::max_element(first, first + n) - first == static_cast<std::ptrdiff_t>(of_row);
      ++asked;
    }
    if (asked > 0) shares.push_back({logits.name, static_cast<double>(right) / asked});
  }
  return shares;
}

/// No accuracy of b more than so many points below a's. (Among 265 masks are some near a tie, which int8 may also
/// get right.)
void check_not_below(const std::vector<Share>& a, const std::vector<Share>& b, double points) {
  REQUIRE(a.size() == b.size());
  CHECK(a.size() == 6);
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(a[i].name);
    CAPTURE(a[i].right);
    CAPTURE(b[i].right);
    CHECK(b[i].right >= a[i].right - points / 100);
  }
}

tools::QuantizeRequest request_for(const std::string& input, const std::string& name) {
  tools::QuantizeRequest request;
  request.input = input;
  request.output = temporary_file(name);
  return request;
}

/// Of all logits; `batch` sequences at once, or each alone.
std::uint64_t hash_of(tools::HitutSession& session, bool alone) {
  const hitut::Config& c = session.config();
  std::uint64_t h = 14695981039346656037u;
  for (const Task task : kTasks) {
    const MadeUpInput input(c, task, 3, 23);
    Heads heads(c, task, 3);
    session.forward(input.in, heads.out());
    for (int b = 0; b < 3; ++b) {
      Heads one(c, task, 1);
      if (alone) session.forward(input.alone(c, b), one.out());
      h = hash(alone ? one.row(0) : heads.row(b), h);
    }
  }
  return h;
}

}  // namespace

TEST_CASE("moving constants leaves fp32 outputs as they are, within rounding") {
  for (const std::string encoder : kEncoders) {
    CAPTURE(encoder);
    const ModelEdit plain(hitut_model(encoder));
    const auto samples = tools::read_checkpoint(golden_of(encoder, "low_mani_b3"));
    const auto norms = tools::movable_norms(plain);
    REQUIRE_FALSE(norms.empty());
    // Stored once, run several times: what the next layer reads is what the heads read.
    if (encoder == "albert") {
      CHECK(norms.size() == 2);
    } else {
      CHECK(norms.size() == 2 * plain.number("hitut.block_count"));
    }
    tools::MemorySink memory("plain");
    const auto session = opened(plain, memory);
    tools::ChannelWatch watch(*session);
    session->run_samples(samples, 0);
    for (const tools::Centre centre : {tools::Centre::mean, tools::Centre::middle}) {
      ModelEdit moved = plain;
      const tools::Recentred done = recentre(moved, centre, &watch);
      CHECK(done.norms == static_cast<int>(norms.size()));
      CHECK(done.layers == static_cast<int>(plain.number("hitut.stored_block_count")));
      const double away = change(plain, moved, samples, 0);
      CHECK(away <= 1e-5);
      CHECK(away > 0);
    }
  }
}

TEST_CASE(
    "the mean of a channel that was watched is that of the rows, and is zero when it was moved") {
  const ModelEdit plain(hitut_model("roberta"));
  const auto samples = tools::read_checkpoint(golden_of("roberta", "high_b3"));
  const auto watched = [&](const ModelEdit& model, auto look) {
    tools::MemorySink memory("watched");
    const auto session = opened(model, memory);
    const tools::ChannelWatch watch(*session);
    session->run_samples(samples, 0);
    look(watch);
  };
  ModelEdit moved = plain;
  watched(plain, [&](const tools::ChannelWatch& watch) {
    CHECK(watch.outputs("blk.0.attn_output") != nullptr);
    CHECK(watch.inputs_of("blk.0.attn_output.weight") != nullptr);
    CHECK(watch.outputs("nothing") == nullptr);
    recentre(moved, tools::Centre::mean, &watch);
  });
  watched(moved, [&](const tools::ChannelWatch& watch) {
    const auto small = [&](const std::string& name, std::size_t first, std::size_t count) {
      const tools::ChannelStats* stats = watch.outputs(name);
      REQUIRE(stats != nullptr);
      for (std::size_t i = first; i < first + count; ++i) CHECK(std::abs(stats->mean(i)) < 1e-4);
    };
    const std::size_t h = plain.vector("blk.0.attn_output_norm.bias").size();
    small("token_embd_norm", 0, h);
    small("blk.0.attn_output_norm", 0, h);
    small("blk.0.attn_qkv", (h + 15) / 16 * 16, h);  // keys
  });
}

TEST_CASE(
    "int8 keeps every accuracy of the trained model, and channels of any offset do not matter") {
  if (tests::is_emulated() || tests::kSanitized)
    return tests::say_skipped("accuracies in int8: minutes under emulation or sanitizers");
  const auto set = tools::read_checkpoint(kSet);
  const auto wanted = accuracies(trained_model(), set);
  auto request = request_for(trained_model(), "trained_int8.gguf");
  const auto plain = quantize(request);
  CHECK(plain.bytes * 100 <= plain.bytes_before * 31);
  CHECK(plain.recentred.norms == 0);
  check_not_below(wanted, accuracies(request.output, set), 0.5);

  const std::string path = temporary_file("outliers.gguf");
  request = request_for(path, "outliers_int8.gguf");
  request.rows = 8;
  for (const double c : {128.0, 512.0}) {
    CAPTURE(c);
    const ModelEdit outliers = with_outliers(trained_model(), c);
    CHECK(change(ModelEdit(trained_model()), outliers, set, 8) < 1e-3);
    outliers.save(path);
    request.samples = kSet;
    const auto measured = quantize(request);
    CHECK(std::abs(measured.recentred.largest) > c - 16);
    check_not_below(wanted, accuracies(request.output, set), 1.0);
  }
  request.samples.clear();
  CHECK(quantize(request).recentred.norms == 12);
  check_not_below(wanted, accuracies(request.output, set), 1.0);
  request.recentre = false;
  quantize(request);
  CHECK(accuracies(request.output, set)[1].right < wanted[1].right - 0.5);
}

TEST_CASE("smoothed files keep the function of their model, folded values bit for bit") {
  const ModelEdit plain(hitut_model("roberta"));
  const auto samples = tools::read_checkpoint(golden_of("roberta", "high_b3"));
  std::vector<float> f(plain.tensor("blk.0.attn_output.weight").panels->n);
  for (std::size_t i = 0; i < f.size(); ++i) f[i] = i % 3 == 0 ? 4.0f : i % 3 == 1 ? 0.125f : 1.0f;
  ModelEdit folded = plain;
  fold_into_values(folded, "blk.0", f);
  CHECK(change(plain, folded, samples, 0) == 0);

  const std::string name = "blk.0.ffn_up.weight";
  const tools::Int8Variants smooth(plain, {{name, f}});
  const ModelEdit int8 = smooth.model(smooth.all_int8());
  CHECK(int8.vector(name + "_smooth") == f);
  const auto w = plain.matrix(name), stored = int8.matrix(name);
  for (std::size_t r = 0; r < w.rows(); ++r) {
    float most = 0;
    for (int i = 0; i < w.k; ++i)
      most = std::max(most, std::abs(w.row(r)[i] / f[static_cast<std::size_t>(i)]));
    for (int i = 0; i < w.k; ++i)
      CHECK(std::abs(w.row(r)[i] - stored.row(r)[i]) <=
            most / 253.9f * f[static_cast<std::size_t>(i)]);
  }
  // One factor for all columns changes nothing, not even in int8.
  const tools::Int8Variants rough(plain), even(plain, {{name, std::vector<float>(f.size(), 4.0f)}});
  CHECK(change(rough.model(rough.all_int8()), even.model(even.all_int8()), samples, 0) == 0);
  CHECK(change(plain, smooth.model(smooth.all_f32()), samples, 0) == 0);
}

TEST_CASE(
    "int8 logits have the recorded bits on every instruction set, for any threads and batch") {
  // Attention in int8 as well; recorded with the scalar kernels on x86-64.
  constexpr std::uint64_t kRecorded[] = {4206034088415334144u, 2558363934940232034u,
                                         15601529226527316055u, 17421254431711705166u};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::string encoder = kEncoders[i];
    CAPTURE(encoder);
    auto request = request_for(hitut_model(encoder), encoder + "_int8.gguf");
    request.attention = tools::QuantizeRequest::Attention::s8;
    const auto result = quantize(request);
    CHECK(result.bytes < result.bytes_before);
    for (const tools::Decision decision : result.decisions)
      CHECK(decision == tools::Decision::int8);
    tools::HitutSession session(request.output);
    CHECK(session.weights().layers[0].s8_attention);
    for (int k = 0; k < kernels::count(); ++k) {
      CAPTURE(kernels::at(k).isa);
      session.use(kernels::at(k));
      if (std::strcmp(kernels::at(k).isa, "sse4_2") == 0) continue;  // no fused multiply-add
      CHECK(hash_of(session, false) == kRecorded[i]);
      CHECK(hash_of(session, true) == kRecorded[i]);
    }
    for (const int threads : {2, 3, 4}) {
      tools::HitutSession threaded(request.output, {}, threads);
      if (std::strcmp(threaded.isa(), "sse4_2") == 0) continue;
      CHECK(hash_of(threaded, false) == kRecorded[i]);
    }
  }
}

TEST_CASE("without fused multiply-add int8 outputs stay close and decide the same") {
  const auto* sse = kernels::find("sse4_2");
  if (sse == nullptr) {
    std::printf("skipped: int8 without fused multiply-add: no such instruction set here\n");
    return;
  }
  auto request = request_for(trained_model(), "trained_int8.gguf");
  quantize(request);
  const auto set = tools::read_checkpoint(kSet);
  const auto run = [&](const std::string& isa) {
    return tools::open_model(request.output, isa)->run_samples(set, 20);
  };
  const auto wanted = run("scalar"), got = run("sse4_2");
  CHECK(tools::relative_error(wanted, got).worst < 0.02);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::ptrdiff_t n = wanted[i].shape[1];
    for (std::ptrdiff_t r = 0; r < wanted[i].shape[0]; ++r) {
      const auto a = wanted[i].numbers.begin() + r * n, b = got[i].numbers.begin() + r * n;
      CHECK(std::max_element(a, a + n) - a == std::max_element(b, b + n) - b);
    }
  }
}
