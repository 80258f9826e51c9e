// Layers of LSTM cells: a sequence is the same alone, beside longer and shorter ones, and cut into
// pieces; with weights of either precision, on any number of threads.
#include <algorithm>
#include <kinglet/blocks/lstm.hpp>
#include <numeric>

#include "backend/check.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

/// A matrix of gates in f32 or int8.
class Gates {
 public:
  Gates(int gates, int k, bool int8, std::uint64_t seed)
      : n_(gates), k_(k), int8_(int8), bias_(1, gates, seed + 1) {
    const Numbers w(gates, k, seed);
    panels_.resize(kernels::panels_size_f32(gates, k));
    kernels::pack_panels_f32(gates, k, w.values.data(), k, panels_.data());
    std::vector<std::int8_t> q;
    for (const float v : w.values) q.push_back(static_cast<std::int8_t>(std::lround(v * 127.0f)));
    panels_s8_.resize(kernels::panels_size_s8(gates, k));
    scale_.assign(static_cast<std::size_t>(gates), 1.0f / 127);
    sums_.resize(scale_.size());
    negatives_.resize(scale_.size());
    kernels::pack_panels_s8(gates, k, q.data(), k, panels_s8_.data(), sums_.data(),
                            negatives_.data());
  }
  Linear linear(bool bias) const {
    Linear w;
    w.n = n_;
    w.k = k_;
    if (bias) w.bias = bias_.values.data();
    if (int8_) {
      w.s8 = {panels_s8_.data(), scale_.data(), sums_.data(), negatives_.data()};
    } else {
      w.weight = panels_.data();
    }
    return w;
  }

 private:
  int n_, k_;
  bool int8_;
  Numbers bias_;
  std::vector<float> panels_, scale_;
  std::vector<std::int8_t> panels_s8_;
  std::vector<std::int32_t> sums_, negatives_;
};

struct Layer {
  Layer(int inputs_, int units_, bool ih_s8, bool hh_s8)
      : inputs(inputs_),
        units(units_),
        ih(4 * padded(units), inputs, ih_s8, 1),
        hh(4 * padded(units), units, hh_s8, 3) {}
  Lstm weights() const { return {ih.linear(true), hh.linear(false), units}; }

  int inputs, units;
  Gates ih, hh;
};

/// y [sequence][longest][units] of a padded batch.
std::vector<float> forward(const test::Table& table, const Layer& layer, const Numbers& x,
                           const std::vector<std::int32_t>& lengths, int longest, bool backwards,
                           const Parallel& parallel = {}) {
  const int batch = static_cast<int>(lengths.size());
  Numbers y(batch * longest, layer.units);
  const auto ops = [&](auto& be) {
    ArenaScope scope(be.arena());
    // What is counted is the longest case: Count sees no lengths.
    const TimeSteps steps = time_steps(be.arena(), batch, longest, lengths.data());
    const Matrix rows = be.arena().matrix(batch * longest, layer.inputs).rows_at(0, steps.rows);
    const Matrix out = be.arena().matrix(batch * longest, layer.units).rows_at(0, steps.rows);
    for (int i = 0; i < batch && rows.data != nullptr; ++i) {
      for (int t = 0; t < steps.length_of_place(i); ++t) {
        const ConstMatrix from = x;
        be.copy(from.rows_at(steps.sequence_at(i) * longest + t, 1),
                rows.rows_at(steps.start_of(t) + i, 1));
      }
    }
    lstm_layer(be, layer.weights(), steps, rows, backwards, {}, out);
    const Matrix padded = y;
    for (int i = 0; i < batch; ++i) {
      spread_steps(be, steps, i, out, padded.rows_at(steps.sequence_at(i) * longest, longest));
    }
  };
  Count count(parallel.threads);
  ops(count);
  Memory memory(count.scratch_bytes());
  Cpu<isa::runtime> cpu(memory.arena, parallel, table);
  ops(cpu);
  CHECK_FALSE(memory.arena.overflowed());
  return y.values;
}

std::vector<float> part(const std::vector<float>& from, int first, int count) {
  return {from.begin() + first, from.begin() + first + count};
}

template <class F>
void on_each_precision(int units, F f) {
  CAPTURE(units);
  for (const bool ih : {false, true}) {
    for (const bool hh : {false, true}) {
      CAPTURE(ih);
      CAPTURE(hh);
      f(Layer(7, units, ih, hh));
    }
  }
}

/// Of one slice of kLstmSlice panels, and of more than one.
template <class F>
void on_each_layer(F f) {
  for (const int units : {19, 150}) on_each_precision(units, f);
}

/// On one and on three workers, forwards and backwards, every `apart`th sequence is what it is alone.
void check_alone(const Layer& layer, const std::vector<std::int32_t>& lengths, int longest,
                 int apart) {
  const int batch = static_cast<int>(lengths.size());
  const Numbers x(batch * longest, layer.inputs, 11);
  on_each_isa([&](const test::Table& table) {
    for (const bool backwards : {false, true}) {
      CAPTURE(backwards);
      const auto y = forward(table, layer, x, lengths, longest, backwards);
      CHECK(same_bits(y, forward(table, layer, x, lengths, longest, backwards, three_workers())));
      for (int b = 0; b < batch; b += apart) {
        const int length = lengths[static_cast<std::size_t>(b)];
        Numbers mine(length, layer.inputs);
        mine.values = part(x.values, b * longest * layer.inputs, length * layer.inputs);
        const auto alone = forward(table, layer, mine, {length}, length, backwards);
        const int row = layer.units * longest, used = layer.units * length;
        CHECK(same_bits(part(y, b * row, used), alone));
        CHECK(part(y, b * row + used, row - used) ==
              std::vector<float>(static_cast<std::size_t>(row - used)));
      }
    }
  });
}

}  // namespace

