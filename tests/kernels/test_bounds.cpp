// No kernel reads or writes outside its arguments. Here those of fp32, those of int8 are in
// test_bounds_s8.cpp.

#include "kernels/attended.hpp"
#include "kernels/fenced.hpp"

using namespace kinglet;
using namespace kinglet::test;
using kernels::Activation;

TEST_CASE("elementwise and row kernels stay inside their arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int n : {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 50}) {
      for (Activation act : {Activation::relu, Activation::gelu_erf})
        table.activate_f32(act, n, fenced(size(1, n)), fenced(size(1, n)));
      table.add_f32(n, fenced(size(1, n)), fenced(size(1, n)), fenced(size(1, n)));
      table.softmax_f32(2, n, fenced(size(2, n)), n, fenced(size(2, n)), n);
      table.layer_norm_f32(2, n, fenced(size(2, n)), n, fenced(size(1, n)), fenced(size(1, n)),
                           1e-5f, fenced(size(2, n)), n);
      table.unit_length_f32(2, n, fenced(size(2, n)), n, fenced(size(2, n)), n);
    }
  });
}

TEST_CASE("gathers of fp32 stay inside their arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int n : {1, 3, 7, 16, 17, 33, 64, 70}) {
      for (int last : {2, 15, 16, 18}) {  // of the vocabulary
        const std::int32_t* ids = fenced.copy<std::int32_t>({last, 0});
        for (bool accumulate : {false, true}) {
          table.embedding_f32(2, n, ids, fenced(size(last + 1, n)), n, fenced(size(2, n)), n,
                              accumulate);
          table.embedding_panels_f32(2, n, ids, fenced(kernels::panels_size_f32(last + 1, n)),
                                     fenced(size(2, n)), n, accumulate);
        }
      }
    }
  });
}

TEST_CASE("gemm_f32 stays inside its arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int m = 1; m <= 13; ++m) {
      for (int n : {1, 7, 16, 33, 127}) {
        for (int k : {1, 5, 16}) {
          const kernels::Epilogue epilogue{fenced(size(kernels::panels_of(n), 16)),
                                           Activation::relu, fenced(size(m, n)), n};
          table.gemm_f32(m, n, k, fenced(size(m, k)), k, fenced(kernels::panels_size_f32(n, k)),
                         epilogue, fenced(size(m, n)), n);
        }
      }
    }
  });
}

TEST_CASE("kernels of images stay inside their arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int c : {1, 3, 8, 16, 19, 33}) {
      const auto image = [&](int height, int width, int channels) {
        return fenced_image<float>(fenced, height, width, channels);
      };
      const kernels::Window window{3, 3, 1, 1};
      for (int n : {1, 16, 35}) {
        const kernels::ConvEpilogue epilogue{fenced(size(kernels::panels_of(n), 16)),
                                             Activation::relu, image(2, 4, n)};
        table.conv_f32(window, image(4, 6, c), fenced(kernels::panels_size_f32(n, 9 * c)), epilogue,
                       0, 8, image(2, 4, n));
      }
      table.depthwise_f32(window, image(4, 7, c), fenced(size(9, c)), fenced(size(1, c)),
                          Activation::relu, 0, 2, image(2, 5, c));
      table.max_pool_f32(window, 1, image(4, 5, c), 0, 4, image(4, 5, c));
      table.average_pool_f32(image(4, 5, c), fenced(size(1, c)));
      table.overlap_add_f32({fenced(size(12, 16 * c)), 16 * c, 3, 4, 4, 2, 1}, fenced(size(1, c)),
                            Activation::relu, 0, 6, image(6, 8, c));
      table.resize_nearest_f32(image(2, 3, c), 2, 0, 4, image(4, 6, c));
      const kernels::Between rows{fenced.of<std::int32_t>(7), fenced(7)},
          columns{fenced.of<std::int32_t>(7), fenced(7)};
      kernels::resize_positions(3, 7, rows);
      kernels::resize_positions(3, 7, columns);
      table.resize_bilinear_f32(image(3, 3, c), rows, columns, 0, 7, image(7, 7, c),
                                fenced(size(3, c)));
    }
  });
}

TEST_CASE("cells and steps of fp32 stay inside their arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int units : {1, 3, 8, 15, 16, 17, 33}) {
      const int gates = kernels::lstm_gates(units), gru = kernels::gru_gates(units);
      table.lstm_cell_f32(2, units, fenced(size(2, gates)), gates, fenced(size(2, units)), units,
                          fenced(size(2, units)), units);
      table.gru_cell_f32(2, units, fenced(size(2, gru)), fenced(size(2, gru)), gru,
                         fenced(size(2, units)), units, fenced(size(2, units)), units);
      for (int kx : {0, 1, 5, 16}) {
        for (int first = 0; first < units; first += kernels::kPanel) {
          for (bool backwards : {false, true}) {
            table.lstm_step_f32(
                first, units, kx, fenced(size(1, kx)), fenced(kernels::panels_size_f32(gates, kx)),
                units, fenced(size(1, units)), fenced(kernels::panels_size_f32(gates, units)),
                fenced(size(1, gates)), fenced(size(1, units)), fenced(size(1, units)), backwards);
          }
        }
      }
    }
  });
}

TEST_CASE("attention_f32 stays inside its arguments, its two halves as well") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int m : {1, 2, 6, 25, 33}) {
      for (int n : {1, 15, 16, 17, 40}) {
        for (int d : {1, 8, 11, 64}) {
          table.attention_f32(m, n, d, fenced(size(m, d)), d, fenced(size(n, d)), d,
                              fenced(size(n, d)), d, nullptr, 0.5f, fenced(size(m, d)), d,
                              fenced(size(m, n)), n, fenced(kernels::attention_scratch_f32(n, d)));
          const float* packed = fenced(kernels::packed_keys_f32(n, d));
          table.attend_f32(m, n, d, fenced(size(m, d)), d, packed, 0.5f, fenced(size(m, d)), d,
                           fenced(size(m, n)), n, fenced(kernels::attend_scratch_f32(n)));
        }
      }
    }
  });
}

TEST_CASE("attention_f32 stays inside its arguments under every mask") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int n : {2, 16, 17, 40}) {
      for (const Mask& mask : masks(n)) {
        for (int d : {1, 11, 64}) {
          const std::uint8_t* hidden = fenced.copy(mask);
          table.attention_f32(3, n, d, fenced(size(3, d)), d, fenced(size(n, d)), d,
                              fenced(size(n, d)), d, hidden, 0.5f, fenced(size(3, d)), d,
                              fenced(size(3, n)), n, fenced(kernels::attention_scratch_f32(n, d)));
          const auto live = static_cast<int>(n - std::count(mask.begin(), mask.end(), 0));
          CHECK(table.pack_keys_f32(n, d, fenced(size(n, d)), d, fenced(size(n, d)), d, hidden,
                                    fenced(kernels::packed_keys_f32(live, d))) == live);
        }
      }
    }
  });
}
