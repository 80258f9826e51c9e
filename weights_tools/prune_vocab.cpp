// kinglet-weights prune-vocab: only the words that occur.
#include <algorithm>
#include <iostream>
#include <numeric>
#include <set>
#include <stdexcept>

#include "commands.hpp"
#include "corpus.hpp"
#include "file_error.hpp"
#include "model_session.hpp"
#include "rewrite.hpp"

namespace kinglet::tools {
namespace {

constexpr const char* kMapKey = "kinglet.vocab.map";    // u32 [vocabulary]: id → row
constexpr const char* kKeptKey = "kinglet.vocab.kept";  // u32 [rows]: what a masked LM predicts
constexpr const char* kTokensKey = "tokenizer.ggml.tokens";
constexpr const char* kActionsKey = "alfred-seq2seq.action_names";
constexpr const char* kKeptActionsKey = "alfred-seq2seq.kept_actions";  // the first ids of actions
constexpr const char* kTable = "token_embd.weight";
/// Those of ALFRED in double brackets.
constexpr std::string_view kSpecialPieces[] = {
    "[PAD]", "[UNK]",  "[CLS]",   "[SEP]",   "[MASK]",   "<s>",       "</s>",     "<pad>",
    "<unk>", "<mask>", "<<pad>>", "<<seg>>", "<<goal>>", "<<instr>>", "<<stop>>", "<<mask>>"};

using Rows = std::vector<std::uint32_t>;

std::vector<std::string> pieces_of(const ModelEdit& edit) {
  return edit.find_value(kTokensKey) ? edit.texts(kTokensKey) : std::vector<std::string>{};
}

std::uint32_t vocabulary_of(const ModelEdit& edit) {
  const std::string key = edit.architecture() + ".vocab_size";
  const std::uint64_t vocab = edit.number(key);
  if (vocab < 1 || vocab > kMostRows)
    throw FileError(edit.path(), in_quotes(key), "is no usable number");
  return static_cast<std::uint32_t>(vocab);
}

/// Rows of a weight that has one a word: a table, or a matrix, f32 or int8.
int rows_of(const ModelEdit& edit, const std::string& name) {
  const ModelEdit::Tensor& tensor = edit.tensor(name);
  if (tensor.is_table()) return static_cast<int>(tensor.shape[0]);
  if (tensor.is_matrix() && tensor.panels->parts == 1) return static_cast<int>(tensor.panels->n);
  throw FileError(edit.path(), in_quotes(name), "is neither a table nor a matrix of words");
}

/// X: DenseMatrix or RowsS8, whose scales stay as they are.
template <class X>
X chosen_rows(const X& x, const Rows& rows) {
  X y = x;
  y.n = static_cast<int>(rows.size());
  y.values.clear();
  const auto k = static_cast<std::ptrdiff_t>(x.k);
  for (const std::uint32_t row : rows) {
    const auto first = x.values.begin() + static_cast<std::ptrdiff_t>(row) * k;
    y.values.insert(y.values.end(), first, first + k);
  }
  return y;
}

RowsS8 chosen_rows_s8(const RowsS8& x, const Rows& rows) {
  RowsS8 y = chosen_rows(x, rows);
  y.scale.clear();
  for (const std::uint32_t row : rows) y.scale.push_back(x.scale[row]);
  return y;
}

void keep_rows(ModelEdit& edit, const std::string& name, const Rows& rows) {
  const ModelEdit::Tensor& tensor = edit.tensor(name);
  const bool is_table = tensor.is_table();
  if (tensor.is_s8()) {
    const RowsS8 x = is_table ? edit.table_s8(name) : edit.matrix_s8(name);
    const RowsS8 kept = chosen_rows_s8(x, rows);
    is_table ? edit.put_table_s8(name, kept) : edit.put_matrix_s8(name, kept);
  } else {
    const DenseMatrix kept = chosen_rows(is_table ? edit.table(name) : edit.matrix(name), rows);
    is_table ? edit.put_table(name, kept) : edit.put_matrix(name, kept);
  }
}

/// A bias with a value a word.
void keep_values(ModelEdit& edit, const std::string& name, std::size_t all, const Rows& rows) {
  if (edit.find_tensor(name) == nullptr) return;
  const std::vector<float> values = edit.vector(name);
  if (values.size() != all) throw FileError(edit.path(), in_quotes(name), "has not a value a word");
  std::vector<float> kept;
  for (const std::uint32_t row : rows) kept.push_back(values[row]);
  edit.put_bias(name, kept);
}

/// The row of each id: as an earlier run left it, or the same.
Rows rows_by_id(const ModelEdit& edit, std::uint32_t vocab, std::size_t rows) {
  Rows row_of;
  if (edit.find_value(kMapKey)) {
    row_of = edit.numbers(kMapKey);
  } else {
    for (std::uint32_t id = 0; id < vocab; ++id) row_of.push_back(id);
  }
  if (row_of.size() != vocab ||
      *std::max_element(row_of.begin(), row_of.end()) + std::size_t{1} != rows)
    throw FileError(edit.path(), in_quotes(kTable),
                    "has not a row for each word of the vocabulary");
  return row_of;
}

/// −1 where the file does not name it.
std::int64_t special_id(const ModelEdit& edit, const char* name) {
  const std::string key = std::string("tokenizer.ggml.") + name;
  return edit.find_value(key) ? static_cast<std::int64_t>(edit.number(key)) : -1;
}

/// Tokens that inputs are framed and padded with.
std::set<std::uint32_t> special_ids(const ModelEdit& edit, std::uint32_t vocab) {
  std::set<std::uint32_t> ids;
  for (const char* name : {"unknown_token_id", "padding_token_id", "cls_token_id", "sep_token_id",
                           "seperator_token_id", "mask_token_id", "bos_token_id", "eos_token_id"}) {
    const std::int64_t id = special_id(edit, name);
    if (id >= 0 && id < std::int64_t{vocab}) ids.insert(static_cast<std::uint32_t>(id));
  }
  const std::vector<std::string> pieces = pieces_of(edit);
  for (std::size_t i = 0; i < std::min<std::size_t>(pieces.size(), vocab); ++i)
    if (std::find(std::begin(kSpecialPieces), std::end(kSpecialPieces), pieces[i]) !=
        std::end(kSpecialPieces))
      ids.insert(static_cast<std::uint32_t>(i));
  return ids;
}

/// Whether the file names any of them but padding.
bool names_frame(const ModelEdit& edit) {
  std::set<std::uint32_t> ids = special_ids(edit, vocabulary_of(edit));
  const std::int64_t padding = special_id(edit, "padding_token_id");
  if (padding >= 0) ids.erase(static_cast<std::uint32_t>(padding));
  return !ids.empty();
}

/// The outputs of a masked LM, whose decoder is the word table or a matrix of its own.
void prune_decoder(ModelEdit& edit, std::size_t all, const Rows& rows) {
  constexpr const char* kDecoder = "masked_lm.weight";
  const bool apart = edit.find_tensor(kDecoder) != nullptr;
  if (!apart && !edit.tensor(kTable).is_matrix()) return;
  Rows kept;
  if (edit.find_value(kKeptKey)) kept = edit.numbers(kKeptKey);
  if (!kept.empty() && kept.size() != all)
    throw FileError(edit.path(), in_quotes(kKeptKey), "has not an id for each row");
  Rows ids;
  for (const std::uint32_t row : rows) ids.push_back(kept.empty() ? row : kept[row]);
  edit.set_u32s(kKeptKey, ids);
  keep_values(edit, apart ? "masked_lm.bias" : "token_embd.bias", all, rows);
  if (!apart) return;
  if (static_cast<std::size_t>(rows_of(edit, kDecoder)) != all)
    throw FileError(edit.path(), in_quotes(kDecoder), "has not a row a word");
  keep_rows(edit, kDecoder, rows);
}

void prune_words(ModelEdit& edit, const PruneVocabOptions& options) {
  const std::vector<std::string> pieces = pieces_of(edit);
  Corpus corpus;
  for (const std::string& path : options.corpus)
    read_corpus(path, vocabulary_of(edit), pieces, corpus);
  if (corpus.ids.empty()) throw FileError(options.corpus.front(), "corpus", "holds no words");
  const bool asked = options.unknown >= 0 || !options.keep.empty();
  if (!corpus.whole_inputs && !asked && !names_frame(edit))
    throw FileError(edit.path(), "prune-vocab",
                    "the file names neither the tokens that frame its inputs nor an unknown one, "
                    "and a text holds none: give their ids (--keep, --unknown)");
  corpus.ids.insert(options.keep.begin(), options.keep.end());
  const PruneResult result =
      prune_vocabulary(edit, {corpus.ids.begin(), corpus.ids.end()}, options.unknown);
  if (corpus.unknown_pieces > 0)
    std::cout << "note: " << corpus.unknown_pieces << " lines are no word pieces of the model\n";
  if (!result.unknown_named)
    std::cout << "note: the file names no unknown token; words that are left out get id "
              << result.unknown << ", that of padding (--unknown chooses another)\n";
  std::cout << "words       " << result.rows << " of " << result.rows_before << '\n';
}

}  // namespace

PruneResult prune_vocabulary(ModelEdit& edit, const std::vector<std::uint32_t>& ids,
                             std::int64_t unknown) {
  const std::uint32_t vocab = vocabulary_of(edit);
  PruneResult result;
  result.rows_before = static_cast<std::size_t>(rows_of(edit, kTable));
  const Rows row_of = rows_by_id(edit, vocab, result.rows_before);

  if (unknown < 0) unknown = special_id(edit, "unknown_token_id");
  result.unknown_named = unknown >= 0;
  if (unknown < 0) unknown = std::max<std::int64_t>(special_id(edit, "padding_token_id"), 0);
  std::set<std::uint32_t> kept_ids = special_ids(edit, vocab);
  kept_ids.insert(ids.begin(), ids.end());
  if (unknown >= std::int64_t{vocab} || (!kept_ids.empty() && *kept_ids.rbegin() >= vocab))
    throw FileError(edit.path(), "prune-vocab", "an id to be kept is outside the vocabulary");
  result.unknown = static_cast<std::uint32_t>(unknown);
  kept_ids.insert(result.unknown);

  // Rows stay in their order; an id whose row goes gets that of the unknown word.
  std::set<std::uint32_t> kept_rows;
  for (const std::uint32_t id : kept_ids) kept_rows.insert(row_of[id]);
  const Rows rows(kept_rows.begin(), kept_rows.end());
  Rows map;
  for (std::uint32_t row : row_of) {
    if (kept_rows.count(row) == 0) row = row_of[result.unknown];
    const auto place = std::lower_bound(rows.begin(), rows.end(), row) - rows.begin();
    map.push_back(static_cast<std::uint32_t>(place));
  }
  result.rows = rows.size();

  prune_decoder(edit, result.rows_before, rows);
  keep_rows(edit, kTable, rows);
  edit.set_u32s(kMapKey, map);
  edit.add_step("prune-vocab " + std::to_string(result.rows) + " of " +
                std::to_string(result.rows_before));
  return result;
}

PruneResult prune_actions(ModelEdit& edit, const std::vector<std::string>& dropped) {
  if (edit.architecture() != "alfred-seq2seq")
    throw FileError(edit.path(), "prune-vocab", "only Seq2Seq can do with fewer actions");
  const std::vector<std::string> names = edit.texts(kActionsKey);
  Rows ids(names.size());
  std::iota(ids.begin(), ids.end(), 0u);
  if (edit.find_value(kKeptActionsKey)) ids = edit.numbers(kKeptActionsKey);
  constexpr const char* kEmbedding = "action_embd.weight";
  if (ids.size() != names.size() || rows_of(edit, kEmbedding) != static_cast<int>(names.size()))
    throw FileError(edit.path(), in_quotes(kActionsKey), "has not a name for each action");
  for (const std::string& name : dropped)
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw FileError(edit.path(), "prune-vocab", "there is no action " + in_quotes(name));
  Rows rows, kept_ids;
  std::vector<std::string> kept;
  for (std::uint32_t row = 0; row < names.size(); ++row) {
    if (std::find(dropped.begin(), dropped.end(), names[row]) != dropped.end()) continue;
    rows.push_back(row);
    kept_ids.push_back(ids[row]);
    kept.push_back(names[row]);
  }
  if (rows.empty()) throw FileError(edit.path(), "prune-vocab", "no action would be left");
  keep_rows(edit, kEmbedding, rows);
  edit.set_u32("alfred-seq2seq.action_count", static_cast<std::uint32_t>(rows.size()));
  edit.set_u32s(kKeptActionsKey, kept_ids);
  edit.set_strings(kActionsKey, kept);
  PruneResult result;
  result.rows_before = names.size();
  result.rows = rows.size();
  edit.add_step("prune-vocab " + std::to_string(result.rows) + " of " +
                std::to_string(result.rows_before) + " actions");
  return result;
}

void run_prune_vocab(const PruneVocabOptions& options) {
  ModelEdit edit = edit_model(options.input);
  const std::uint64_t before = edit.file_bytes();
  if (!options.corpus.empty()) prune_words(edit, options);
  if (!options.drop_actions.empty()) {
    const PruneResult result = prune_actions(edit, options.drop_actions);
    std::cout << "actions     " << result.rows << " of " << result.rows_before << '\n';
  }
  edit.save(options.output, options.corpus);
  std::cout << "written     " << printable(options.output, 1000) << ", "
            << bytes_text(edit.file_bytes()) << ", was " << bytes_text(before) << '\n';
}

}  // namespace kinglet::tools
