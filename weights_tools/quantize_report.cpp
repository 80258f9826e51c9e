// What quantize found out and did: a table, and JSON.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <ostream>

#include "json_text.hpp"
#include "quantize.hpp"
#include "text.hpp"

namespace kinglet::tools {
namespace {

using Json = nlohmann::ordered_json;

const char* text_of(Decision decision) {
  switch (decision) {
    case Decision::int8: return "int8";
    case Decision::kept_as_asked: return "fp32, as asked";
    case Decision::kept_for_accuracy: return "fp32, costs most";
  }
  return "";
}

template <class... Values>
void print(std::ostream& out, const char* format, Values... values) {
  char line[400];
  std::snprintf(line, sizeof line, format, values...);
  out << line;
}

std::string error_text(double error) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", error);
  return text;
}

bool is_smoothed(const QuantizeResult& result, const std::string& name) {
  const auto& all = result.smoothed;
  return std::find(all.begin(), all.end(), name) != all.end();
}

std::string decision_text(const QuantizeResult& result, std::size_t i) {
  const bool factors =
      result.decisions[i] == Decision::int8 && is_smoothed(result, result.weights[i].name);
  return std::string(text_of(result.decisions[i])) + (factors ? ", smoothed" : "");
}

bool is_s8(const QuantizeResult& result, std::uint32_t layer) {
  const auto& chosen = result.s8_attention;
  return std::find(chosen.begin(), chosen.end(), layer) != chosen.end();
}

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / 1048576.0; }

}  // namespace

void print_quantized(std::ostream& out, const QuantizeRequest& request,
                     const QuantizeResult& result) {
  const char* row = "  %-32s %15s %12s %12s %12s  %s\n";
  print(out, row, "matrix or table", "rows x depth", "fp32 bytes", "int8 bytes", "error alone", "");
  for (std::size_t i = 0; i < result.weights.size(); ++i) {
    const QuantizableWeight& w = result.weights[i];
    print(out, row, w.name.c_str(),
          (std::to_string(w.rows) + " x " + std::to_string(w.depth)).c_str(),
          std::to_string(w.f32_bytes).c_str(), std::to_string(w.s8_bytes).c_str(),
          result.errors.empty() ? "-" : error_text(result.errors[i]).c_str(),
          decision_text(result, i).c_str());
  }
  for (std::size_t i = 0; i < result.attention_layers.size(); ++i) {
    const std::uint32_t layer = result.attention_layers[i];
    print(out, row, ("attention of layer " + std::to_string(layer)).c_str(), "-", "-", "-",
          result.attention_errors.empty() ? "-" : error_text(result.attention_errors[i]).c_str(),
          is_s8(result, layer) ? "int8" : "fp32");
  }
  out << '\n';
  const Recentred& moved = result.recentred;
  if (moved.norms + moved.layers > 0) {
    print(out,
          "  constants of channels moved into biases: %d norms, keys and values of %d layers, by "
          "their "
          "%s; the largest %.4g (%s)\n",
          moved.norms, moved.layers, name_of(moved.centre), moved.largest, moved.where.c_str());
  }
  if (result.rounded) out << "  matrices rounded for the rows that they read of the samples\n";
  if (result.all_int8) {
    print(out, "  error with all of them in int8 %s (%s), as chosen %s (%s)\n",
          error_text(result.all_int8->worst).c_str(), result.all_int8->output.c_str(),
          error_text(result.reached->worst).c_str(), result.reached->output.c_str());
  }
  if (!result.refused.empty()) return;
  print(out, "  %s: %llu bytes (%.2f MiB), %.1f %% of %llu\n",
        printable(request.output, 1000).c_str(), static_cast<unsigned long long>(result.bytes),
        mib(result.bytes),
        100 * static_cast<double>(result.bytes) / static_cast<double>(result.bytes_before),
        static_cast<unsigned long long>(result.bytes_before));
}

std::string quantized_json(const QuantizeRequest& request, const QuantizeResult& result) {
  Json out;
  out["model"] = request.input;
  out["output"] = request.output;
  if (!request.samples.empty()) {
    out["samples"] = request.samples;
    out["rows"] = request.rows;
  }
  out["weights"] = Json::array();
  for (std::size_t i = 0; i < result.weights.size(); ++i) {
    const QuantizableWeight& w = result.weights[i];
    Json entry = {{"name", w.name},   {"table", w.is_table},       {"rows", w.rows},
                  {"depth", w.depth}, {"fp32_bytes", w.f32_bytes}, {"int8_bytes", w.s8_bytes}};
    if (!result.errors.empty()) entry["error_alone"] = result.errors[i];
    entry["decision"] = text_of(result.decisions[i]);
    entry["smoothed"] = is_smoothed(result, w.name);
    out["weights"].push_back(entry);
  }
  out["attention"] = Json::array();
  for (std::size_t i = 0; i < result.attention_layers.size(); ++i) {
    Json entry = {{"layer", result.attention_layers[i]}};
    if (!result.attention_errors.empty()) entry["error_alone"] = result.attention_errors[i];
    entry["decision"] = is_s8(result, result.attention_layers[i]) ? "int8" : "fp32";
    out["attention"].push_back(entry);
  }
  const Recentred& moved = result.recentred;
  out["recentred"] = {{"by", name_of(moved.centre)},
                      {"norms", moved.norms},
                      {"attention_layers", moved.layers},
                      {"largest", moved.largest},
                      {"where", moved.where}};
  out["rounded_for_samples"] = result.rounded;
  if (result.all_int8) {
    out["error_all_int8"] = {{"worst", result.all_int8->worst},
                             {"output", result.all_int8->output}};
    out["error"] = {{"worst", result.reached->worst}, {"output", result.reached->output}};
  }
  out["bytes_before"] = result.bytes_before;
  out["bytes"] = result.bytes;
  return json_text(out);
}

}  // namespace kinglet::tools
