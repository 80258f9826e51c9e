// TensorMapping: LSTMs, convolutions with their batch norms, and Linears at either end of them.
#include <algorithm>
#include <cmath>

#include "convert_mapping.hpp"

namespace kinglet::tools {
namespace {

constexpr double kBatchNormEps = 1e-5;  // PyTorch's own; checkpoints do not say it
constexpr int kBlock = 16;              // units whose gates lie side by side
constexpr int kGates = 4;

std::size_t size_of(std::int64_t n) { return static_cast<std::size_t>(n); }

std::vector<float> load_all(WeightSource& source, const std::string& name, std::int64_t entries,
                            std::int64_t each = 1) {
  std::vector<float> values(size_of(entries * each));
  source.load(name, 0, entries, values.data());
  return values;
}

/// y = scale·x + shift, a channel each.
struct Affine {
  std::vector<double> scale, shift;
};

/// The batch norm at inference; none: as it is.
Affine batch_norm(WeightSource& source, const std::string& norm, int channels) {
  Affine a{std::vector<double>(size_of(channels), 1.0), std::vector<double>(size_of(channels))};
  if (norm.empty()) return a;
  const std::vector<float> gamma = load_all(source, norm + ".weight", channels),
                           beta = load_all(source, norm + ".bias", channels),
                           mean = load_all(source, norm + ".running_mean", channels),
                           variance = load_all(source, norm + ".running_var", channels);
  for (std::size_t c = 0; c < a.scale.size(); ++c) {
    if (variance[c] < 0) source.refuse(norm + ".running_var", "holds a negative number");
    a.scale[c] =
        static_cast<double>(gamma[c]) / std::sqrt(static_cast<double>(variance[c]) + kBatchNormEps);
    a.shift[c] = static_cast<double>(beta[c]) - static_cast<double>(mean[c]) * a.scale[c];
  }
  return a;
}

float narrowed(double x, const WeightSource& source, const std::string& name) {
  const float y = static_cast<float>(x);
  if (!std::isfinite(y)) source.refuse(name, "leaves the range of float32 with its batch norm");
  return y;
}

/// f(unit, count, gate, done): rows first … first + count − 1 of gates in blocks, in runs of one gate.
/// Of `count` units from `unit` on; done: rows before.
template <class F>
void for_each_gate_run(std::int64_t first, std::int64_t rows, F f) {
  for (std::int64_t done = 0; done < rows;) {
    const std::int64_t row = first + done;
    const std::int64_t run = std::min(rows - done, kBlock - row % kBlock);
    const std::int64_t unit = row / (kGates * kBlock) * kBlock + row % kBlock;
    f(unit, run, row / kBlock % kGates, done);
    done += run;
  }
}

/// Rows of k of a tensor [gates · units][k], or of the sum of two.
FillRows gate_rows(WeightSource& weights, const std::vector<std::string>& names, int units, int k) {
  return [source = &weights, names, units, k](std::int64_t first, std::int64_t count, float* out) {
    std::fill(out, out + count * k, 0.0f);
    std::vector<float> part(size_of(kBlock) * size_of(k));
    for_each_gate_run(
        first, count,
        [&](std::int64_t unit, std::int64_t run, std::int64_t gate, std::int64_t done) {
          const std::int64_t there = std::clamp<std::int64_t>(units - unit, 0, run);
          for (const std::string& name : names) {
            if (there == 0) break;
            source->load(name, gate * units + unit, there, part.data());
            for (std::int64_t i = 0; i < there * k; ++i) out[done * k + i] += part[size_of(i)];
          }
        });
  };
}

}  // namespace

LstmNames lstm_names(const std::string& module, const std::string& end) {
  return {module + ".weight_ih" + end, module + ".weight_hh" + end, module + ".bias_ih" + end,
          module + ".bias_hh" + end};
}

void TensorMapping::lstm(const std::string& begin, const LstmNames& source, int units, int k) {
  const int gates = kGates * units;
  const int rows = kGates * ((units + kBlock - 1) / kBlock * kBlock);
  weights_.require(source.weight_ih, {gates, k});
  weights_.require(source.weight_hh, {gates, units});
  weights_.require(source.bias_ih, {gates});
  weights_.require(source.bias_hh, {gates});
  plan_.matrix(begin + "ih.weight", 1, rows, k, gate_rows(weights_, {source.weight_ih}, units, k));
  plan_.bias(begin + "ih.bias", 1, rows,
             gate_rows(weights_, {source.bias_ih, source.bias_hh}, units, 1));
  plan_.matrix(begin + "hh.weight", 1, rows, units,
               gate_rows(weights_, {source.weight_hh}, units, units));
}

void TensorMapping::require_norm(const std::string& norm, int channels) {
  if (norm.empty()) return;
  for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"})
    weights_.require(norm + part, {channels});
}

FillRows TensorMapping::folded_bias(const std::string& source, const std::string& norm,
                                    int channels, bool has_bias) {
  const std::string name = source + ".bias";
  if (has_bias) weights_.require(name, {channels});
  return [weights = &weights_, name, norm, channels, has_bias](std::int64_t first,
                                                               std::int64_t count, float* out) {
    const Affine a = batch_norm(*weights, norm, channels);
    std::fill_n(out, count, 0.0f);
    if (has_bias) weights->load(name, first, count, out);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::size_t c = size_of(first + i);
      out[i] = narrowed(static_cast<double>(out[i]) * a.scale[c] + a.shift[c], *weights, name);
    }
  };
}

