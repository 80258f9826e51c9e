#pragma once
// ModelFile: a GGUF v3 file, checked once and then read in place.
//
//   "GGUF" | version u32 | tensors u64 | values u64
//   values      key, type u32, value                              (string = length u64 + bytes)
//   tensors     name, rank u32, dims u64[rank] fastest first, type u32, offset u64
//   padding to general.alignment
//   data        tensor i at its offset, each a multiple of the alignment
//
// The bytes may be a mapped file or a const array in flash; they must outlive the ModelFile, and
// for tensors to be aligned in memory the first byte must be (alignas(64)). Nothing is copied and
// nothing allocated, whatever the file claims. Lookups walk the file, so long string arrays stand
// last in the files we write.
//
// Refused though legal: version 2, big-endian files, alignment below 16, arrays of arrays, and more
// than kMaxValues values or kMaxTensors tensors (uniqueness is checked without memory for a table).

#include <cstddef>
#include <cstdint>
#include <kinglet/core/dtype.hpp>
#include <kinglet/core/span.hpp>
#include <kinglet/core/status.hpp>
#include <kinglet/io/gguf_cursor.hpp>
#include <kinglet/io/utf8.hpp>
#include <string_view>

namespace kinglet {

struct TensorInfo {
  std::string_view name;
  DType dtype = DType::other;
  std::uint32_t gguf_type = 0;
  int rank = 0;
  std::uint64_t shape[4] = {1, 1, 1, 1};  ///< slowest first; 1 beyond the rank
  const unsigned char* data = nullptr;
  std::uint64_t nbytes = 0;
};

class ModelFile {
 public:
  static constexpr std::uint64_t kMaxValues = 1024;
  static constexpr std::uint64_t kMaxTensors = 8192;
  static constexpr std::uint64_t kMaxKey = 4096;  ///< bytes

  ModelFile() noexcept = default;

  /// Checks everything; the bytes must outlive what comes out.
  static Result<ModelFile> open(Bytes bytes) noexcept {
    ModelFile file;
    file.bytes_ = bytes;
    Status status = file.check_values();
    if (status) status = file.check_tensors();
    if (!status) return status;
    return file;
  }

  std::uint64_t value_count() const noexcept { return value_count_; }
  std::uint64_t tensor_count() const noexcept { return tensor_count_; }
  std::uint64_t alignment() const noexcept { return alignment_; }
  Bytes bytes() const noexcept { return bytes_; }

  bool find(std::string_view name, TensorInfo& tensor) const noexcept {
    Cursor cursor{bytes_, tensors_at_};
    for (std::uint64_t i = 0; i < tensor_count_; ++i) {
      RawTensor raw;
      if (!read_tensor(cursor, raw)) return false;
      if (raw.name == name) {
        tensor = describe(raw);
        return true;
      }
    }
    return false;
  }

  Result<TensorInfo> tensor(std::string_view name) const noexcept {
    TensorInfo found;
    if (find(name, found)) return found;
    return Status(Code::missing, "the file has no tensor of this name", Status::kNowhere, name);
  }

  template <class F>
  void for_each_tensor(F f) const {
    Cursor cursor{bytes_, tensors_at_};
    RawTensor raw;
    for (std::uint64_t i = 0; i < tensor_count_ && read_tensor(cursor, raw); ++i) f(describe(raw));
  }

  bool find(std::string_view key, GgufValue& value) const noexcept {
    Cursor cursor{bytes_, kValuesAt};
    for (std::uint64_t i = 0; i < value_count_; ++i) {
      if (!read_value(cursor, value)) return false;
      if (value.key == key) return true;
    }
    return false;
  }

  bool has(std::string_view key) const noexcept {
    GgufValue value;
    return find(key, value);
  }

  template <class F>
  void for_each_value(F f) const {
    Cursor cursor{bytes_, kValuesAt};
    GgufValue value;
    for (std::uint64_t i = 0; i < value_count_ && read_value(cursor, value); ++i) f(value);
  }

