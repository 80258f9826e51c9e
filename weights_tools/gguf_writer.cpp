#include "gguf_writer.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "file_error.hpp"

namespace kinglet::tools {
namespace {

template <class T>
void append(std::string& bytes, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes += static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  }
}

void append_text(std::string& bytes, std::string_view text) {
  append<std::uint64_t>(bytes, text.size());
  bytes += text;
}

void append_type(std::string& bytes, GgufType type) {
  append(bytes, static_cast<std::uint32_t>(type));
}

std::uint64_t padding(std::uint64_t size) {
  return (kGgufAlignment - size % kGgufAlignment) % kGgufAlignment;
}

[[noreturn]] void misuse(const Sink& out, std::string_view name, const char* what) {
  throw FileError(out.path(), in_quotes(name), what);
}

}  // namespace

GgufWriter::GgufWriter(Sink& out, std::string_view architecture) : out_(out) {
  add_string("general.architecture", architecture);
  add_u32("general.alignment", kGgufAlignment);
}

void GgufWriter::add_key(std::string_view key, GgufType type) {
  if (key.empty() || !kinglet::valid_utf8(key)) misuse(out_, key, "cannot be a key");
  if (std::find(keys_.begin(), keys_.end(), key) != keys_.end()) {
    misuse(out_, key, "the key is there already");
  }
  keys_.emplace_back(key);
  append_text(values_, key);
  append_type(values_, type);
}

void GgufWriter::add_u32(std::string_view key, std::uint32_t value) {
  add_key(key, GgufType::u32);
  append(values_, value);
}

void GgufWriter::add_u64(std::string_view key, std::uint64_t value) {
  add_key(key, GgufType::u64);
  append(values_, value);
}

void GgufWriter::add_f32(std::string_view key, float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  add_key(key, GgufType::f32);
  append(values_, bits);
}

void GgufWriter::add_bool(std::string_view key, bool value) {
  add_key(key, GgufType::boolean);
  values_ += value ? '\1' : '\0';
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
  if (!kinglet::valid_utf8(value)) misuse(out_, key, "the text is not UTF-8");
  add_key(key, GgufType::string);
  append_text(values_, value);
}

void GgufWriter::add_u32s(std::string_view key, const std::vector<std::uint32_t>& values) {
  add_key(key, GgufType::array);
  append_type(values_, GgufType::u32);
  append<std::uint64_t>(values_, values.size());
  for (const std::uint32_t value : values) append(values_, value);
}

void GgufWriter::add_strings(std::string_view key, const std::vector<std::string>& values) {
  add_key(key, GgufType::array);
  append_type(values_, GgufType::string);
  append<std::uint64_t>(values_, values.size());
  for (const std::string& value : values) {
    if (!kinglet::valid_utf8(value)) misuse(out_, key, "a text is not UTF-8");
    append_text(values_, value);
  }
}

void GgufWriter::add_value(const GgufValue& value) {
  add_key(value.key, value.is_array ? GgufType::array : value.items.type());
  if (value.is_array) {
    append_type(values_, value.items.type());
    append<std::uint64_t>(values_, value.items.count());
  }
  const Bytes bytes = value.items.bytes();
  values_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void GgufWriter::add_tensor(std::string_view name, std::uint32_t type,
                            const std::vector<std::uint64_t>& shape) {
  const GgufTensorType& layout = gguf_tensor_type(type);
  if (name.empty() || name.size() > 64 || !kinglet::valid_utf8(name)) {
    misuse(out_, name, "cannot be a tensor's name");
  }
  if (std::find(names_.begin(), names_.end(), name) != names_.end()) {
    misuse(out_, name, "the tensor is there already");
  }
  if (layout.name == nullptr || shape.empty() || shape.size() > 4 ||
      shape.back() % layout.block != 0) {
    misuse(out_, name, "the tensor has a type or shape that GGUF does not know");
  }
  std::uint64_t size = layout.bytes;
  append_text(tensors_, name);
  append(tensors_, static_cast<std::uint32_t>(shape.size()));
  for (std::size_t i = shape.size(); i-- > 0;) {
    const std::uint64_t dim = i + 1 == shape.size() ? shape[i] / layout.block : shape[i];
    if (dim == 0 || size > (std::uint64_t{1} << 62) / dim) {
      misuse(out_, name, "the tensor has no elements, or too many");
    }
    size *= dim;
    append(tensors_, shape[i]);
  }
  append(tensors_, type);
  append(tensors_, offset_);
  names_.emplace_back(name);
  sizes_.push_back(size);
  offset_ += size + padding(size);
}

void GgufWriter::begin_data() {
  std::string head = "GGUF";
  append<std::uint32_t>(head, 3);
  append<std::uint64_t>(head, names_.size());
  append<std::uint64_t>(head, keys_.size());
  head += values_;
  head += tensors_;
  head.append(static_cast<std::size_t>(padding(head.size())), '\0');
  out_.write(head.data(), head.size());
}

void GgufWriter::write(const void* data, std::size_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
  while (size > 0) {
    if (current_ == sizes_.size()) throw std::logic_error("more data than tensors");
    const std::uint64_t left = sizes_[current_] - done_;
    const std::size_t n = left < size ? static_cast<std::size_t>(left) : size;
    out_.write(p, n);
    p += n;
    size -= n;
    done_ += n;
    if (done_ == sizes_[current_]) pad();
  }
}

void GgufWriter::pad() {
  static constexpr unsigned char kZeros[kGgufAlignment] = {};
  out_.write(kZeros, static_cast<std::size_t>(padding(done_)));
  done_ = 0;
  ++current_;
}

void GgufWriter::finish() {
  if (current_ != sizes_.size()) misuse(out_, names_[current_], "the tensor was not written whole");
}

}  // namespace kinglet::tools
