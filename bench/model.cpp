// kinglet-bench model: latency of a whole model beside the arithmetic floor of this core.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "peak.hpp"
#include "session.hpp"

namespace kinglet::tools {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Options {
  std::string file;
  std::string task = "low_mani";
  std::string isa;
  int batch = 1;
  int seq = 0;
  int threads = 1;
  double seconds = 3;
  bool every_row = false;
  bool json = false;
};

/// The most memory this process has had resident, in bytes; 0 where the system does not tell.
double peak_rss_bytes() {
  double kilobytes = 0;
  if (std::FILE* status = std::fopen("/proc/self/status", "r")) {
    char line[256];
    while (std::fgets(line, sizeof line, status) != nullptr) {
      if (std::strncmp(line, "VmHWM:", 6) == 0) kilobytes = std::atof(line + 6);
    }
    std::fclose(status);
  }
  return kilobytes * 1024;
}

/// FNV-1a over the bits: the same on every machine that computes the same.
std::uint64_t hash(const std::vector<float>& x, std::uint64_t h) {
  for (const float value : x) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 4; ++i) h = (h ^ ((bits >> (8 * i)) & 0xff)) * 1099511628211u;
  }
  return h;
}

/// Made-up inputs: the first `live` positions of every sequence are not masked.
struct Inputs {
  std::vector<std::int32_t> words, vision, history, type_position, arg_position, posture, past;
  std::vector<float> features, past_features;
  hitut::Input in;

  Inputs(const hitut::Config& c, hitut::Task task, int batch, int live) {
    std::uint32_t state = 1;
    const auto random = [&](int n) {
      state = state * 1664525u + 1013904223u;
      return static_cast<std::int32_t>((state >> 8) % static_cast<std::uint32_t>(n));
    };
    const auto ids = [&](std::vector<std::int32_t>& out, int each, int n) {
      out.resize(static_cast<std::size_t>(batch) * static_cast<std::size_t>(each));
      for (auto& id : out) id = random(n);
      return out.data();
    };
    const auto numbers = [&](std::vector<float>& out, int each) {
      out.resize(static_cast<std::size_t>(batch) * static_cast<std::size_t>(each));
      for (auto& x : out) x = static_cast<float>(random(256)) / 256.0f;
      return out.data();
    };
    in.task = task;
    in.batch = batch;
    in.live = live;
    in.words = ids(words, c.language, c.vocab);
    in.vision = ids(vision, c.vision, c.actions);
    in.history = ids(history, c.history, c.actions);
    in.features = numbers(features, c.vision * hitut::kFeatures);
    arg_position.assign(static_cast<std::size_t>(batch), live - 1);
    type_position.assign(static_cast<std::size_t>(batch), live - 2);
    in.arg_position = arg_position.data();
    in.type_position = type_position.data();
    if (task != hitut::Task::low_navi) return;
    in.rotation = in.horizon = ids(posture, 1, hitut::kRotations);
    if (c.past_vision) {
      const int slots = hitut::past_steps(c) * hitut::kPastSlots;
      in.past = ids(past, slots, c.actions);
      in.past_features = numbers(past_features, slots * hitut::kFeatures);
    }
  }
};

