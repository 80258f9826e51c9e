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