  /// Any integer type, if the number is not negative.
  Result<std::uint64_t> u64(std::string_view key) const noexcept {
    return scalar(key, [](const GgufArray& items) { return items.number(0); });
  }
  /// f32 or f64.
  Result<double> f64(std::string_view key) const noexcept {
    return scalar(key, [](const GgufArray& items) { return items.f64(0); });
  }
  Result<bool> boolean(std::string_view key) const noexcept {
    return scalar(key, [](const GgufArray& items) { return items.boolean(0); });
  }
  Result<std::string_view> string(std::string_view key) const noexcept {
    return scalar(key, [](const GgufArray& items) { return items.string(0); });
  }

  Result<GgufArray> array(std::string_view key) const noexcept {
    GgufValue value;
    if (!find(key, value)) return missing(key);
    if (!value.is_array) return Status(Code::mismatch, "is not an array", Status::kNowhere, key);
    return value.items;
  }

 private:
  static constexpr std::uint64_t kValuesAt = 24;

  using Cursor = detail::GgufCursor;
  using RawTensor = detail::GgufTensor;
  using Entry = detail::GgufEntry;

  template <class F>
  auto scalar(std::string_view key, F get) const noexcept -> decltype(get(GgufArray{})) {
    GgufValue value;
    if (!find(key, value)) return missing(key);
    if (value.is_array) {
      return Status(Code::mismatch, "is an array, one value is needed", Status::kNowhere, key);
    }
    const auto result = get(value.items);
    if (result) return result;
    return Status(result.status().code(), result.status().what(), Status::kNowhere, key);
  }

  static Status missing(std::string_view key) noexcept {
    return Status(Code::missing, "the file has no value of this key", Status::kNowhere, key);
  }

  static Status check_value(const GgufValue& value, std::uint64_t at) noexcept {
    if (value.key.empty()) return Status(Code::malformed, "an empty key", at);
    if (value.key.size() > kMaxKey) return Status(Code::unsupported, "a key is too long", at);
    if (!valid_utf8(value.key) || value.key.find('\0') != std::string_view::npos) {
      return Status(Code::malformed, "a key is not UTF-8 text", at);
    }
    const GgufArray& items = value.items;
    for (const std::string_view text : items.strings()) {
      if (!valid_utf8(text)) return Status(Code::malformed, "a string is not UTF-8", at, value.key);
    }
    for (std::uint64_t i = 0; items.type() == GgufType::boolean && i < items.count(); ++i) {
      if (items.bytes()[static_cast<std::size_t>(i)] > 1) {
        return Status(Code::malformed, "a boolean is neither 0 nor 1", at, value.key);
      }
    }
    return {};
  }

  Status check_values() noexcept {
    Cursor cursor{bytes_, 0};
    std::uint32_t magic = 0;
    std::uint32_t version = 0;
    if (!cursor.read(magic) || magic != 0x46554747) {
      return Status(Code::malformed, "not a GGUF file (its magic is missing)", 0);
    }
    if (!cursor.read(version)) return Status(Code::truncated, "the header is cut off", 4);
    if (version != 3) {
      return Status(Code::unsupported, "only little-endian GGUF version 3 is supported", 4);
    }
    if (!cursor.read(tensor_count_) || !cursor.read(value_count_)) {
      return Status(Code::truncated, "the header is cut off", 8);
    }
    // The shortest value is a one-byte key with a one-byte value, the shortest tensor a scalar of
    // a one-byte name.
    if (value_count_ > cursor.left() / (8 + 1 + 4 + 1)) {
      return Status(Code::truncated, "more values are announced than the file can hold", 16);
    }
    if (tensor_count_ > cursor.left() / (8 + 1 + 4 + 4 + 8)) {
      return Status(Code::truncated, "more tensors are announced than the file can hold", 8);
    }
    if (value_count_ > kMaxValues) return Status(Code::unsupported, "more than 1024 values", 16);
    if (tensor_count_ > kMaxTensors) return Status(Code::unsupported, "more than 8192 tensors", 8);

    for (std::uint64_t i = 0; i < value_count_; ++i) {
      const std::uint64_t at = cursor.at;
      GgufValue value;
      Status status = read_value(cursor, value);
      if (status) status = check_value(value, at);
      if (!status) return status;
      if (value.key == "general.alignment") {
        if (value.is_array || value.items.type() != GgufType::u32) {
          return Status(Code::malformed, "is not a u32", at, value.key);
        }
        alignment_ = detail::load_le<std::uint32_t>(value.items.bytes().data());
        if (alignment_ == 0 || (alignment_ & (alignment_ - 1)) != 0) {
          return Status(Code::malformed, "is not a power of two", at, value.key);
        }
        if (alignment_ < 16) return Status(Code::unsupported, "is below 16", at, value.key);
      }
    }
    tensors_at_ = cursor.at;
    return check_distinct(Cursor{bytes_, kValuesAt}, value_count_, "a key stands twice",
                          [](Cursor& at, Entry& entry) {
                            GgufValue value;
                            const bool ok = read_value(at, value).ok();
                            entry.name = value.key;
                            return ok;
                          });
  }