void run(const Options& options) {
  const auto start = Clock::now();
  HitutSession session(options.file, options.isa, options.threads);
  const hitut::Config& c = session.config();
  const hitut::Task task = options.task == "high"       ? hitut::Task::high
                           : options.task == "low_mani" ? hitut::Task::low_mani
                                                        : hitut::Task::low_navi;
  const int live = options.seq > 0 ? std::min(options.seq, c.seq) : c.seq;
  const Inputs inputs(c, task, options.batch, live);
  const auto floats = [&](int each) {
    return std::vector<float>(static_cast<std::size_t>(options.batch) *
                              static_cast<std::size_t>(each));
  };
  std::vector<float> type = floats(hitut::type_count(c, task)), arg = floats(c.object_count),
                     mask = floats(c.vision), monitors = floats(3);
  const hitut::Output out{type.data(), arg.data(), mask.data(), monitors.data()};
  const hitut::Trace everything{};
  const hitut::Trace* trace = options.every_row ? &everything : nullptr;

  const double ready = seconds_since(start);
  session.forward(inputs.in, out, trace);
  const double first = seconds_since(start);
  const double rss = peak_rss_bytes();

  // The peak is measured between the runs: both then see the same clock and the same neighbours.
  std::vector<double> times, peaks;
  const auto begin = Clock::now();
  for (int i = 0; i < 5 || (seconds_since(begin) < options.seconds && i < 100000); ++i) {
    const auto at = Clock::now();
    session.forward(inputs.in, out, trace);
    times.push_back(seconds_since(at));
    if (i % 4 == 0) peaks.push_back(measure_peak_gflops(session.isa(), 2));
  }
  std::sort(times.begin(), times.end());
  std::sort(peaks.begin(), peaks.end());
  double mean = 0, variance = 0;
  for (const double t : times) mean += t / static_cast<double>(times.size());
  for (const double t : times)
    variance += (t - mean) * (t - mean) / static_cast<double>(times.size());
  const double median = times[times.size() / 2];
  const double peak = peaks[peaks.size() / 2] * options.threads;
  const Plan plan = session.plan(task, options.batch, live, options.every_row);
  const double gflop = static_cast<double>(plan.flops) * 1e-9;
  const double floor = gflop / peak;
  std::uint64_t logits = 14695981039346656037u;
  for (const auto* x : {&type, &arg}) logits = hash(*x, logits);
  if (hitut::has_mask(task)) logits = hash(mask, logits);
  char logits_text[20];
  std::snprintf(logits_text, sizeof logits_text, "%016llx",
                static_cast<unsigned long long>(logits));

  Json json;
  json["model"] = options.file;
  json["isa"] = session.isa();
  json["threads"] = options.threads;
  json["task"] = options.task;
  json["batch"] = options.batch;
  json["positions"] = live;
  json["every_row"] = options.every_row;
  json["runs"] = times.size();
  json["latency_ms"] = {{"median", median * 1e3},
                        {"mean", mean * 1e3},
                        {"std", std::sqrt(variance) * 1e3},
                        {"min", times.front() * 1e3},
                        {"max", times.back() * 1e3}};
  json["gflop"] = gflop;
  json["peak_gflops"] = peak;
  json["floor_ms"] = floor * 1e3;
  json["share_of_peak"] = floor / median;
  json["times_floor"] = median / floor;
  json["start_ms"] = {{"ready", ready * 1e3}, {"first_output", first * 1e3}};
  json["file_bytes"] = session.file_bytes();
  json["scratch_bytes"] = plan.scratch_bytes;
  json["peak_rss_bytes"] = rss;
  json["logits_hash"] = logits_text;
  if (options.json) {
    std::printf("%s\n", json.dump(2).c_str());
    return;
  }
  std::printf("%s  (%s, %d thread%s)\n", options.file.c_str(), session.isa(), options.threads,
              options.threads == 1 ? "" : "s");
  std::printf("  %s, batch %d, %d live positions%s\n\n", options.task.c_str(), options.batch, live,
              options.every_row ? ", every row computed" : "");
  std::printf("  latency      %.3f ms median, %.3f ± %.3f mean, %.3f min, %.3f max of %zu runs\n",
              median * 1e3, mean * 1e3, std::sqrt(variance) * 1e3, times.front() * 1e3,
              times.back() * 1e3, times.size());
  std::printf("  work         %.4f GFLOP, %.1f GFLOP/s\n", gflop, gflop / median);
  std::printf("  FMA peak     %.1f GFLOP/s, measured between the runs\n", peak);
  std::printf("  floor        %.3f ms; the run takes %.3f × that, %.1f %% of the peak\n",
              floor * 1e3, median / floor, 100 * floor / median);
  std::printf("  start        %.1f ms to a bound model, %.1f ms to the first output\n", ready * 1e3,
              first * 1e3);
  std::printf(
      "  memory       file %.1f MB, scratch %.2f MB, peak RSS %.1f MB after the first output\n",
      static_cast<double>(session.file_bytes()) * 1e-6,
      static_cast<double>(plan.scratch_bytes) * 1e-6, rss * 1e-6);
  std::printf("  logits       %s\n", logits_text);
}

}  // namespace

void add_model(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("model", "Latency, memory and share of this machine's peak");
  command->add_option("file", options->file, "Model file (.gguf)")->required();
  command->add_option("--task", options->task, "high, low_mani or low_navi")
      ->check(CLI::IsMember({"high", "low_mani", "low_navi"}));
  command->add_option("--seq", options->seq, "Positions that are not masked (default: all)")
      ->check(CLI::Range(3, 65536));
  command->add_option("--batch", options->batch, "Sequences at once")->check(CLI::Range(1, 1024));
  command->add_option("--threads", options->threads, "Threads")->check(CLI::Range(1, 256));
  command->add_option("--isa", options->isa, "Instruction set; default: the best here");
  command->add_option("--seconds", options->seconds, "Measure for so long")
      ->check(CLI::Range(0.0, 3600.0));
  command->add_flag("--all-rows", options->every_row, "Compute every row of the last layer too");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options] { run(*options); });
}

}  // namespace kinglet::tools
