#include <doctest/doctest.h>

#include <results/results.hpp>
#include <string>
#include <vector>

#include "file_error.hpp"

using namespace kinglet::tools;

namespace {

/// Every member has a value of its own.
Results full_results() {
  Results r;
  r.machine = {
      "board",      "a \"CPU\", of course", "aarch64", "Linux 6.1", 4, 3956u << 20, "0.1.0",
      "g++ 12.2.0", "2026-01-31T12:00:00Z"};
  r.limits = {{"neon64", 2, 28.5e9, 56.25e9, 9.5e9}};
  Model model{"a/fp32.gguf", "fp32", "hitut", "int8, 3 of 40 matrices fp32", 1000, 900,
              250,           300,    {}};
  model.accuracy = {{"low_mani", "type", 0.975, 390, 400}};
  r.models = {model, {"b.gguf", "b", "bert", "fp32", 2000, 1900, 475, 0, {}}};
  Point p;
  p.model = 1;
  p.task = "embedding";
  p.isa = "neon64";
  p.threads = 2, p.batch = 4, p.length = 32, p.image = 96, p.steps = 50;
  p.every_row = true;
  p.latency = {5, 0.5, 0.1, 0.25, 0.4375, 0.625, 0.75, 0.875, 1};
  p.ready.value = 0.5;
  p.first_output.why = "no processes";
  p.cold = Latency{3, 1, 0, 1, 1, 1, 1, 1, 0};
  p.flops = 4000000000000ull, p.s8_flops = 1000, p.bytes_moved = 123;
  p.weight_reads = WeightReads{77, 0.125};
  p.scratch_planned = p.scratch_used = 64, p.state_bytes = 8, p.io_bytes = 12,
  p.peak_planned = 2072;
  p.program_resident.value = 1;
  p.peak_resident.value = 3;
  p.resident_growth.value = 0;
  p.frequency.value = Frequency{1.5e9, 1.25e9, 1e9, true};
  p.energy.value = Energy{"INA3221", "VDD_IN", 5.5, 2.5, 0.75, {"VDD_CPU", "VDD_GPU"}};
  p.ops = {{"linear", "blk.*.ffn_up", 6, 0.25, 1000, 10, true, 900}};
  p.output_hash = "0123456789abcdef";
  r.points = {p};
  r.interrupted = true;
  return r;
}

std::string error_of(const std::string& json) {
  try {
    from_json(json, "a.json");
  } catch (const FileError& error) {
    return error.what();
  }
  return "";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  REQUIRE(text.find(from) != std::string::npos);
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("results come back from JSON as they were") {
  const std::string json = to_json(full_results());
  const Results back = from_json(json, "a.json");
  CHECK(to_json(back) == json);
  CHECK(back.machine.cpu == "a \"CPU\", of course");
  CHECK(back.models[0].accuracy[0].right == 390);
  REQUIRE(back.points.size() == 1);
  const Point& p = back.points[0];
  CHECK(p.latency.p99 == 0.75);
  CHECK(p.flops == 4000000000000ull);
  CHECK(p.first_output.why == "no processes");
  CHECK(!p.first_output.value);
  CHECK(p.resident_growth.value == 0u);
  CHECK(p.energy.value->other_rails == std::vector<std::string>{"VDD_CPU", "VDD_GPU"});
  CHECK(p.ops[0].int8);
  CHECK(p.ops[0].s8_flops == 900);
  CHECK(back.interrupted);

  const Results empty = from_json(to_json({}), "b.json");
  CHECK(empty.points.empty());
  Results without = full_results();
  without.points[0].cold.reset();
  without.points[0].weight_reads.reset();
  CHECK(to_json(without).find("\"cold\"") == std::string::npos);
  CHECK(!from_json(to_json(without), "c.json").points[0].cold);
}

TEST_CASE("JSON that is no result is refused with the place") {
  CHECK(error_of("{") == "a.json: is no JSON");
  CHECK(error_of("[]").find("a.json: kinglet_bench_results: is not 1") == 0);
  CHECK(error_of("{\"kinglet_bench_results\": 2}").find("is not 1") != std::string::npos);
  const std::string json = to_json(full_results());
  CHECK(error_of(replaced(json, "\"model\": 1", "\"model\": 2")) ==
        "a.json: points.0.model: there is no such model");
  CHECK(error_of(replaced(json, "\"model\": 1", "\"model\": -1")) ==
        "a.json: points.0.model: is not a whole number from 0 on");
  CHECK(error_of(replaced(json, "\"cores\": 4", "\"cores\": 4000000000")) ==
        "a.json: machine.cores: is too large");
  CHECK(error_of(replaced(json, "\"mean\": 0.5", "\"mean\": \"0.5\"")) ==
        "a.json: points.0.latency.mean: is not a number");
  CHECK(error_of(replaced(json, "\"interrupted\": true", "\"interrupted\": 1")) ==
        "a.json: interrupted: is not true or false");
  CHECK(error_of(replaced(json, "\"limits\"", "\"other\"")) == "a.json: limits: is not a list");
}

TEST_CASE("CSV has a line a point below the machine, and the same columns whatever is known") {
  const auto lines_of = [](const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      lines.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  };
  const std::vector<std::string> lines = lines_of(to_csv(full_results()));
  REQUIRE(lines.size() == 12);
  CHECK(lines[1] == "# cpu: a \"CPU\", of course");
  CHECK(lines[9] == "# interrupted: points are missing");
  CHECK(lines[10] ==
        "model.file,model.name,model.architecture,model.precision,model.file_bytes,"
        "model.weight_bytes,model.parameters,model.source_parameters,task,isa,threads,batch,length,"
        "image,steps,every_row,latency.runs,latency.mean,latency.deviation,latency.min,latency.p50,"
        "latency.p90,latency.p99,latency.max,latency.outliers,ready,first_output,cold.runs,"
        "cold.mean,cold.deviation,cold.min,cold.p50,cold.p90,cold.p99,cold.max,cold.outliers,flops,"
        "s8_flops,bytes_moved,weight_reads.bytes,weight_reads.seconds,scratch_planned,scratch_used,"
        "state_bytes,io_bytes,peak_planned,program_resident,peak_resident,resident_growth,"
        "frequency.begin,"
        "frequency.end,frequency.lowest,frequency.throttled,energy.source,energy.rail,energy.watts,"
        "energy.idle_watts,energy.joules_per_run,energy.other_rails,output_hash,limits.f32_flops,"
        "limits.s8_ops,limits.bandwidth,accuracy.low_mani.type");
  CHECK(lines[11] ==
        "b.gguf,b,bert,fp32,2000,1900,475,0,embedding,neon64,2,4,32,96,50,true,5,0.5,0.1,0.25,"
        "0.4375,0.625,0.75,0.875,1,0.5,not available: no processes,3,1.0,0.0,1.0,1.0,1.0,1.0,1.0,0,"
        "4000000000000,1000,123,77,0.125,64,64,8,12,2072,1,3,0,1500000000.0,1250000000.0,"
        "1000000000.0,"
        "true,INA3221,VDD_IN,5.5,2.5,0.75,VDD_CPU; VDD_GPU,0123456789abcdef,28500000000.0,"
        "56250000000.0,9500000000.0,");

  Results less = full_results();
  less.points[0].cold.reset();
  less.points[0].energy = {{}, "no rail, \"none\""};
  const std::vector<std::string> shorter = lines_of(to_csv(less));
  CHECK(shorter[10] == lines[10]);
  CHECK(shorter[11].find(",\"not available: no rail, \"\"none\"\"\",,,,,,") != std::string::npos);
}

TEST_CASE("tables tell what is not available, and a difference from the plan loudly") {
  Results r = full_results();
  std::string text = to_table(r);
  CHECK(text.find("first output") != std::string::npos);
  CHECK(text.find("not available: no processes") != std::string::npos);
  CHECK(text.find("NOT WHAT WAS PLANNED") == std::string::npos);
  CHECK(text.find("interrupted") != std::string::npos);
  r.points[0].scratch_used = 65;
  CHECK(to_table(r).find("NOT WHAT WAS PLANNED") != std::string::npos);
  r.points.push_back(r.points[0]);
  r.points[1].model = 0;
  r.points[1].batch = 8;
  text = to_table(r);
  CHECK(text.find("NOT WHAT WAS PLANNED") != std::string::npos);
  CHECK(text.find("threads 2, length 32") != std::string::npos);  // in common, above the table
  CHECK(text.find("low_mani type") != std::string::npos);
  CHECK(to_table({}) == "");
}

TEST_CASE("tables tell models of one name apart, and where the ops were timed") {
  Results r = full_results();
  r.models[0].name = r.models[1].name;
  r.points.push_back(r.points[0]);
  r.points[1].model = 0;
  std::string text = to_table(r);
  CHECK(text.find("\n  b, fp32 ") != std::string::npos);
  CHECK(text.find("\n  b, int8 ") != std::string::npos);
  CHECK(text.find("b, fp32, embedding, batch 4, 32 live positions, 50 steps, images of 96 × 96, "
                  "every row computed  (neon64, 2 threads): ops") != std::string::npos);
  r.models[0] = r.models[1];
  text = to_table(r);
  CHECK(text.find("\n  b ") != std::string::npos);
  CHECK(text.find("\n  b (2) ") != std::string::npos);
}
