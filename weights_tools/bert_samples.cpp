#include "bert_samples.hpp"

#include <algorithm>
#include <optional>

namespace kinglet::tools {

BertRows::BertRows(const Samples& from) {
  const auto shape = from.shape("input_ids");
  if (shape.size() != 2 || shape[0] < 1 || shape[0] > (1 << 20) || shape[1] < 1 ||
      shape[1] > 65536) {
    from.fail("input_ids", "is not a batch of sequences");
  }
  count_ = static_cast<int>(shape[0]);
  seq_ = static_cast<int>(shape[1]);
  const std::int64_t n = shape[0] * shape[1];
  ids_ = from.numbers<std::int32_t>("input_ids", n);
  if (from.has("token_type_ids")) types_ = from.numbers<std::int32_t>("token_type_ids", n);
  if (from.has("position_ids")) positions_ = from.numbers<std::int32_t>("position_ids", n);
  if (from.has("attention_mask")) mask_ = from.numbers<std::uint8_t>("attention_mask", n);
}

bool BertRows::live(int row, int position) const {
  const auto at = static_cast<std::size_t>(row) * static_cast<std::size_t>(seq_) +
                  static_cast<std::size_t>(position);
  return mask_.empty() || mask_[at] != 0;
}

bert::Input BertRows::slice(int first, int count) const {
  const auto at = [&](const auto& all) {
    return all.empty() ? nullptr : all.data() + static_cast<std::ptrdiff_t>(first) * seq_;
  };
  bert::Input in;
  in.batch = count;
  in.seq = seq_;
  in.ids = at(ids_);
  in.mask = at(mask_);
  in.types = at(types_);
  in.positions = at(positions_);
  return in;
}

bert::Trace BertRecorder::trace() {
  return {[](void* self, bert::Trace::Stage stage, int index, int head, ConstMatrix rows,
             const Packing& packing) {
            static_cast<BertRecorder*>(self)->seen(stage, index, head, rows, packing);
          },
          this, attention_};
}

void BertRecorder::seen(bert::Trace::Stage stage, int index, int head, ConstMatrix rows,
                        const Packing& packing) {
  const bool attention = stage == bert::Trace::Stage::attention;
  const std::int64_t width = attention ? packing.seq : rows.cols;
  if (head == 0) {
    Values values;
    values.name = stage == bert::Trace::Stage::embeddings ? "out.embeddings"
                  : attention                             ? "out.attn." + std::to_string(index)
                                                          : "out.hidden." + std::to_string(index);
    values.shape = {packing.batch, packing.seq, width};
    if (attention) values.shape.insert(values.shape.begin() + 1, heads_);
    std::int64_t size = 1;
    for (const std::int64_t n : values.shape) size *= n;
    values.numbers.assign(static_cast<std::size_t>(size), 0.0);
    values_.push_back(std::move(values));
  }
  const std::int64_t heads = attention ? heads_ : 1;
  for (int b = 0; b < packing.batch; ++b) {
    for (int r = 0; r < packing.length[b]; ++r) {
      const float* x = rows.row(packing.start[b] + r);
      double* y = values_.back().numbers.data() +
                  ((b * heads + head) * packing.seq + packing.position_of(b, r)) * width;
      const int columns = attention ? packing.live[b] : rows.cols;
      for (int j = 0; j < columns; ++j) {
        y[attention ? packing.position_of(b, j) : j] = static_cast<double>(x[j]);
      }
    }
  }
}

namespace {

/// The number behind the last dot of a name, which is cut off.
std::optional<int> last_number(std::string& name) {
  const std::size_t dot = name.find_last_of('.');
  if (dot == std::string::npos || dot + 1 == name.size() || name.size() - dot > 7) return {};
  if (name.find_first_not_of("0123456789", dot + 1) != std::string::npos) return {};
  const int number = std::stoi(name.substr(dot + 1));
  name.erase(dot);
  return number;
}

const Values* named(const std::vector<Values>& all, const std::string& name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Values& v) { return v.name == name; });
  return found == all.end() ? nullptr : &*found;
}

/// Row `row` of the first dimension; in the others, as long as a sequence, only what is live.
Values single_row(const Values& all, int row, const BertRows& rows) {
  Values out{"", {}, {}, all.integer};
  std::vector<std::vector<std::int64_t>> kept;  // indices of each dimension
  for (std::size_t d = 1; d < all.shape.size(); ++d) {
    std::vector<std::int64_t> indices;
    const bool places = all.shape[d] == rows.seq() && (d == 1 || all.shape.size() == 4);
    for (std::int64_t i = 0; i < all.shape[d]; ++i) {
      if (!places || rows.live(row, static_cast<int>(i))) indices.push_back(i);
    }
    out.shape.push_back(static_cast<std::int64_t>(indices.size()));
    kept.push_back(indices);
  }
  std::vector<std::size_t> offsets = {static_cast<std::size_t>(row)};
  for (std::size_t d = 0; d < kept.size(); ++d) {
    std::vector<std::size_t> next;
    for (const std::size_t offset : offsets) {
      for (const std::int64_t i : kept[d]) {
        next.push_back(offset * static_cast<std::size_t>(all.shape[d + 1]) +
                       static_cast<std::size_t>(i));
      }
    }
    offsets = std::move(next);
  }
  for (const std::size_t offset : offsets) out.numbers.push_back(all.numbers[offset]);
  return out;
}

}  // namespace

void add_single_rows(const Checkpoint& golden, const BertRows& rows,
                     std::vector<Values>& computed) {
  std::vector<Values> added;
  for (const Tensor& tensor : golden.tensors) {
    std::string name = tensor.name;
    if (name.compare(0, 4, "out.") != 0 || named(computed, name) != nullptr) continue;
    std::optional<int> row = last_number(name);
    const Values* all = row ? named(computed, name) : nullptr;
    if (row && all == nullptr) {  // X.<row>.<layer>
      const std::string layer = "." + std::to_string(*row);
      row = last_number(name);
      if (row) all = named(computed, name + layer);
    }
    if (all == nullptr || *row >= rows.count()) continue;
    added.push_back(single_row(*all, *row, rows));
    added.back().name = tensor.name;
  }
  computed.insert(computed.end(), added.begin(), added.end());
}

}  // namespace kinglet::tools
