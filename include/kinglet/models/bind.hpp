#pragma once
// Binder: takes weights out of a model file by name, checks type and shape, copies nothing. The
// first fault is kept; after it every call gives an empty view, so a model binds in one straight
// run and asks status() at the end.

#include <cstdint>
#include <cstring>
#include <kinglet/backend/image.hpp>
#include <kinglet/backend/ops.hpp>
#include <kinglet/blocks/encoder_layer.hpp>
#include <kinglet/blocks/words.hpp>
#include <kinglet/core/status.hpp>
#include <kinglet/io/model_file.hpp>
#include <string_view>
#include <type_traits>

namespace kinglet {

/// A name put together from parts, without heap: "blk." 3 ".attn_qkv" → "blk.3.attn_qkv".
class Name {
 public:
  constexpr Name(std::string_view text) noexcept { append(text); }

  constexpr Name& append(std::string_view text) noexcept {
    for (const char c : text) {
      if (size_ < sizeof text_) text_[size_++] = c;
    }
    return *this;
  }
  constexpr Name& append(int number) noexcept {
    if (number >= 10) append(number / 10);
    const char digit = static_cast<char>('0' + number % 10);
    return append(std::string_view{&digit, 1});
  }
  constexpr std::string_view view() const noexcept { return {text_, size_}; }

 private:
  char text_[96] = {};
  std::size_t size_ = 0;
};

class Binder {
 public:
  explicit Binder(const ModelFile& file) noexcept : file_(file) {}

  const Status& status() const noexcept { return status_; }

  enum class Bias : std::uint8_t { none, optional, required };

  /// `parts` matrices of n × k, each padded to whole panels; the view covers all of them. Stored as
  ///   name.weight  f32 [parts·ceil(n/16)][k][16], or
  ///   name.weight  s8 [parts·ceil(n/16)][padded_depth(k)/4][16][4] and, one number an output,
  ///   name.weight_scale f32, .weight_sums s32 (Σ w), .weight_negatives s32 (Σ max(−w, 0))
  ///   name.weight_smooth f32 [k], if there: the factors of the columns of the rows that it reads
  /// The sums are what the file says: wrong ones give wrong numbers, nothing worse.
  Linear linear(std::string_view name, int n, int k, Bias bias = Bias::required,
                int parts = 1) noexcept {
    const int panels = parts * panels_of(n);
    const Shape outputs{panels, kPanel};
    Linear w;
    w.n = (parts - 1) * padded(n) + n;
    w.k = k;
    const Name weight = Name(name).append(".weight");
    if (holds_s8(weight.view())) {
      if (k > kernels::kMostDepthS8) fail<float>("is too deep for int8", weight.view());
      w.s8.panels = numbers<std::int8_t>(weight.view(), {panels, padded_depth(k) / 4, kPanel, 4});
      w.s8.scale = numbers<float>(Name(weight).append("_scale").view(), outputs);
      w.s8.sums = numbers<std::int32_t>(Name(weight).append("_sums").view(), outputs);
      w.s8.negatives = numbers<std::int32_t>(Name(weight).append("_negatives").view(), outputs);
      const Name smooth = Name(weight).append("_smooth");
      TensorInfo found;
      if (file_.find(smooth.view(), found)) w.smooth = numbers<float>(smooth.view(), {k});
    } else {
      w.weight = numbers<float>(weight.view(), {panels, k, kPanel});
    }
    const Name bias_name = Name(name).append(".bias");
    if (bias == Bias::required || (bias == Bias::optional && file_.tensor(bias_name.view()).ok())) {
      w.bias = numbers<float>(bias_name.view(), outputs);
    }
    return w;
  }

  /// name.weight f32 [n], a vector that no product packs.
  const float* vector(std::string_view name, int n) noexcept {
    return numbers<float>(Name(name).append(".weight").view(), {n});
  }

  /// <begin>ih, which has the bias, and <begin>hh.
  Lstm lstm(std::string_view begin, int units, int k) noexcept {
    const int rows = 4 * padded(units);
    Lstm w;
    w.ih = linear(Name(begin).append("ih").view(), rows, k);
    w.hh = linear(Name(begin).append("hh").view(), rows, units, Bias::none);
    w.units = units;
    return w;
  }

  /// name.weight of n rows of kernel² · channels, and name.bias. int8 only without factors of columns
  /// and with a multiple of kDepth channels.
  Conv conv(std::string_view name, int n, int channels, int kernel, int stride,
            int padding) noexcept {
    Conv w;
    w.w = linear(name, n, kernel * kernel * channels);
    w.kernel = kernel;
    w.stride = stride;
    w.padding = padding;
    if (w.w.int8() && (channels % kernels::kDepth != 0 || w.w.smooth != nullptr)) {
      fail<float>("is int8, which such a convolution cannot be",
                  Name(name).append(".weight").view());
    }
    return w;
  }