  Status check_tensor(const RawTensor& raw, std::uint64_t at) const noexcept {
    if (raw.name.empty() || raw.name.size() > 64) {
      return Status(Code::malformed, "a tensor name does not have 1 to 64 bytes", at);
    }
    if (!valid_utf8(raw.name) || raw.name.find('\0') != std::string_view::npos) {
      return Status(Code::malformed, "a tensor name is not UTF-8 text", at);
    }
    for (const std::uint64_t dim : raw.dims) {
      if (dim == 0) return Status(Code::malformed, "a dimension is zero", at, raw.name);
    }
    if (raw.offset % alignment_ != 0) {
      return Status(Code::malformed, "the offset is not a multiple of the alignment", at, raw.name);
    }
    const std::uint64_t data_size = data_at_ < bytes_.size() ? bytes_.size() - data_at_ : 0;
    if (raw.offset > data_size || raw.nbytes > data_size - raw.offset) {
      return Status(Code::truncated, "the data ends beyond the file", at, raw.name);
    }
    return {};
  }

  Status check_tensors() noexcept {
    Cursor cursor{bytes_, tensors_at_};
    RawTensor raw;
    for (std::uint64_t i = 0; i < tensor_count_; ++i) {
      const Status status = read_tensor(cursor, raw);
      if (!status) return status;
    }
    data_at_ = (cursor.at + alignment_ - 1) / alignment_ * alignment_;
    cursor.at = tensors_at_;
    for (std::uint64_t i = 0; i < tensor_count_; ++i) {
      const std::uint64_t at = cursor.at;
      Status status = read_tensor(cursor, raw);
      if (status) status = check_tensor(raw, at);
      if (!status) return status;
    }
    return check_distinct(Cursor{bytes_, tensors_at_}, tensor_count_,
                          "a tensor has the name, or shares the data, of another one",
                          [](Cursor& at, Entry& entry) {
                            RawTensor tensor;
                            const bool ok = read_tensor(at, tensor).ok();
                            entry = {tensor.name, tensor.offset, tensor.offset + tensor.nbytes};
                            return ok;
                          });
  }

  TensorInfo describe(const RawTensor& raw) const noexcept {
    TensorInfo info;
    info.name = raw.name;
    info.dtype = gguf_tensor_type(raw.type).dtype;
    info.gguf_type = raw.type;
    info.rank = static_cast<int>(raw.rank);
    for (std::uint32_t i = 0; i < raw.rank; ++i) info.shape[i] = raw.dims[raw.rank - 1 - i];
    info.data = bytes_.data() + static_cast<std::size_t>(data_at_ + raw.offset);
    info.nbytes = raw.nbytes;
    return info;
  }

  Bytes bytes_;
  std::uint64_t value_count_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t alignment_ = 32;
  std::uint64_t tensors_at_ = 0;
  std::uint64_t data_at_ = 0;
};

}  // namespace kinglet
