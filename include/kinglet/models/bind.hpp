#pragma once
// Binder: takes weights out of a model file by name, checks type and shape, copies nothing. The
// first fault is kept; after it every call gives an empty view, so a model binds in one straight
// run and asks status() at the end.

#include <cstdint>
#include <cstring>
#include <kinglet/backend/ops.hpp>
#include <kinglet/core/status.hpp>
#include <kinglet/io/model_file.hpp>
#include <string_view>

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

  enum class Bias : std::uint8_t { none, required };

  /// `parts` matrices of n × k, each padded to whole panels; the view covers all of them.
  Linear linear(std::string_view name, int n, int k, Bias bias = Bias::required,
                int parts = 1) noexcept {
    const int panels = parts * panels_of(n);
    Linear w;
    w.n = (parts - 1) * padded(n) + n;
    w.k = k;
    w.weight = floats(Name(name).append(".weight").view(), {panels, k, kPanel}, 3);
    if (bias == Bias::required) {
      w.bias = floats(Name(name).append(".bias").view(), {panels, kPanel, 0}, 2);
    }
    return w;
  }

  Norm norm(std::string_view name, int n, float eps) noexcept {
    Norm w;
    w.gamma = floats(Name(name).append(".weight").view(), {n, 0, 0}, 1);
    w.beta = floats(Name(name).append(".bias").view(), {n, 0, 0}, 1);
    w.n = n;
    w.eps = eps;
    return w;
  }

  Table table(std::string_view name, int rows, int n) noexcept {
    return {floats(Name(name).append(".weight").view(), {rows, n, 0}, 2), rows, n, n};
  }

 private:
  struct Shape {
    int dims[3];
  };

  const float* floats(std::string_view name, Shape shape, int rank) noexcept {
    if (!status_.ok()) return nullptr;
    const Result<TensorInfo> found = file_.tensor(name);
    if (!found.ok()) {
      status_ = found.status();
      return nullptr;
    }
    if (found->dtype != DType::f32) {
      return fail("the tensor is not f32", name);
    }
    bool equal = found->rank == rank;
    for (int i = 0; equal && i < rank; ++i) {
      equal = found->shape[i] == static_cast<std::uint64_t>(shape.dims[i]);
    }
    if (!equal) return fail("the tensor has another shape than the model's dimensions say", name);
    if (reinterpret_cast<std::uintptr_t>(found->data) % alignof(float) != 0) {
      return fail("the tensor is not aligned in memory", name);
    }
    return reinterpret_cast<const float*>(found->data);
  }

  const float* fail(const char* what, std::string_view name) noexcept {
    status_ = Status(Code::mismatch, what, Status::kNowhere, name);
    return nullptr;
  }

  const ModelFile& file_;
  Status status_;
};

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
