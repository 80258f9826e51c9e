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
#include "workload.hpp"

namespace kinglet::tools {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Options {
  std::string file;
  WorkloadOptions work;
  std::string isa;
  int threads = 1;
  double seconds = 3;
  bool json = false;
};

double median(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  return x[x.size() / 2];
}

/// Seconds that a plain loop takes to read the weights.
double read_all(const std::vector<WeightRead>& reads) {
  const auto begin = Clock::now();
  for (const WeightRead& read : reads) {
    volatile float sink = read_pass(read.data, read.bytes);
    static_cast<void>(sink);
  }
  return seconds_since(begin);
}

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

void run(const Options& options) {
  const auto start = Clock::now();
  const auto session = open_model(options.file, options.isa, options.threads);
  const auto workload = make_workload(*session, options.work);

  const double ready = seconds_since(start);
  workload->run();
  const double first = seconds_since(start);
  const double rss = peak_rss_bytes();

  // The peak is measured between the runs: both then see the same clock and the same neighbours. So
  // is the reading of weights, by one thread.
  std::vector<double> times, peaks, read_times;
  const std::vector<WeightRead> reads = workload->reads();
  const auto begin = Clock::now();
  for (int i = 0; i < 5 || (seconds_since(begin) < options.seconds && i < 100000); ++i) {
    const auto at = Clock::now();
    workload->run();
    times.push_back(seconds_since(at));
    if (i % 4 != 0) continue;
    peaks.push_back(measure_peak_gflops(session->isa(), 2));
    if (!reads.empty()) read_times.push_back(read_all(reads));
  }
  std::sort(times.begin(), times.end());
  double mean = 0, variance = 0;
  for (const double t : times) mean += t / static_cast<double>(times.size());
  for (const double t : times)
    variance += (t - mean) * (t - mean) / static_cast<double>(times.size());
  const double middle = times[times.size() / 2];
  const double peak = median(peaks) * options.threads;
  const Plan plan = workload->plan();
  const double gflop = static_cast<double>(plan.flops) * 1e-9;
  const double floor = gflop / peak;
  char logits_text[20];
  std::snprintf(logits_text, sizeof logits_text, "%016llx",
                static_cast<unsigned long long>(workload->hash()));

  Json json;
  json["model"] = options.file;
  json["isa"] = session->isa();
  json["threads"] = options.threads;
  json["task"] = workload->task();
  json["batch"] = options.work.batch;
  json["positions"] = workload->positions();
  json["every_row"] = options.work.every_row;
  json["runs"] = times.size();
  json["latency_ms"] = {{"median", middle * 1e3},
                        {"mean", mean * 1e3},
                        {"std", std::sqrt(variance) * 1e3},
                        {"min", times.front() * 1e3},
                        {"max", times.back() * 1e3}};
  json["gflop"] = gflop;
  json["peak_gflops"] = peak;
  json["floor_ms"] = floor * 1e3;
  json["share_of_peak"] = floor / middle;
  json["times_floor"] = middle / floor;
  double read_bytes = 0;
  for (const WeightRead& read : reads) read_bytes += static_cast<double>(read.bytes);
  const double read_time = reads.empty() ? 0 : median(read_times);
  if (!reads.empty()) {
    json["read_bytes"] = read_bytes;
    json["read_ms"] = read_time * 1e3;
    json["share_of_reads"] = read_time / middle;
  }
  json["start_ms"] = {{"ready", ready * 1e3}, {"first_output", first * 1e3}};
  json["file_bytes"] = session->file_bytes();
  json["scratch_bytes"] = plan.scratch_bytes;
  json["held_bytes"] = workload->held_bytes();
  json["scratch_used_bytes"] = session->used_bytes();
  json["peak_rss_bytes"] = rss;
  json["logits_hash"] = logits_text;
  if (options.json) {
    std::printf("%s\n", json.dump(2).c_str());
    return;
  }
  std::printf("%s  (%s, %d thread%s)\n", options.file.c_str(), session->isa(), options.threads,
              options.threads == 1 ? "" : "s");
  std::printf("  %s, batch %d, %d live positions%s\n\n", workload->task().c_str(),
              options.work.batch, workload->positions(),
              options.work.every_row ? ", every row computed" : "");
  std::printf("  latency      %.3f ms median, %.3f ± %.3f mean, %.3f min, %.3f max of %zu runs\n",
              middle * 1e3, mean * 1e3, std::sqrt(variance) * 1e3, times.front() * 1e3,
              times.back() * 1e3, times.size());
  std::printf("  work         %.4f GFLOP, %.1f GFLOP/s\n", gflop, gflop / middle);
  std::printf("  FMA peak     %.1f GFLOP/s, measured between the runs\n", peak);
  std::printf("  floor        %.3f ms; the run takes %.3f × that, %.1f %% of the peak\n",
              floor * 1e3, middle / floor, 100 * floor / middle);
  if (!reads.empty()) {
    std::printf(
        "  weights      %.1f MB read, %.1f GB/s; a plain loop takes %.3f ms, %.1f %% of the run\n",
        read_bytes * 1e-6, read_bytes * 1e-9 / middle, read_time * 1e3, 100 * read_time / middle);
  }
  std::printf("  start        %.1f ms to a bound model, %.1f ms to the first output\n", ready * 1e3,
              first * 1e3);
  std::printf("  memory       file %.1f MB, scratch %.2f MB planned and %.2f used, state %.2f MB\n",
              static_cast<double>(session->file_bytes()) * 1e-6,
              static_cast<double>(plan.scratch_bytes) * 1e-6,
              static_cast<double>(session->used_bytes()) * 1e-6,
              static_cast<double>(workload->held_bytes()) * 1e-6);
  std::printf("  peak RSS     %.1f MB after the first output\n", rss * 1e-6);
  std::printf("  logits       %s\n", logits_text);
}

}  // namespace

void add_model(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("model", "Latency, memory and share of this machine's peak");
  command->add_option("file", options->file, "Model file (.gguf)")->required();
  command
      ->add_option("--task", options->work.task,
                   "Of HiTUT: high, low_mani (default) or low_navi; of Seq2Seq: language, core or "
                   "whole (default)")
      ->check(CLI::IsMember({"high", "low_mani", "low_navi", "language", "core", "whole"}));
  command
      ->add_option("--seq", options->work.live,
                   "Positions that are not masked (default: all); words of Seq2Seq (default: 64)")
      ->check(CLI::Range(3, 65536));
  command->add_option("--steps", options->work.steps, "Of Seq2Seq (default: 50)")
      ->check(CLI::Range(1, 4096));
  command->add_option("--batch", options->work.batch, "Sequences at once")
      ->check(CLI::Range(1, 1024));
  command->add_option("--threads", options->threads, "Threads")->check(CLI::Range(1, 256));
  command->add_option("--isa", options->isa, "Instruction set; default: the best here");
  command->add_option("--seconds", options->seconds, "Measure for so long")
      ->check(CLI::Range(0.0, 3600.0));
  command->add_flag("--all-rows", options->work.every_row,
                    "Compute every row of the last layer too");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options] { run(*options); });
}

}  // namespace kinglet::tools
