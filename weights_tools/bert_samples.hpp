#pragma once
// Inputs of BERT's family from a sample file, and what a run leaves, as golden files name it.

#include <cstdint>
#include <kinglet/models/bert.hpp>
#include <string>
#include <vector>

#include "samples.hpp"

namespace kinglet::tools {

/// in.input_ids [batch][seq]; in.attention_mask, in.token_type_ids, in.position_ids of the same shape, each optional.
class BertRows {
 public:
  /// Throws FileError.
  explicit BertRows(const Samples& from);

  int count() const { return count_; }
  int seq() const { return seq_; }
  bool live(int row, int position) const;
  /// Rows first … first + count − 1, valid as long as this object. Nothing is wanted yet.
  bert::Input slice(int first, int count) const;

 private:
  int count_, seq_;
  std::vector<std::int32_t> ids_, types_, positions_;
  std::vector<std::uint8_t> mask_;
};

/// Records what a trace shows: out.embeddings, out.hidden.<i>, out.attn.<i>, at their padded positions.
class BertRecorder {
 public:
  BertRecorder(int heads, bool attention) : heads_(heads), attention_(attention) {}
  BertRecorder(const BertRecorder&) = delete;
  BertRecorder& operator=(const BertRecorder&) = delete;

  bert::Trace trace();
  std::vector<Values> take() { return std::move(values_); }

 private:
  void seen(bert::Trace::Stage stage, int index, int head, ConstMatrix rows,
            const Packing& packing);

  int heads_;
  bool attention_;
  std::vector<Values> values_;
};

/// Golden files may hold single rows of an output without its padding, X.<row> or, of layer i, X.<row>.<i>: those that
/// `golden` asks for are cut out of `computed` and added to it.
void add_single_rows(const Checkpoint& golden, const BertRows& rows, std::vector<Values>& computed);

}  // namespace kinglet::tools
