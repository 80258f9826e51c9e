#pragma once
// The sizes that are measured, read from text files: an op and its sizes a line. A size may be a list, 1,4,16; the line
// then stands for every combination. What follows # is a comment.
//
//   gemm       m  n  k          c (m, n) = a (m, k) · W (n, k)ᵀ, fp32 and int8
//   gemm_cold  m  n  k          the same with W in memory instead of a cache
//   attention  seq  d  heads    heads of size d over one sequence
//   softmax, layer_norm, quantize, relu, gelu_erf, gelu_tanh, tanh   rows  n
//   embedding  rows  n  vocabulary

#include <string>
#include <vector>

namespace kinglet::tools {

struct Shape {
  std::string op;
  std::vector<int> sizes;
};

/// The names of an op's sizes; empty when there is no such op.
const std::vector<const char*>& size_names(const std::string& op);

/// A file of bench/shapes, which is part of the program.
struct OurShapes {
  std::string name;  ///< "peers"
  std::string text;
};
const std::vector<OurShapes>& our_shapes();

/// The shapes of ours that have that name, else those of the file at that path; no name at all: all of
/// ours. Throws "<file>: line <number>: <what>".
std::vector<Shape> read_shapes(const std::vector<std::string>& names);

}  // namespace kinglet::tools
