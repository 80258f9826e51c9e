#pragma once
// Models of BERT's family made up for tests, small and with odd sizes, and inputs for them.

#include <cstdint>
#include <kinglet/models/bert.hpp>
#include <string>
#include <vector>

namespace kinglet::test {

inline constexpr const char* kFamilies[] = {"bert", "roberta", "distilbert", "albert"};

/// Folder with the checkpoint model.safetensors and config.json, under the names of the original code: every head
/// that the family has; PABEE's exits of `exits` labels each instead, if positive.
std::string bert_checkpoint(const std::string& family, int exits = 0);

/// Path of the model file converted from it.
std::string bert_model(const std::string& family, int exits = 0);

/// Made-up ids with masks that leave holes; sequence `b` of a batch keeps its contents whatever the batch.
struct MadeUpText {
  MadeUpText(const bert::Config& c, int batch, int seq, std::uint32_t seed, bool all_live = false);
  MadeUpText(const MadeUpText&) = delete;
  MadeUpText& operator=(const MadeUpText&) = delete;

  bert::Input alone(int b) const;

  std::vector<std::int32_t> ids, types, lm_positions;
  std::vector<std::uint8_t> mask;
  bert::Input in;  ///< wants every head; two words a sequence are predicted
};

/// Memory for everything that a run leaves.
struct Outputs {
  Outputs(const bert::Config& c, const bert::Input& in);

  bert::Output out();
  /// Everything of sequence b that does not lie at a masked position.
  std::vector<float> row(const bert::Input& in, int b) const;

  int hidden, labels, vocab;
  std::vector<float> last_hidden, pooled, classes, masked_lm, next_sentence, sentence_order, start,
      end, embedding;
};

}  // namespace kinglet::test
