#include "numbers.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace kinglet::tools::report {
namespace {

const std::vector<Unit>& units_of(Quantity quantity) {
  static const std::vector<Unit> kSeconds = {{1e-9, "ns"}, {1e-6, "µs"}, {1e-3, "ms"}, {1, "s"}};
  static const std::vector<Unit> kBytes = {{1, "B"}, {1e3, "kB"}, {1e6, "MB"}, {1e9, "GB"}};
  static const std::vector<Unit> kFlops = {
      {1, "FLOP"}, {1e3, "kFLOP"}, {1e6, "MFLOP"}, {1e9, "GFLOP"}, {1e12, "TFLOP"}};
  static const std::vector<Unit> kRateFlops = {
      {1e6, "MFLOP/s"}, {1e9, "GFLOP/s"}, {1e12, "TFLOP/s"}};
  static const std::vector<Unit> kRateOps = {{1e6, "MOP/s"}, {1e9, "GOP/s"}, {1e12, "TOP/s"}};
  static const std::vector<Unit> kRateBytes = {{1e6, "MB/s"}, {1e9, "GB/s"}, {1e12, "TB/s"}};
  static const std::vector<Unit> kJoules = {{1e-6, "µJ"}, {1e-3, "mJ"}, {1, "J"}};
  static const std::vector<Unit> kWatts = {{1e-3, "mW"}, {1, "W"}};
  static const std::vector<Unit> kHertz = {{1e6, "MHz"}, {1e9, "GHz"}};
  switch (quantity) {
    case Quantity::seconds: return kSeconds;
    case Quantity::bytes: return kBytes;
    case Quantity::flops: return kFlops;
    case Quantity::rate_flops: return kRateFlops;
    case Quantity::rate_ops: return kRateOps;
    case Quantity::rate_bytes: return kRateBytes;
    case Quantity::joules: return kJoules;
    case Quantity::watts: return kWatts;
    case Quantity::hertz: break;
  }
  return kHertz;
}

/// Of a positive number.
int exponent_of(double value) { return static_cast<int>(std::floor(std::log10(value))); }

std::string printed(const char* format, int precision, double value) {
  char text[400];
  std::snprintf(text, sizeof text, format, precision, value);
  return text[0] == '-' ? "−" + std::string(text + 1) : text;
}

std::string superscript(int value) {
  static const char* const kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = value < 0 ? "⁻" : "";
  for (const char digit : std::to_string(std::abs(value))) text += kDigits[digit - '0'];
  return text;
}

}  // namespace

Unit unit_for(Quantity quantity, const std::vector<double>& values) {
  double smallest = 0, largest = 0;
  for (const double value : values) {
    if (!(value > 0) || !std::isfinite(value)) continue;
    smallest = smallest == 0 ? value : std::min(smallest, value);
    largest = std::max(largest, value);
  }
  const std::vector<Unit>& units = units_of(quantity);
  std::size_t at = 0;
  while (at + 1 < units.size() &&
         (smallest >= units[at + 1].size || largest >= 1e5 * units[at].size)) {
    ++at;
  }
  return units[at];
}

std::string number(double value, int digits) {
  if (!std::isfinite(value)) return "–";
  if (value == 0) return "0";
  int exponent = exponent_of(std::abs(value));
  if (exponent >= 6 || exponent < -4) {
    double mantissa = std::abs(value) / std::pow(10.0, exponent);
    std::string text = printed("%.*g", digits, mantissa);
    if (text == "10") text = "1", ++exponent;
    const std::string power = "10" + superscript(exponent);
    return (value < 0 ? "−" : "") + (text == "1" ? power : text + "·" + power);
  }
  // 9.996 has one digit before the point, but is written 10.0.
  const double rounding = std::pow(10.0, std::min(0, exponent - digits + 1));
  const double rounded = std::round(value / rounding) * rounding;
  exponent = exponent_of(std::abs(rounded) * (1 + 1e-12));
  return fixed(rounded, std::max(0, digits - 1 - exponent));
}

std::string amount(Quantity quantity, double value, int digits) {
  const std::vector<Unit>& units = units_of(quantity);
  std::size_t at = 0;
  while (at + 1 < units.size() && std::abs(value) >= units[at + 1].size) ++at;
  return number(value / units[at].size, digits) + " " + units[at].text;
}

int decimals_for(const std::vector<double>& values) {
  double smallest = 0, largest = 0;
  for (double value : values) {
    value = std::abs(value);
    if (!(value > 0) || !std::isfinite(value)) continue;
    smallest = smallest == 0 ? value : std::min(smallest, value);
    largest = std::max(largest, value);
  }
  if (largest == 0) return 0;
  return std::clamp(2 - exponent_of(smallest), 0, std::clamp(5 - exponent_of(largest), 0, 4));
}

std::string fixed(double value, int decimals) {
  return std::isfinite(value) ? printed("%.*f", decimals, value) : "–";
}

std::string grouped(unsigned long long value) {
  std::string digits = std::to_string(value), text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += "\u202f";
    text += digits[i];
  }
  return text;
}

std::string change(double ratio) {
  if (!std::isfinite(ratio)) return "–";
  if (ratio >= 2) return "× " + number(ratio);
  const double percent = 100 * (ratio - 1);
  const std::string text = fixed(std::abs(percent), std::abs(percent) < 9.95 ? 1 : 0);
  return (percent < 0 ? "−" : "+") + text + " %";
}

}  // namespace kinglet::tools::report
