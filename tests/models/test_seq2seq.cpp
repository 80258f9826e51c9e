// Seq2Seq and the speaker encoder as the tools run them: recorded outputs of trained weights, what int8
// leaves of them, and agents with parts left out.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <sstream>

#include "checkpoint.hpp"
#include "convert.hpp"
#include "file_error.hpp"
#include "nan.hpp"
#include "quantize.hpp"
#include "rewrite.hpp"
#include "seq2seq_samples.hpp"
#include "seq2seq_session.hpp"
#include "speaker_session.hpp"
#include "tools/tool_files.hpp"

using namespace kinglet;
using tests::say_skipped;
using tests::ScratchFolder;
using tools::Checkpoint;
using tools::read_checkpoint;
using tools::Seq2SeqSession;
using tools::Values;

namespace {

const std::string kWhole = KINGLET_TEST_DATA "/alfred/seq2seq_im_mask";
const std::string kCore = KINGLET_TEST_DATA "/alfred/seq2seq_wide_core";

std::string folder_named(const char* variable) {
  const char* value = std::getenv(variable);
  return value ? value : "";
}

std::string converted(const ScratchFolder& scratch, const std::string& input,
                      const std::string& config = {}) {
  tools::ConvertRequest request;
  request.input = input;
  request.config = config;
  request.output = scratch.file("model.gguf");
  std::ostringstream report;
  tools::convert(tools::architecture_of(request), request, report);
  return request.output;
}

std::string quantized(const ScratchFolder& scratch, const std::string& model,
                      const std::string& samples,
                      const std::function<void(tools::QuantizeRequest&)>& change = {}) {
  tools::QuantizeRequest request;
  request.input = model;
  request.samples = samples;
  request.output = scratch.file("int8.gguf");
  request.rows = 8;
  if (change) change(request);
  CHECK(tools::quantize(request).refused.empty());
  return request.output;
}

Values recorded(const Checkpoint& file, const std::string& name) {
  REQUIRE(file.find(name) != nullptr);
  return tools::values_of(file.path, *file.find(name));
}

const Values& named(const std::vector<Values>& all, const std::string& name) {
  for (const Values& values : all)
    if (values.name == name) return values;
  FAIL("there is no " << name);
  return all.front();
}

/// Largest difference of numbers of which there are as many.
double distance(const std::vector<double>& wanted, const std::vector<double>& got) {
  REQUIRE(wanted.size() == got.size());
  double worst = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    worst = tools::max_or_nan(worst, std::abs(wanted[i] - got[i]));
  return worst;
}

/// The first n of more numbers.
std::vector<double> first(const std::vector<double>& x, std::size_t n) {
  REQUIRE(n > 0);
  REQUIRE(n <= x.size());
  return {x.begin(), x.begin() + static_cast<std::ptrdiff_t>(n)};
}

std::vector<double> doubles(const std::vector<float>& x) { return {x.begin(), x.end()}; }

double cosine(const std::vector<double>& a, const std::vector<double>& b, std::size_t first,
              std::size_t n) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = first; i < first + n; ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

std::size_t best(const std::vector<double>& x, std::size_t first, std::size_t n) {
  std::size_t at = first;
  for (std::size_t i = first; i < first + n; ++i)
    if (x[i] > x[at]) at = i;
  return at - first;
}

}  // namespace

TEST_CASE("what an agent was stored without is refused when it is asked for") {
  const ScratchFolder scratch;
  Seq2SeqSession core(converted(scratch, kCore + "/core.safetensors", kCore + "/config.json"));
  const Checkpoint golden = read_checkpoint(kCore + "/golden_b1.safetensors");
  const tools::Seq2SeqGolden recorded_episode(golden, core.config());
  seq2seq::Episode seeing = recorded_episode.episode();
  seeing.frames.form = seq2seq::Frames::Form::pixels;
  const Checkpoint masks = read_checkpoint(kWhole + "/golden_mask_decoder_pframe_300.safetensors");
  CHECK_THROWS_WITH_AS(core.check(seeing, {}),
                       doctest::Contains("stored without its visual encoder"), tools::FileError);
  CHECK_THROWS_WITH_AS(core.run_golden(masks), doctest::Contains("stored without its mask decoder"),
                       tools::FileError);
  std::vector<std::string> names;
  for (const tools::NamedPlan& plan : core.plans(2, 30, false)) names.push_back(plan.name);
  CHECK(names == std::vector<std::string>{"begin", "step"});
}

