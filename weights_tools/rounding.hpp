#pragma once
// Integers chosen for the rows that a matrix will read: where inputs go together, the rounding of one
// weight can make up for that of others. For each row w of W, with X what was read and H = XᵀX + damping,
// the integers q are the nearest plane (Babai 1986) to the least ‖X·(w − s·q)‖: with H = RᵀR, from the
// last column to the first
//
//   q[j] = rne((w[j] + Σ_{l>j} R[j][l]·(w[l] − s·q[l]) / R[j][j]) / s)
//
// which is what OBQ and GPTQ do (Frantar et al. 2022), in the other order and without an inverse. Scales
// are those of quantize_rows, so a weight moves by a few steps at most.

#include <vector>

#include "channel_watch.hpp"
#include "model_edit.hpp"

namespace kinglet::tools {

/// Upper triangular R with RᵀR = XᵀX + damping: a hundredth of the mean diagonal. X are the rows times f, if
/// there are any factors. Row-major, k × k.
std::vector<double> triangle_of(const KeptRows& x, const std::vector<float>& f = {});

/// W in int8 for rows with this triangle. Throws std::domain_error as quantize_rows.
RowsS8 quantize_rows_for(const DenseMatrix& w, const std::vector<double>& triangle);

}  // namespace kinglet::tools
