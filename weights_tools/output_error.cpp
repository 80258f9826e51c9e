#include "output_error.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>

namespace kinglet::tools {
namespace {

double error_of(const Values& wanted, const Values& got) {
  const auto n = static_cast<double>(wanted.numbers.size());
  double mean = 0, error = 0, spread = 0, size = 0;
  for (const double x : wanted.numbers) mean += x / n;
  for (std::size_t i = 0; i < wanted.numbers.size(); ++i) {
    const double x = wanted.numbers[i], away = got.numbers[i] - x;
    error += away * away;
    spread += (x - mean) * (x - mean);
    size += x * x;
  }
  if (error == 0) return 0;
  const double scale = spread > 1e-12 * size ? spread : size;
  const double relative = std::sqrt(error / scale);
  return std::isfinite(relative) ? relative : std::numeric_limits<double>::infinity();
}

}  // namespace

OutputError relative_error(const std::vector<Values>& wanted, const std::vector<Values>& got) {
  OutputError result;
  if (wanted.size() != got.size()) throw std::logic_error("two runs gave different outputs");
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].name != got[i].name || wanted[i].shape != got[i].shape)
      throw std::logic_error("two runs gave different outputs");
    const double error = error_of(wanted[i], got[i]);
    if (result.output.empty() || error > result.worst) result = {error, wanted[i].name};
  }
  return result;
}

}  // namespace kinglet::tools