TEST_CASE("ids outside a golden file's model are refused") {
  const ScratchFolder scratch;
  Seq2SeqSession core(converted(scratch, kCore + "/core.safetensors", kCore + "/config.json"));
  const tools::Seq2SeqGolden golden(read_checkpoint(kCore + "/golden_b1.safetensors"),
                                    core.config());
  seq2seq::Episode in = golden.episode();
  std::vector<float> logits(static_cast<std::size_t>(in.steps * core.config().actions));
  seq2seq::EpisodeOutput out;
  out.logits = logits.data();
  const std::vector<std::int32_t> wrong(static_cast<std::size_t>(golden.longest()), 15);
  in.actions = wrong.data();
  CHECK_THROWS_AS(core.unroll(in, out), tools::FileError);
  CHECK(seq2seq::check(core.config(), in, out).subject() == "actions");
  in.actions = nullptr;
  CHECK(seq2seq::check(core.config(), in, out).ok());
  for (const std::int32_t last : {-1, 15, 1000})
    CHECK(seq2seq::check(core.config(), in.frames, &last, 1, {}).subject() == "actions");
  const std::int32_t last = 14;
  CHECK(seq2seq::check(core.config(), in.frames, &last, 1, {}).ok());
  for (const int steps : {-1, 0, (1 << 20) + 1}) {
    seq2seq::Episode wrong_steps = in;
    wrong_steps.steps = steps;
    CHECK(seq2seq::check(core.config(), wrong_steps, out).subject() == "steps");
  }
  const std::vector<std::int32_t> words(static_cast<std::size_t>(golden.longest()), 64);
  in.instruction.words = words.data();
  CHECK_THROWS_AS(core.unroll(in, out), tools::FileError);
}

TEST_CASE("an agent with fewer words and actions answers as the whole one, where it can") {
  const ScratchFolder scratch;
  const std::string model = converted(scratch, kCore + "/core.safetensors", kCore + "/config.json");
  const Checkpoint golden = read_checkpoint(kCore + "/golden_b3.safetensors");
  tools::ModelEdit edit(model);
  std::vector<std::uint32_t> ids;
  for (const double id : recorded(golden, "in.lang_ids").numbers)
    ids.push_back(static_cast<std::uint32_t>(id));
  CHECK(tools::prune_vocabulary(edit, ids).rows < 64);
  // An action that nobody takes.
  std::vector<double> taken = recorded(golden, "in.gold_actions").numbers;
  for (const double a : recorded(golden, "out.free.actions").numbers) taken.push_back(a);
  std::size_t dropped = 1;
  while (std::count(taken.begin(), taken.end(), static_cast<double>(dropped)) > 0) ++dropped;
  REQUIRE(dropped < 14);
  tools::prune_actions(edit, {edit.texts("alfred-seq2seq.action_names")[dropped]});
  const std::string pruned = scratch.file("pruned.gguf");
  edit.save(pruned);
  Seq2SeqSession whole(model), small(pruned);
  const auto wanted = whole.run_golden(golden), got = small.run_golden(golden);
  CHECK(named(wanted, "out.lang_encoded").numbers == named(got, "out.lang_encoded").numbers);
  CHECK(small.action_of(static_cast<std::int32_t>(dropped)) == -1);
  CHECK(small.action_of(14) == 13);
  CHECK(small.first_actions()[dropped] == static_cast<std::int32_t>(dropped) + 1);
  const Values& free = named(got, "out.free.action_logits");
  CHECK(free.shape == std::vector<std::int64_t>{3, 4, 14});
  // Actions come back as they were numbered before.
  CHECK(named(wanted, "out.free.actions").numbers == named(got, "out.free.actions").numbers);
  int different = 0;
  for (const char* name : {"out.free.action_logits", "out.forced.action_logits"}) {
    const std::vector<double>&all = named(wanted, name).numbers, &some = named(got, name).numbers;
    for (std::size_t step = 0; step < 12; ++step)
      for (std::size_t a = 0; a < 14; ++a)
        different += some[step * 14 + a] != all[step * 15 + a + (a >= dropped ? 1 : 0)] ? 1 : 0;
  }
  CHECK(different == 0);
}

TEST_CASE("an agent in int8 stays near its own outputs, whatever is measured") {
  const ScratchFolder scratch;
  const std::string model = converted(scratch, kCore + "/core.safetensors", kCore + "/config.json");
  const std::string samples = kCore + "/golden_b3.safetensors";
  const Checkpoint golden = read_checkpoint(samples);
  Seq2SeqSession exact(model);
  const auto wanted = exact.run_samples(golden, 0);
  for (const bool measured : {false, true}) {
    Seq2SeqSession int8(quantized(scratch, model, measured ? samples : std::string()));
    CHECK(int8.weights().words.rows.int8());
    CHECK(int8.weights().cell.ih.int8());
    const auto got = int8.run_samples(golden, 0);
    REQUIRE(got.size() == 1);
    CHECK(distance(wanted[0].numbers, got[0].numbers) < 0.2);  // logits of up to 6.9
  }
}

TEST_CASE("units that fill a block stay zero in int8") {
  const ScratchFolder scratch;
  const std::string model = converted(scratch, kCore + "/core.safetensors", kCore + "/config.json");
  const tools::ModelEdit int8(quantized(scratch, model, {}));
  const tools::RowsS8 w = int8.matrix_s8("lang.fwd_hh.weight");  // 18 units in blocks of 16
  REQUIRE(w.n == 128);
  for (int r = 64; r < 128; ++r) {
    if (r % 16 < 2) continue;
    const auto row = static_cast<std::size_t>(r);
    CHECK(w.scale[row] == 1.0f);
    for (std::size_t i = 0; i < 18; ++i) CHECK(w.values[row * 18 + i] == 0);
  }
}

