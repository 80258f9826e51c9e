// No kernel of int8 reads or writes outside its arguments, nor outside what belongs to those:
// panels, scales, sums.

#include "kernels/attended.hpp"
#include "kernels/fenced.hpp"

using namespace kinglet;
using namespace kinglet::test;
using kernels::Activation;

namespace {

/// W (n, k) with all that belongs to its columns.
kernels::WeightsS8 weights(Fences& fenced, int n, int k) {
  const std::size_t columns = size(kernels::panels_of(n), kernels::kPanel);
  return {fenced.of<std::int8_t>(kernels::panels_size_s8(n, k)), fenced(columns),
          fenced.of<std::int32_t>(columns), fenced.of<std::int32_t>(columns)};
}

/// Room for rows of n.
kernels::QuantizedRows rows_of(Fences& fenced, int rows, int n) {
  const int ld = kernels::padded_depth(n);
  return {fenced.of<std::int8_t>(size(rows, ld)), ld, fenced(size(1, rows)),
          fenced.of<std::int32_t>(size(1, rows))};
}

kernels::QuantizedRows quantized(const Table& table, Fences& fenced, int rows, int n) {
  const kernels::QuantizedRows out = rows_of(fenced, rows, n);
  table.quantize_rows(rows, n, fenced(size(rows, n)), n, out);
  return out;
}

}  // namespace

TEST_CASE("quantize_rows and layer_norm_s8 stay inside their arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int n : {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 50, 64, 65, 130}) {
      for (bool smooth : {false, true}) {
        kernels::QuantizedRows y = rows_of(fenced, 2, n);
        if (smooth) y.smooth = fenced(size(1, n));
        table.quantize_rows(2, n, fenced(size(2, n)), n, y);
        table.layer_norm_s8(2, n, fenced(size(2, n)), n, fenced(size(1, n)), fenced(size(1, n)),
                            1e-5f, fenced(size(2, n)), n, y);
      }
    }
  });
}

TEST_CASE("gathers of int8 stay inside their arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int n : {1, 3, 7, 16, 17, 33, 64, 70}) {
      for (int last : {2, 15, 16, 18}) {  // of the vocabulary
        const std::int32_t* ids = fenced.copy<std::int32_t>({last, 0});
        const float* scale = fenced(size(1, last + 1));
        for (bool accumulate : {false, true}) {
          table.embedding_s8(2, n, ids, fenced.of<std::int8_t>(size(last + 1, n)), n, scale,
                             fenced(size(2, n)), n, accumulate);
          table.embedding_panels_s8(2, n, ids,
                                    fenced.of<std::int8_t>(kernels::panels_size_s8(last + 1, n)),
                                    scale, fenced(size(2, n)), n, accumulate);
        }
      }
    }
  });
}

TEST_CASE("gemm_s8 stays inside its arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int m = 1; m <= 13; ++m) {
      for (int n : {1, 7, 16, 33, 127}) {
        for (int k : {1, 5, 16, 20}) {
          const kernels::Epilogue epilogue{fenced(size(kernels::panels_of(n), kernels::kPanel)),
                                           Activation::relu, fenced(size(m, n)), n};
          table.gemm_s8(m, n, k, quantized(table, fenced, m, k), weights(fenced, n, k), epilogue,
                        fenced(size(m, n)), n);
        }
      }
    }
  });
}

TEST_CASE("lstm_step_s8 stays inside its arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int units : {1, 3, 8, 15, 16, 17, 33}) {
      const int gates = kernels::lstm_gates(units);
      for (int kx : {0, 1, 5, 16}) {
        const kernels::QuantizedRows x =
            kx > 0 ? quantized(table, fenced, 1, kx) : kernels::QuantizedRows{};
        for (int first = 0; first < units; first += kernels::kPanel) {
          for (bool backwards : {false, true}) {
            table.lstm_step_s8(first, units, kx, x, weights(fenced, gates, kx), units,
                               quantized(table, fenced, 1, units), weights(fenced, gates, units),
                               fenced(size(1, gates)), fenced(size(1, units)),
                               fenced(size(1, units)), backwards);
          }
        }
      }
    }
  });
}

TEST_CASE("conv_s8 stays inside its arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int c : {8, 16, 24}) {
      for (int n : {1, 16, 35}) {
        const kernels::Window window{3, 3, 1, 1};
        const kernels::QuantizedRows q = quantized(table, fenced, 1, 4 * 6 * c);
        const kernels::ImageView<const std::int8_t> x{q.q, 4, 6, c, 6 * c, c};
        const kernels::ConvEpilogue epilogue{fenced(size(kernels::panels_of(n), kernels::kPanel)),
                                             Activation::relu,
                                             fenced_image<float>(fenced, 2, 4, n)};
        table.conv_s8(window, x, q.scale, q.zero, weights(fenced, n, 9 * c), epilogue, 0, 8,
                      fenced_image<float>(fenced, 2, 4, n));
      }
    }
  });
}

TEST_CASE("attention_s8 stays inside its arguments, under every mask too") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    const auto attend = [&](int m, int n, int d, const std::uint8_t* hidden) {
      table.attention_s8(m, n, d, fenced(size(m, d)), d, fenced(size(n, d)), d, fenced(size(n, d)),
                         d, hidden, 0.5f, fenced(size(m, d)), d,
                         fenced(kernels::attention_scratch_s8(n, d) / sizeof(float)));
    };
    for (int d : {1, 8, 11, 64}) {
      for (int n : {1, 15, 16, 17, 70}) {
        for (int m : {1, 6, 33}) attend(m, n, d, nullptr);
      }
      for (int n : {2, 16, 17, 40}) {
        for (const Mask& mask : masks(n)) attend(3, n, d, fenced.copy(mask));
      }
    }
  });
}
