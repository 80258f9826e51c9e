#pragma once
// Words: a table of word embeddings as its callers see it. They keep the ids of the whole vocabulary
// when only some of its rows are stored (kinglet-weights prune-vocab), and get rows of the whole
// width when the table is stored as a product of two (factorize):
//
//   id ──► row_of ──► rows [stored][r] ──► factor r → n ──► y [n]

#include <cstdint>
#include <kinglet/backend/ops.hpp>

namespace kinglet {

struct Words {
  Table rows;
  Linear factor;  ///< absent: the stored rows are as wide as what is asked for
  /// [vocabulary] u32, little-endian, not aligned: the row of an id; null: ids are rows.
  const unsigned char* row_of = nullptr;

  std::int32_t row(std::int32_t id) const noexcept {
    if (row_of == nullptr) return id;
    const unsigned char* p = row_of + static_cast<std::ptrdiff_t>(id) * 4;
    return static_cast<std::int32_t>(
        static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
        static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24);
  }
};

/// y[r] = the embedding of ids[r].
template <class B>
void embed_words(B& be, const Words& w, const std::int32_t* ids, Matrix y) noexcept {
  Arena& arena = be.arena();
  ArenaScope scope(arena);
  if (w.row_of != nullptr) {
    std::int32_t* rows = arena.take<std::int32_t>(static_cast<std::size_t>(y.rows));
    for (int r = 0; rows != nullptr && r < y.rows; ++r) rows[r] = w.row(ids[r]);
    ids = rows;
  }
  if (!w.factor) return be.embed(w.rows, ids, y);
  const Matrix gathered = arena.matrix(y.rows, w.rows.n);
  be.embed(w.rows, ids, gathered);
  be.linear(w.factor, gathered, y);
}

}  // namespace kinglet