TEST_CASE("a trained agent gives what PyTorch gave, and in int8 chooses the same") {
  const std::string fixtures = folder_named("KINGLET_FIXTURES");
  if (fixtures.empty()) return say_skipped("the trained Seq2Seq: KINGLET_FIXTURES names no folder");
  const std::string folder = fixtures + "/trained/seq2seq";
  const ScratchFolder scratch;
  const std::string model = converted(scratch, folder + "/best_seen.pth");
  const std::string samples = folder + "/eval.safetensors";
  const Checkpoint set = read_checkpoint(samples);
  const tools::Seq2SeqEpisodes episodes(set);
  Seq2SeqSession session(model);
  const seq2seq::Config& c = session.config();
  CHECK(episodes.count() == 504);

  // The first frame, which is recorded channel by channel.
  const std::vector<double> frame = recorded(set, "golden.ex0_frame0").numbers;
  const std::vector<float> frames = episodes.frames(0);
  int different = 0;
  for (std::size_t channel = 0; channel < 512; ++channel)
    for (std::size_t cell = 0; cell < 49; ++cell)
      different += frame[channel * 49 + cell] != static_cast<double>(frames[cell * 512 + channel]);
  CHECK(different == 0);

  constexpr int kEpisodes = 16;
  std::vector<double> free;
  for (int e = 0; e < kEpisodes; ++e) {
    const std::vector<float> seen = episodes.frames(e);
    seq2seq::Episode in;
    in.instruction = {1, episodes.words(e), episodes.word_ids(e), nullptr};
    in.steps = episodes.steps(e);
    in.frames.form = seq2seq::Frames::Form::pixels;
    in.frames.data = seen.data();
    std::vector<float> logits(static_cast<std::size_t>(in.steps * c.actions));
    std::vector<float> visual(static_cast<std::size_t>(in.steps * c.frame));
    seq2seq::EpisodeOutput out;
    out.logits = logits.data();
    out.visual = visual.data();
    session.unroll(in, out);
    if (e == 0)
      CHECK(distance(recorded(set, "golden.ex0_vis_feat").numbers, doubles(visual)) < 1e-4);
    free.insert(free.end(), logits.begin(), logits.end());
  }
  const auto logits_of = [&](const char* name, std::size_t n) {
    return first(recorded(set, name).numbers, n);  // of more episodes
  };
  CHECK(distance(logits_of("golden.free_running_logits", free.size()), free) < 1e-3);
  const auto forced = session.run_samples(set, kEpisodes);
  const std::vector<double>& wanted = named(forced, "out.action_logits").numbers;
  CHECK(distance(logits_of("golden.teacher_forced_logits", wanted.size()), wanted) < 1e-3);

  Seq2SeqSession int8(quantized(scratch, model, {}));
  const auto results = int8.run_samples(set, kEpisodes);
  const std::vector<double>& got = named(results, "out.action_logits").numbers;
  int steps = 0, same = 0;
  for (std::size_t at = 0; at < wanted.size(); at += 15) {
    ++steps;
    same += best(wanted, at, 15) == best(got, at, 15) ? 1 : 0;
  }
  MESSAGE(same << " of " << steps << " actions are the same in int8");
  CHECK(same > steps * 98 / 100);
}

TEST_CASE("a speaker encoder with the precision that was measured has a cosine of .999") {
  const std::string fixtures = folder_named("KINGLET_FIXTURES"),
                    package = folder_named("KINGLET_RESEMBLYZER");
  if (fixtures.empty() || package.empty())
    return say_skipped("voices in int8: KINGLET_FIXTURES, KINGLET_RESEMBLYZER name no folders");
  const ScratchFolder scratch;
  const std::string model = converted(scratch, package + "/pretrained.pt");
  const std::string cases = fixtures + "/zoo/resemblyzer/cases/";
  const std::string path = quantized(scratch, model, cases + "b1_t45.safetensors");
  tools::SpeakerSession int8(path);
  CHECK_FALSE(int8.weights().layers[0].ih.int8());
  CHECK(int8.weights().layers[0].hh.int8());
  CHECK(int8.weights().layers[2].ih.int8());
  CHECK(int8.weights().embedding.int8());
  double worst = 1;
  for (const char* name : {"b1_t45", "b3_t160"}) {
    const Checkpoint golden = read_checkpoint(cases + name + ".safetensors");
    const std::vector<double> wanted = recorded(golden, "out.embedding").numbers;
    const auto got = int8.run_golden(golden);
    for (std::size_t at = 0; at < wanted.size(); at += 256)
      worst =
          tools::min_or_nan(worst, cosine(wanted, named(got, "out.embedding").numbers, at, 256));
  }
  MESSAGE("worst cosine " << worst);
  CHECK(worst > 0.999);
}
