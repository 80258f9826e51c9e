// No kernel reads or writes outside its arguments: each of them ends where a page begins that must
// not be touched (then, begins where one ends). A trespasser is stopped by the operating system.

#include <sys/mman.h>
#include <unistd.h>

#include <list>

#include "kernels/check.hpp"

using namespace kinglet;
using namespace kinglet::test;
using kernels::Activation;

namespace {

/// n floats with a forbidden page right after them, or right before.
class Fenced {
 public:
  Fenced(int n, bool fence_after) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(float);
    const std::size_t inside = (bytes + page - 1) / page * page;
    size_ = inside + 2 * page;
    void* all = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(all != MAP_FAILED);
    all_ = static_cast<unsigned char*>(all);
    unsigned char* first = all_ + page;
    REQUIRE(mprotect(first, inside, PROT_READ | PROT_WRITE) == 0);
    data_ = reinterpret_cast<float*>(fence_after ? first + inside - bytes : first);
    Random(1).fill(data_, n);
  }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  ~Fenced() { munmap(all_, size_); }
  float* data() const { return data_; }

 private:
  unsigned char* all_;
  std::size_t size_;
  float* data_;
};

/// Hands out fenced memory; all of it goes at the end.
class Fences {
 public:
  explicit Fences(bool after) : after_(after) {}
  float* operator()(std::size_t n) { return all_.emplace_back(static_cast<int>(n), after_).data(); }

 private:
  bool after_;
  std::list<Fenced> all_;
};

template <class F>
void for_each_isa_and_fence(F f) {
  for (int i = 0; i < kernels::count(); ++i) {
    const std::string isa = kernels::at(i).isa;
    CAPTURE(isa);
    for (bool after : {true, false}) {
      Fences fenced(after);
      f(kernels::at(i), fenced);
    }
  }
}

std::size_t size(int rows, int cols) { return static_cast<std::size_t>(rows * cols); }

}  // namespace

TEST_CASE("elementwise and row kernels stay inside their arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int n : {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 50}) {
      for (Activation act : {Activation::relu, Activation::gelu_erf})
        table.activate_f32(act, n, fenced(size(1, n)), fenced(size(1, n)));
      table.add_f32(n, fenced(size(1, n)), fenced(size(1, n)), fenced(size(1, n)));
      table.softmax_f32(2, n, fenced(size(2, n)), n, fenced(size(2, n)), n);
      table.layer_norm_f32(2, n, fenced(size(2, n)), n, fenced(size(1, n)), fenced(size(1, n)),
                           1e-5f, fenced(size(2, n)), n);
      const std::int32_t ids[] = {2, 0};
      for (bool accumulate : {false, true})
        table.embedding_f32(2, n, ids, fenced(size(3, n)), n, fenced(size(2, n)), n, accumulate);
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
        return kernels::ImageView<float>{fenced(size(height * width, channels)),
                                         height,
                                         width,
                                         channels,
                                         width * channels,
                                         channels};
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
      std::int32_t first[7];
      const kernels::Between rows{first, fenced(7)}, columns{first, fenced(7)};
      kernels::resize_positions(3, 7, rows);
      kernels::resize_positions(3, 7, columns);
      table.resize_bilinear_f32(image(3, 3, c), rows, columns, 0, 7, image(7, 7, c),
                                fenced(size(3, c)));
    }
  });
}

TEST_CASE("attention_f32 stays inside its arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int m : {1, 2, 6, 25}) {
      for (int n : {1, 15, 16, 17, 40}) {
        for (int d : {1, 8, 11, 64}) {
          table.attention_f32(m, n, d, fenced(size(m, d)), d, fenced(size(n, d)), d,
                              fenced(size(n, d)), d, nullptr, 0.5f, fenced(size(m, d)), d,
                              fenced(size(m, n)), n, fenced(kernels::attention_scratch_f32(n, d)));
        }
      }
    }
  });
}

TEST_CASE("attention_s8 stays inside its arguments") {
  for_each_isa_and_fence([](const Table& table, Fences& fenced) {
    for (int m : {1, 6, 33}) {
      for (int n : {1, 15, 16, 17, 70}) {
        for (int d : {1, 8, 11, 64}) {
          table.attention_s8(m, n, d, fenced(size(m, d)), d, fenced(size(n, d)), d,
                             fenced(size(n, d)), d, nullptr, 0.5f, fenced(size(m, d)), d,
                             fenced(kernels::attention_scratch_s8(n, d) / sizeof(float)));
        }
      }
    }
  });
}