void TensorMapping::convolution(const std::string& name, const std::string& source,
                                const std::string& norm, int outputs, int inputs, int kernel,
                                bool has_bias) {
  const std::string weight = source + ".weight";
  const int places = kernel * kernel, k = places * inputs;
  weights_.require(weight, {outputs, inputs, kernel, kernel});
  require_norm(norm, outputs);
  plan_.matrix(name + ".weight", 1, outputs, k,
               [=, weights = &weights_](std::int64_t first, std::int64_t count, float* out) {
                 const Affine a = batch_norm(*weights, norm, outputs);
                 std::vector<float> row(size_of(k));  // [in][ky][kx]
                 for (std::int64_t r = first; r < first + count; ++r, out += k) {
                   weights->load(weight, r, 1, row.data());
                   for (int i = 0; i < inputs; ++i) {
                     for (int p = 0; p < places; ++p) {
                       const double w = static_cast<double>(row[size_of(i * places + p)]);
                       out[p * inputs + i] = narrowed(w * a.scale[size_of(r)], *weights, weight);
                     }
                   }
                 }
               });
  plan_.bias(name + ".bias", 1, outputs, folded_bias(source, norm, outputs, has_bias));
}

void TensorMapping::conv_transpose(const std::string& name, const std::string& source,
                                   const std::string& norm, int outputs, int inputs, bool doubled) {
  constexpr int kKernel = 4;
  const std::string weight = source + ".weight";
  weights_.require(weight, {inputs, outputs, kKernel, kKernel});
  require_norm(norm, outputs);
  const int kernel = doubled ? kKernel + 2 : kKernel;
  // Doubled, input p stands at 2p and 2p + 1: what pixel o gets, Σ z[i]·w[o + 1 − 2i], is
  // Σ x[p]·(w[a] + w[a − 2]) with a = o + 1 − 4p; the same in both directions.
  const auto tap = [doubled](const float* w, int a, int b) {
    double sum = 0;
    for (int u = 0; u <= (doubled ? 2 : 0); u += 2) {
      for (int v = 0; v <= (doubled ? 2 : 0); v += 2) {
        const int y = a - u, x = b - v;
        if (y < 0 || x < 0 || y >= kKernel || x >= kKernel) continue;
        sum += static_cast<double>(w[y * kKernel + x]);
      }
    }
    return sum;
  };
  plan_.matrix(name + ".weight", 1, kernel * kernel * outputs, inputs,
               [=, weights = &weights_](std::int64_t first, std::int64_t count, float* out) {
                 const Affine a = batch_norm(*weights, norm, outputs);
                 const int places = kKernel * kKernel;
                 const std::vector<float> all =  // [in][out][ky][kx]
                     load_all(*weights, weight, inputs, std::int64_t{outputs} * places);
                 for (std::int64_t r = first; r < first + count; ++r) {
                   const int c = static_cast<int>(r % outputs);
                   const int place = static_cast<int>(r / outputs);
                   for (int i = 0; i < inputs; ++i) {
                     const float* w = all.data() + (std::int64_t{i} * outputs + c) * places;
                     *out++ = narrowed(tap(w, place / kernel, place % kernel) * a.scale[size_of(c)],
                                       *weights, weight);
                   }
                 }
               });
  plan_.vector(name + ".bias", outputs, folded_bias(source, norm, outputs));
}

void TensorMapping::linear_reading_cells(const std::string& name, const std::string& source, int n,
                                         int channels, int cells) {
  const int k = channels * cells;
  const FillRows rows = from(source + ".weight", {n, k});
  plan_.matrix(name + ".weight", 1, n, k, [=](std::int64_t first, std::int64_t count, float* out) {
    std::vector<float> row(size_of(k));
    for (std::int64_t r = first; r < first + count; ++r, out += k) {
      rows(r, 1, row.data());
      for (int c = 0; c < channels; ++c)
        for (int i = 0; i < cells; ++i) out[i * channels + c] = row[size_of(c * cells + i)];
    }
  });
  plan_.bias(name + ".bias", 1, n, from(source + ".bias", {n}));
}

void TensorMapping::linear_writing_cells(const std::string& name, const std::string& source,
                                         int channels, int cells, int k) {
  const int n = channels * cells;
  const auto permuted = [=](const FillRows& rows, int width) -> FillRows {
    return [=](std::int64_t first, std::int64_t count, float* out) {
      for (std::int64_t r = first; r < first + count; ++r, out += width)
        rows(r % channels * cells + r / channels, 1, out);
    };
  };
  plan_.matrix(name + ".weight", 1, n, k, permuted(from(source + ".weight", {n, k}), k));
  plan_.bias(name + ".bias", 1, n, permuted(from(source + ".bias", {n}), 1));
}

}  // namespace kinglet::tools
