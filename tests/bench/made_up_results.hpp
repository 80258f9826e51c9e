#pragma once
// Results as two machines might have given them; the figures are made up.

#include <cmath>
#include <results/results.hpp>
#include <string>

namespace kinglet::tests {

/// A machine that is `slow` times slower than the first, over batches and lengths, with an fp32 and
/// an int8 model.
inline tools::Results made_up_results(const std::string& label, double slow, double noise = 0.01) {
  using namespace tools;
  Results r;
  r.machine = {label,    "Cortex-A78AE",  "aarch64",        "Linux 5.15 (Ubuntu 22.04)", 6,
               8u << 28, "kinglet 0.1.0", "g++ 12.2.0 -O3", "2026-01-31T12:00:00Z"};
  r.limits = {{"neon64_dot", 1, 35e9 / slow, 140e9 / slow, 12e9 / slow}};
  Model fp32 = {"models/hitut6-fp32.gguf",
                "hitut6",
                "hitut",
                "fp32",
                326200000,
                326000000,
                81500000,
                82236800,
                {}};
  Model int8 = {"models/hitut6-int8.gguf",
                "hitut6",
                "hitut",
                "int8, 3 of 40 matrices fp32",
                82100000,
                81900000,
                81500000,
                82236800,
                {}};
  fp32.accuracy = {{"low_mani", "type", 0.9821, 982, 1000}, {"low_mani", "mask", 0.87, 870, 1000}};
  int8.accuracy = {{"low_mani", "type", 0.9801, 980, 1000}, {"low_mani", "mask", 0.861, 861, 1000}};
  r.models = {fp32, int8};
  for (int model = 0; model < 2; ++model) {
    const double speed = (model == 0 ? 29e9 : 88e9) / slow;
    for (const int length : {32, 64, 128}) {
      for (const int batch : {1, 2, 4, 8}) {
        Point p;
        p.model = model;
        p.task = "low_mani", p.isa = "neon64_dot";
        p.batch = batch, p.length = length;
        p.flops = static_cast<std::uint64_t>(85e6 * batch * length);
        p.s8_flops = model == 0 ? 0 : p.flops / 10 * 9;
        p.bytes_moved =
            static_cast<std::uint64_t>((model == 0 ? 170e6 : 44e6) + 5e5 * batch * length);
        const double t = static_cast<double>(p.flops) / speed + 0.002 * slow;
        p.latency = {200, t * 1.005,       t * noise,           t * 0.993,
                     t,   t * (1 + noise), t * (1 + 3 * noise), t * (1 + 5 * noise),
                     7};
        p.first_output.value = 0.15 * slow;
        p.scratch_planned = p.scratch_used = 60000ull * static_cast<std::uint64_t>(batch * length);
        p.peak_planned = r.models[static_cast<std::size_t>(model)].file_bytes + p.scratch_planned;
        p.program_resident.value = 3900000;
        p.peak_resident.value = p.peak_planned / 10 * 6;
        p.resident_growth.value = 0;
        p.frequency.value = Frequency{1.984e9, 1.984e9, 1.984e9, false};
        p.energy.value =
            Energy{"INA3221", "VDD_IN", 6.1, 2.9, 3.2 * t, {"VDD_CPU_GPU_CV", "VDD_SOC"}};
        p.output_hash = model == 0 ? "0123456789abcdef" : "fedcba9876543210";
        if (length == 32 && batch == 1) {
          const struct {
            const char *op, *tensor;
            double share, flops;
          } parts[] = {
              {"linear", "blk.*.ffn_up", 0.33, 0.32},  {"linear", "blk.*.ffn_down", 0.31, 0.32},
              {"linear", "blk.*.attn_qkv", 0.2, 0.24}, {"linear", "blk.*.attn_output", 0.07, 0.08},
              {"attention", "", 0.05, 0.03},           {"activate", "", 0.02, 0.004},
              {"layer_norm", "", 0.01, 0.002},         {"embedding", "token_embd", 0.01, 0.001}};
          for (const auto& part : parts) {
            const double flops = part.flops * static_cast<double>(p.flops);
            const bool product = part.flops > 0.05;
            p.ops.push_back(
                {part.op, part.tensor, 6, part.share * t, static_cast<std::uint64_t>(flops),
                 static_cast<std::uint64_t>(product ? flops / (model == 0 ? 13 : 40) : flops / 2),
                 model == 1 && product,
                 model == 1 && product ? static_cast<std::uint64_t>(flops) : 0});
          }
        }
        r.points.push_back(p);
      }
    }
  }
  return r;
}

}  // namespace kinglet::tests
