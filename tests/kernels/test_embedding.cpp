#include "kernels/check.hpp"
#include "reference/embedding.hpp"

using namespace kinglet;
using namespace kinglet::test;

TEST_CASE("embedding_f32 copies or adds the rows of the table") {
  const std::vector<std::int32_t> ids = {4, 0, 4, 2, 1};
  const int rows = static_cast<int>(ids.size());
  for (int n : kEdges) {
    CAPTURE(n);
    const Guarded table(5, n, n + 3, Random(20)), before(rows, n, n + 1, Random(21));
    for (bool accumulate : {false, true}) {
      on_every_isa(
          [&](const Table& kernels) {
            Guarded y(rows, n, n + 2);
            if (accumulate) y.copy_from(before);
            kernels.embedding_f32(rows, n, ids.data(), table.data(), table.ld(), y.data(), y.ld(),
                                  accumulate);
            CHECK(y.guards_intact());
            return y.values();
          },
          [&](const Table&, const std::vector<float>& values) {
            int wrong = 0;
            for (int r = 0; r < rows; ++r) {
              for (int i = 0; i < n; ++i) {
                const double expected = reference::embedding(
                    ids[static_cast<std::size_t>(r)], i, table.data(), table.ld(),
                    static_cast<double>(before.row(r)[i]), accumulate);
                wrong +=
                    !(values[static_cast<std::size_t>(r * n + i)] == static_cast<float>(expected));
              }
            }
            CHECK(wrong == 0);
          });
    }
  }
}

TEST_CASE("embedding_s8 scales the rows of the table") {
  const std::vector<std::int32_t> ids = {4, 0, 4, 2, 1};
  const int rows = static_cast<int>(ids.size());
  for (int n : kEdges) {
    CAPTURE(n);
    const int ld = n + 3;
    std::vector<std::int8_t> table(static_cast<std::size_t>(5 * ld));
    for (std::size_t i = 0; i < table.size(); ++i)
      table[i] = static_cast<std::int8_t>(static_cast<int>(i * 31 % 255) - 127);
    const std::vector<float> scale = {0.5f, 0.01f, 3e-5f, 1.0f, 0.3f};
    const Guarded before(rows, n, n + 1, Random(21));
    for (bool accumulate : {false, true}) {
      on_every_isa(
          [&](const Table& kernels) {
            Guarded y(rows, n, n + 2);
            if (accumulate) y.copy_from(before);
            kernels.embedding_s8(rows, n, ids.data(), table.data(), ld, scale.data(), y.data(),
                                 y.ld(), accumulate);
            CHECK(y.guards_intact());
            return y.values();
          },
          [&](const Table& kernels, const std::vector<float>& values) {
            int wrong = 0;
            for (int r = 0; r < rows; ++r) {
              const std::int32_t id = ids[static_cast<std::size_t>(r)];
              for (int i = 0; i < n; ++i) {
                const double product =
                    reference::embedding(static_cast<double>(scale[static_cast<std::size_t>(id)]),
                                         table[static_cast<std::size_t>(id * ld + i)]);
                const double start = accumulate ? static_cast<double>(before.row(r)[i]) : 0.0;
                const double bound = kU * std::fabs(start + product) * (1 + 2 * kU) +
                                     (has_fma(kernels) ? 0.0 : kU * std::fabs(product));
                wrong += !within(static_cast<double>(values[static_cast<std::size_t>(r * n + i)]),
                                 start + product, bound);
              }
            }
            CHECK(wrong == 0);
          });
    }
  }
}

TEST_CASE("rows gathered from panels are the rows of the table, f32 and int8") {
  constexpr int kVocabulary = 37;
  const std::vector<std::int32_t> ids = {0, 36, 15, 16, 36, 31};
  const int rows = static_cast<int>(ids.size());
  for (int n : {1, 3, 4, 8, 15, 31, 32, 63, 64, 65, 130}) {
    CAPTURE(n);
    const Guarded table(kVocabulary, n, n + 3, Random(22)), before(rows, n, n + 1, Random(23));
    std::vector<float> panels(kernels::panels_size_f32(kVocabulary, n));
    kernels::pack_panels_f32(kVocabulary, n, table.data(), table.ld(), panels.data());
    const auto outputs = static_cast<std::size_t>(kernels::panels_of(kVocabulary)) * 16;
    std::vector<std::int8_t> bytes(static_cast<std::size_t>(kVocabulary * n));
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::int8_t>(static_cast<int>(i * 31 % 255) - 127);
    std::vector<std::int8_t> panels_s8(kernels::panels_size_s8(kVocabulary, n));
    std::vector<std::int32_t> sums(outputs), negatives(outputs);
    kernels::pack_panels_s8(kVocabulary, n, bytes.data(), n, panels_s8.data(), sums.data(),
                            negatives.data());
    std::vector<float> scale(outputs);
    for (std::size_t i = 0; i < scale.size(); ++i) scale[i] = 0.01f * static_cast<float>(i + 1);
    for (int i = 0; i < kernels::count(); ++i) {
      const Table& k = kernels::at(i);
      CAPTURE(std::string(k.isa));
      for (bool accumulate : {false, true}) {
        Guarded from_rows(rows, n, n + 2), from_panels(rows, n, n + 2);
        const auto compare = [&] {
          CHECK(from_panels.guards_intact());
          CHECK(from_panels.values() == from_rows.values());
        };
        const auto start = [&] {
          from_rows.copy_from(before);
          from_panels.copy_from(before);
        };
        start();
        k.embedding_f32(rows, n, ids.data(), table.data(), table.ld(), from_rows.data(),
                        from_rows.ld(), accumulate);
        k.embedding_panels_f32(rows, n, ids.data(), panels.data(), from_panels.data(),
                               from_panels.ld(), accumulate);
        compare();
        start();
        k.embedding_s8(rows, n, ids.data(), bytes.data(), n, scale.data(), from_rows.data(),
                       from_rows.ld(), accumulate);
        k.embedding_panels_s8(rows, n, ids.data(), panels_s8.data(), scale.data(),
                              from_panels.data(), from_panels.ld(), accumulate);
        compare();
      }
    }
  }
}
