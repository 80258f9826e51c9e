#pragma once
// e^(x − max x) / Σ e^(x − max x) in double.

#include <algorithm>
#include <cmath>
#include <vector>

namespace kinglet::reference {

inline std::vector<double> softmax(const std::vector<double>& x) {
  const double max = *std::max_element(x.begin(), x.end());
  std::vector<double> y;
  double sum = 0;
  for (double v : x) {
    y.push_back(std::exp(v - max));
    sum += y.back();
  }
  for (double& v : y) v /= sum;
  return y;
}

}  // namespace kinglet::reference
