#pragma once
// The eigen-decomposition of a symmetric matrix, in double.

#include <vector>

namespace kinglet::tools {

struct Eigen {
  std::vector<double> values;   // descending
  std::vector<double> vectors;  // row i, of length 1, belongs to values[i]
};

/// a: n × n, row-major, symmetric, finite. Householder's reduction to tridiagonal form, then QR
/// steps with Wilkinson's shift (Golub & Van Loan, "Matrix Computations", 8.3). 1024 × 1024 takes
/// seconds; the same input gives the same bits. Throws std::domain_error when it does not converge,
/// which needs an input that is not finite.
Eigen eigen_symmetric(int n, std::vector<double> a);

}  // namespace kinglet::tools
