#pragma once
// Cells of an LSTM and a GRU from their gates, in double, with the error that inexact gates cause.

#include <algorithm>
#include <cmath>

namespace kinglet::reference {

inline double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

struct LstmUnit {
  double c, h;
  double c_error, h_error;
};

/// gates i, f, g, o, each known to `error`; σ and tanh are computed to `eps`, what follows to `u`.
inline LstmUnit lstm_unit(const double gates[4], double c, double error, double eps, double u) {
  const double i = sigmoid(gates[0]), f = sigmoid(gates[1]), g = std::tanh(gates[2]),
               o = sigmoid(gates[3]);
  const double gate = error / 4 + eps, candidate = error + eps;
  LstmUnit out{};
  out.c = f * c + i * g;
  out.c_error = std::fabs(c) * gate + gate * (std::fabs(g) + candidate) + candidate * i +
                2 * u * (std::fabs(f * c) + std::fabs(i * g));
  const double t = std::tanh(out.c);
  out.h = o * t;
  out.h_error =
      gate * (std::fabs(t) + out.c_error + eps) + o * (out.c_error + eps) + u * std::fabs(out.h);
  return out;
}

struct GruUnit {
  double h, error;
};

/// x, k: gates r, z, n of the input and of the state.
inline GruUnit gru_unit(const double x[3], const double k[3], double h, double eps, double u) {
  const double r = sigmoid(x[0] + k[0]), z = sigmoid(x[1] + k[1]);
  const double n = std::tanh(x[2] + r * k[2]);
  const double r_error = eps + u * std::fabs(x[0] + k[0]),
               z_error = eps + u * std::fabs(x[1] + k[1]);
  const double n_error =
      eps + r_error * std::fabs(k[2]) + 2 * u * (std::fabs(x[2]) + std::fabs(k[2]));
  GruUnit out{};
  out.h = (1 - z) * n + z * h;
  out.error = n_error * (1 - z) + z_error * (std::fabs(h - n) + n_error) +
              2 * u * (std::fabs(h) + std::fabs(n));
  return out;
}

}  // namespace kinglet::reference
