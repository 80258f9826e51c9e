#pragma once
// Smoothing (Xiao et al. 2023, SmoothQuant): columns of unequal size are made more alike before they
// become int8. A product reads x·f and is stored as W/f; f is a power of two for each column, so in fp32
// not a bit changes. Which balance between the columns of x and those of W is best is tried out, on rows
// that the product read.
//
// Attention's output reads weighted values: there f goes into the rows of W that make the values and
// costs nothing. Elsewhere the rows feed a residual as well, and f is taken when they become int8.

#include <string>
#include <vector>

#include "channel_watch.hpp"
#include "model_edit.hpp"

namespace kinglet::tools {

/// f of each column for one balance in [0, 1]: at 0 the columns of W/f are equally large, at 1 those of x·f.
std::vector<float> smoothing_factors(const DenseMatrix& w, const KeptRows& x, double balance);

/// RMS of the error that int8 makes in x·Wᵀ, with x·f and W/f; without factors where f is empty.
double product_error(const DenseMatrix& w, const KeptRows& x, const std::vector<float>& f);

/// The best factors, or none where they do not make the error clearly smaller.
std::vector<float> best_factors(const DenseMatrix& w, const KeptRows& x);

/// The columns of w divided by f.
void divide_columns(DenseMatrix& w, const std::vector<float>& f);

/// Multiplies the values of layer "blk.<l>" by f and divides the columns of attn_output.
void fold_into_values(ModelEdit& model, const std::string& layer, const std::vector<float>& f);

}  // namespace kinglet::tools