TEST_CASE("a sequence of an LSTM is the same alone and beside others of unequal length") {
  on_each_layer([](const Layer& layer) { check_alone(layer, {3, 6, 1, 6, 4}, 6, 1); });
}

TEST_CASE("a sequence of an LSTM is the same where the gates are found for some steps at a time") {
  const auto lengths = [](int batch, int longest) {
    std::vector<std::int32_t> out;
    for (int b = 0; b < batch; ++b) out.push_back(1 + b * 7 % longest);
    out[1] = longest;
    CHECK(std::accumulate(out.begin(), out.end(), 0) > std::max(batch, kGateRows));
    return out;
  };
  on_each_precision(150, [&](const Layer& layer) { check_alone(layer, lengths(5, 30), 30, 2); });
  on_each_precision(19, [&](const Layer& layer) { check_alone(layer, lengths(70, 4), 4, 23); });
}

TEST_CASE("an LSTM of no rows does nothing") {
  on_each_precision(19, [&](const Layer& layer) {
    on_each_isa([&](const test::Table& table) {
      run(table, [&](auto& be) {
        Numbers y(1, layer.units), c(1, layer.units);
        const auto none = [](Numbers& x) { return Matrix(x).rows_at(0, 0); };
        Numbers x(1, layer.inputs);
        const Lstm w = layer.weights();
        be.lstm_step(w, none(x), none(y), none(c), none(y));
        be.lstm_gates(w, Matrix{nullptr, 0, w.ih.n}, none(y), none(c), none(y));
        CHECK(y.values == std::vector<float>(y.values.size()));
      });
    });
  });
}

TEST_CASE("an LSTM that goes on from a state gives what one run gives") {
  const int batch = 2, length = 5;
  const Numbers x(batch * length, 7, 12);
  on_each_layer([&](const Layer& layer) {
    on_each_isa([&](const test::Table& table) {
      const std::vector<std::int32_t> lengths(2, length);
      const auto whole = forward(table, layer, x, lengths, length, false);
      Numbers h(batch, layer.units), c(batch, layer.units), y(batch, layer.units);
      for (int t = 0; t < length; ++t) {
        Numbers now(batch, 7);
        for (int b = 0; b < batch; ++b) {
          for (int i = 0; i < 7; ++i)
            now.values[static_cast<std::size_t>(b * 7 + i)] =
                x.values[static_cast<std::size_t>((b * length + t) * 7 + i)];
        }
        Numbers last = h, cell = c, stepped(batch, layer.units);
        run(table, [&](auto& be) {
          const TimeSteps steps = time_steps(be.arena(), batch, 1, nullptr);
          const Matrix before_h = h, before_c = c;
          lstm_layer(be, layer.weights(), steps, now, false, {before_h, before_c}, y);
        });
        CHECK(same_bits(y.values, h.values));
        run(table,
            [&](auto& be) { be.lstm_step(layer.weights(), now, last, cell, stepped, t % 2 != 0); });
        CHECK(same_bits(stepped.values, y.values));
        CHECK(same_bits(cell.values, c.values));
        for (int b = 0; b < batch; ++b) {
          CHECK(same_bits(part(whole, (b * length + t) * layer.units, layer.units),
                          part(y.values, b * layer.units, layer.units)));
        }
      }
    });
  });
}

TEST_CASE("one row through an LSTM step, on three workers, has the bits of a row of a batch") {
  const int batch = 3;
  on_each_layer([&](const Layer& layer) {
    const Numbers x(batch, 7, 13), h(batch, layer.units, 14), c0(batch, layer.units, 15);
    on_each_isa([&](const test::Table& table) {
      Numbers c = c0, y(batch, layer.units);
      run(table, [&](auto& be) { be.lstm_step(layer.weights(), x, h, c, y); });
      for (int b = 0; b < batch; ++b) {
        const auto row = [&](const Numbers& of) {
          return ConstMatrix{of.values.data() + b * of.cols, 1, of.cols};
        };
        Numbers cell(1, layer.units), out(1, layer.units);
        cell.values = part(c0.values, b * layer.units, layer.units);
        run(
            table, [&](auto& be) { be.lstm_step(layer.weights(), row(x), row(h), cell, out); },
            three_workers());
        CHECK(same_bits(out.values, part(y.values, b * layer.units, layer.units)));
        CHECK(same_bits(cell.values, part(c.values, b * layer.units, layer.units)));
      }
    });
  });
}

TEST_CASE("a step of a GRU has the same bits on any number of threads, and counts its scratch") {
  const int batch = 3, units = 19, inputs = 7, n = 3 * padded(units);
  for (const bool int8 : {false, true}) {
    const Gates ih(n, inputs, int8, 1), hh(n, units, int8, 3);
    const Gru w{ih.linear(true), hh.linear(true), units};
    const Numbers x(batch, inputs, 16), h(batch, units, 17);
    on_each_isa([&](const test::Table& table) {
      Numbers y(batch, units), in_place = h;
      run(table, [&](auto& be) { be.gru_step(w, x, h, y); });
      run(
          table, [&](auto& be) { be.gru_step(w, x, in_place, in_place); }, three_workers());
      CHECK(same_bits(y.values, in_place.values));
    });
  }
}