  /// name.weight of kernel² · channels rows of k, and name.bias f32 [channels].
  ConvTranspose conv_transpose(std::string_view name, int channels, int k, int kernel, int stride,
                               int padding) noexcept {
    ConvTranspose w;
    w.taps = linear(name, kernel * kernel * channels, k, Bias::none);
    w.bias = numbers<float>(Name(name).append(".bias").view(), {channels});
    w.channels = channels;
    w.kernel = kernel;
    w.stride = stride;
    w.padding = padding;
    return w;
  }

  Norm norm(std::string_view name, int n, float eps) noexcept {
    Norm w;
    w.gamma = numbers<float>(Name(name).append(".weight").view(), {n});
    w.beta = numbers<float>(Name(name).append(".bias").view(), {n});
    w.n = n;
    w.eps = eps;
    return w;
  }

  /// blk.<l>.*; h: the width, bias: of the attention's matrices.
  EncoderLayer encoder_layer(int l, int h, int inner, float eps, Bias bias) noexcept {
    const auto name = [l](const char* part) { return Name("blk.").append(l).append(part); };
    EncoderLayer w;
    w.qkv = linear(name(".attn_qkv").view(), h, h, bias, 3);
    w.attn_output = linear(name(".attn_output").view(), h, h, bias);
    w.attn_norm = norm(name(".attn_output_norm").view(), h, eps);
    w.ffn_up = linear(name(".ffn_up").view(), inner, h);
    w.ffn_down = linear(name(".ffn_down").view(), h, inner);
    w.ffn_norm = norm(name(".layer_output_norm").view(), h, eps);
    return w;
  }

  /// kinglet.vocab.map, the row of each id, as in Words; null where the file has none. Every entry is
  /// below `rows`.
  const unsigned char* row_of(int ids, int rows) noexcept {
    constexpr std::string_view kKey = "kinglet.vocab.map";
    if (!status_.ok() || !file_.has(kKey)) return nullptr;
    const Result<GgufArray> map = file_.array(kKey);
    bool fits =
        map.ok() && map->type() == GgufType::u32 && map->count() == static_cast<std::uint64_t>(ids);
    for (std::uint64_t i = 0; fits && i < map->count(); ++i) {
      fits = map->number(i).value_or(~std::uint64_t{0}) < static_cast<std::uint64_t>(rows);
    }
    if (!fits) fail<int>("does not map each id of the vocabulary to a row of the table", kKey);
    return fits ? map->bytes().data() : nullptr;
  }

  /// name.weight, a table of `ids` rows of n; or of those that kinglet.vocab.map names, and of r
  /// columns where name_factor.weight is a Linear from r to n.
  Words words(std::string_view name, int ids, int n) noexcept {
    const Name factor = Name(name).append("_factor");
    const Result<TensorInfo> stored = file_.tensor(Name(name).append(".weight").view());
    const auto length = [&](int dim, int most) {
      const bool fits = stored.ok() && stored->shape[dim] <= static_cast<std::uint64_t>(most);
      return fits ? static_cast<int>(stored->shape[dim]) : 0;
    };
    const int rows = file_.has("kinglet.vocab.map") ? length(0, ids) : ids;
    Words w;
    w.row_of = row_of(ids, rows);
    int r = n;
    if (file_.tensor(Name(factor).append(".weight").view()).ok()) {
      r = length(1, 65536);
      w.factor = linear(factor.view(), n, r, Bias::none);
    }
    w.rows = table(name, rows, r);
    return w;
  }

  /// name.weight f32 [rows][n], or s8 with name.weight_scale f32 [rows].
  Table table(std::string_view name, int rows, int n) noexcept {
    const Name weight = Name(name).append(".weight");
    Table t{nullptr, rows, n, n, nullptr, nullptr};
    if (holds_s8(weight.view())) {
      t.s8 = numbers<std::int8_t>(weight.view(), {rows, n});
      t.scale = numbers<float>(Name(weight).append("_scale").view(), {rows});
    } else {
      t.data = numbers<float>(weight.view(), {rows, n});
    }
    return t;
  }

 private:
  struct Shape {
    int dims[4];  ///< slowest first, 0 beyond the rank
    constexpr Shape(int a, int b = 0, int c = 0, int d = 0) noexcept : dims{a, b, c, d} {}
  };

