#pragma once
// What was measured: the one form that `kinglet-bench model` fills, and that tables, JSON, CSV, the
// report and its plots are made from. Times in seconds, sizes in bytes, rates per second.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kinglet::tools {

/// A figure that this system may not tell, and why it does not: never 0 in its place.
template <class T>
struct Told {
  std::optional<T> value;
  std::string why;  ///< without a value; shown as "not available: <why>"
};

struct Machine {
  std::string label;  ///< what reports call it: --label, else the CPU's name
  std::string cpu, architecture, system;
  int cores = 0;  ///< that this process may use
  std::uint64_t memory = 0;
  std::string version, compiler;  ///< of kinglet
  std::string date;               ///< UTC, 2026-01-31T12:00:00Z
};

/// What this machine can do at most, measured between the runs.
struct Limits {
  std::string isa;
  int threads = 1;
  double f32_flops = 0;  ///< fused multiply-adds in registers, all threads
  double s8_ops = 0;     ///< int8 products and sums in registers
  double bandwidth = 0;  ///< of reading memory
};

/// Share of right answers, F1, cosine …, as `kinglet-bench accuracy` prints them.
struct Accuracy {
  std::string group, name;
  double value = 0;
  int right = 0, asked = 0;  ///< asked: 0 where it is no share
};

struct Model {
  std::string file, name, architecture;
  std::string precision;  ///< "fp32", "int8"; "int8, 3 of 40 matrices fp32"
  std::uint64_t file_bytes = 0, weight_bytes = 0;
  std::uint64_t parameters = 0;         ///< stored
  std::uint64_t source_parameters = 0;  ///< of the checkpoint, shared ones once; 0: not recorded
  std::vector<Accuracy> accuracy;
};

/// Of all runs of a point; none is left out.
struct Latency {
  int runs = 0;
  double mean = 0, deviation = 0, min = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;
  int outliers = 0;  ///< beyond 1.5 interquartile ranges
};

struct OpTime {
  std::string op;      ///< "linear", "attention"
  std::string tensor;  ///< "blk.*.ffn_up", with * for the layers together; empty: none
  std::uint64_t calls = 0;
  double seconds = 0;  ///< of one run
  std::uint64_t flops = 0, bytes = 0;
  bool int8 = false;           ///< of its weights
  std::uint64_t s8_flops = 0;  ///< those of int8 products among the flops
};

/// A plain loop over the weights that a run must get from memory or caches.
struct WeightReads {
  std::uint64_t bytes = 0;
  double seconds = 0;
};

struct Energy {
  std::string source, rail;              ///< "INA3221", "VDD_IN"
  double watts = 0, idle_watts = 0;      ///< on average, with and without the model
  double joules_per_run = 0;             ///< idle subtracted
  std::vector<std::string> other_rails;  ///< that are parts of the rail, or beside it: not added
};

struct Frequency {
  double begin = 0, end = 0, lowest = 0;  ///< Hz
  bool throttled = false;
};

/// One place of the grid.
struct Point {
  int model = 0;  ///< index
  std::string task, isa;
  int threads = 1, batch = 1;
  int length = 0;          ///< live positions; 0: does not apply
  int image = 0;           ///< side in pixels; 0: does not apply
  int steps = 0;           ///< of Seq2Seq; 0: does not apply
  bool every_row = false;  ///< of the last layer
  Latency latency;
  Told<double> ready, first_output;  ///< of a fresh process: a bound model, the first output
  std::optional<Latency> cold;       ///< fresh processes up to the first output
  std::uint64_t flops = 0, bytes_moved = 0;
  std::uint64_t s8_flops = 0;  ///< those of int8 products among the flops
  std::optional<WeightReads> weight_reads;
  std::uint64_t scratch_planned = 0, scratch_used = 0, state_bytes = 0;
  std::uint64_t io_bytes = 0;      ///< of inputs and outputs, which are the caller's
  std::uint64_t peak_planned = 0;  ///< file + scratch + state
  /// Of a fresh process: before it opens the model; at most; from its second run to its last.
  Told<std::uint64_t> program_resident, peak_resident, resident_growth;
  Told<Frequency> frequency;
  Told<Energy> energy;
  std::vector<OpTime> ops;
  std::string output_hash;
};

struct Results {
  Machine machine;
  std::vector<Limits> limits;
  std::vector<Model> models;
  std::vector<Point> points;
  bool interrupted = false;  ///< points are missing
};

/// Those measured with the point's instruction set and threads; null when there are none.
const Limits* limits_of(const Results& results, const Point& point);

/// A name for each model that no other has: its own, and where two are equal what tells them apart.
std::vector<std::string> distinct_names(const std::vector<Model>& models);

/// Names that occur twice get `more` of theirs behind them, where that differs.
void tell_apart(std::vector<std::string>& names, const std::vector<std::string>& more);

/// The second of equal names becomes "name (2)".
void number_equal(std::vector<std::string>& names);

/// Stable keys; they are described in bench/README.md.
std::string to_json(const Results& results);
/// Of what to_json wrote. Throws FileError; `path` is for messages.
Results from_json(const std::string& text, const std::string& path);
/// A line a point, after lines "# key: value" that tell of the machine.
std::string to_csv(const Results& results);
/// For people: a table of the grid, limits and, where there are any, times of ops and accuracies.
std::string to_table(const Results& results);

}  // namespace kinglet::tools