  bool holds_s8(std::string_view name) const noexcept {
    const Result<TensorInfo> found = file_.tensor(name);
    return found.ok() && found->dtype == DType::s8;
  }

  template <class T>
  const T* numbers(std::string_view name, Shape shape) noexcept {
    constexpr DType kType = std::is_same_v<T, float>         ? DType::f32
                            : std::is_same_v<T, std::int8_t> ? DType::s8
                                                             : DType::s32;
    if (!status_.ok()) return nullptr;
    const Result<TensorInfo> found = file_.tensor(name);
    if (!found.ok()) {
      status_ = found.status();
      return nullptr;
    }
    if (found->dtype != kType) {
      return fail<T>("the tensor has another type than the model can use", name);
    }
    bool equal = true;
    for (int i = 0; i < 4; ++i) {
      const auto stored = i < found->rank ? found->shape[i] : 0;
      equal = equal && stored == static_cast<std::uint64_t>(shape.dims[i]);
    }
    if (!equal)
      return fail<T>("the tensor has another shape than the model's dimensions say", name);
    if (reinterpret_cast<std::uintptr_t>(found->data) % alignof(T) != 0) {
      return fail<T>("the tensor is not aligned in memory", name);
    }
    return reinterpret_cast<const T*>(found->data);
  }

  template <class T>
  const T* fail(const char* what, std::string_view name) noexcept {
    if (status_.ok()) status_ = Status(Code::mismatch, what, Status::kNowhere, name);
    return nullptr;
  }

  const ModelFile& file_;
  Status status_;
};

/// Sets s8_attention of the layers that `key` lists, each below `layers`; the key may be absent.
inline Status bind_s8_attention(const ModelFile& file, std::string_view key, int layers,
                                EncoderLayer* to) noexcept {
  if (!file.has(key)) return {};
  const Result<GgufArray> listed = file.array(key);
  if (!listed.ok()) return listed.status();
  for (std::uint64_t i = 0; i < listed->count(); ++i) {
    const Result<std::uint64_t> layer = listed->number(i);
    if (!layer.ok() || *layer >= static_cast<std::uint64_t>(layers)) {
      return Status(Code::mismatch, "names a layer that cannot have attention in int8",
                    Status::kNowhere, key);
    }
    to[*layer].s8_attention = true;
  }
  return {};
}

/// Reads numbers of a config with limits; the first fault is kept, as in Binder.
class ConfigReader {
 public:
  explicit ConfigReader(const ModelFile& file) noexcept : file_(file) {}

  const Status& status() const noexcept { return status_; }

  /// An integer in [least, most].
  int integer(std::string_view key, int least, int most) noexcept {
    const Result<std::uint64_t> value = file_.u64(key);
    if (!take(value.status())) return least;
    if (*value < static_cast<std::uint64_t>(least) || *value > static_cast<std::uint64_t>(most)) {
      take(Status(Code::mismatch, "the value is outside the range that is supported",
                  Status::kNowhere, key));
      return least;
    }
    return static_cast<int>(*value);
  }

  float positive(std::string_view key) noexcept {
    const Result<double> value = file_.f64(key);
    if (!take(value.status())) return 1;
    const float number = static_cast<float>(*value);
    if (!(number > 0) || number > 1e30f) {
      take(Status(Code::mismatch, "the value must be a positive number", Status::kNowhere, key));
      return 1;
    }
    return number;
  }

  bool boolean(std::string_view key) noexcept {
    const Result<bool> value = file_.boolean(key);
    return take(value.status()) && *value;
  }

  std::string_view string(std::string_view key) noexcept {
    const Result<std::string_view> value = file_.string(key);
    return take(value.status()) ? *value : std::string_view{};
  }

  /// Must be that of the file.
  void architecture(std::string_view wanted) noexcept {
    constexpr std::string_view kKey = "general.architecture";
    if (string(kKey) == wanted) return;
    take(Status(Code::mismatch, "the file holds another architecture", Status::kNowhere, kKey));
  }

  Activation activation(std::string_view key) noexcept {
    const std::string_view name = string(key);
    if (name == "gelu") return Activation::gelu_erf;
    if (name == "gelu_tanh") return Activation::gelu_tanh;
    if (name == "relu") return Activation::relu;
    if (name == "tanh") return Activation::tanh;
    take(Status(Code::unsupported, "unknown activation", Status::kNowhere, key));
    return Activation::none;
  }

  /// Keeps the first fault.
  bool take(const Status& status) noexcept {
    if (status_.ok() && !status.ok()) status_ = status;
    return status.ok() && status_.ok();
  }

 private:
  const ModelFile& file_;
  Status status_;
};

}  // namespace kinglet
