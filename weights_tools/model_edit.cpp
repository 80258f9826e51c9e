#include "model_edit.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "file_error.hpp"

namespace kinglet::tools {
namespace {

constexpr std::string_view kPanelKeys = "kinglet.panels.";
constexpr std::uint64_t kMostTensors = 10'000;  // each is looked for among all

bool starts_with(std::string_view text, std::string_view start) noexcept {
  return text.substr(0, start.size()) == start;
}

template <class T>
void append(std::string& bytes, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    bytes += static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
}

void append_text(std::string& bytes, std::string_view text) {
  append<std::uint64_t>(bytes, text.size());
  bytes += text;
}

}  // namespace

ModelEdit::ModelEdit(const std::string& path) : path_(path), mapped_(MappedFile::open(path)) {
  open(mapped_->bytes());
}

ModelEdit::ModelEdit(Bytes bytes, const std::string& path) : path_(path) { open(bytes); }

void ModelEdit::open(Bytes bytes) {
  const Result<ModelFile> file = ModelFile::open(bytes);
  if (!file) throw FileError(path_, file.status());
  const Result<std::string_view> architecture = file->string("general.architecture");
  if (!architecture) throw FileError(path_, architecture.status());
  architecture_ = *architecture;
  if (file->tensor_count() > kMostTensors) fail("tensors", "are more than any model has");
  file->for_each_value([&](const GgufValue& value) {
    if (value.key == "general.architecture" || value.key == "general.alignment") return;
    values_.push_back({std::string(value.key), value.is_array, value.items});
  });
  PanelList panels = read_panel_list(*file, path_);
  file->for_each_tensor([&](const TensorInfo& info) {
    Tensor tensor;
    tensor.name = info.name;
    tensor.type = info.gguf_type;
    tensor.shape.assign(info.shape, info.shape + info.rank);
    tensor.bytes = Bytes(info.data, static_cast<std::size_t>(info.nbytes));
    const auto entry = panels.find(tensor.name);
    if (entry != panels.end()) {
      const std::uint64_t size = size_of(info.dtype);
      panel_part_items(entry->second, info.dtype, size == 0 ? 0 : info.nbytes / size, path_,
                       tensor.name);
      tensor.panels = entry->second;
      panels.erase(entry);
    }
    tensors_.push_back(std::move(tensor));
  });
  if (!panels.empty()) fail("kinglet.panels", "names tensors that are not there");
}

void ModelEdit::fail(std::string_view what, const std::string& why) const {
  throw FileError(path_, in_quotes(what), why);
}

const ModelEdit::Value* ModelEdit::find_value(std::string_view key) const {
  const auto at = std::find_if(values_.begin(), values_.end(),
                               [&](const Value& value) { return value.key == key; });
  return at != values_.end() ? &*at : nullptr;
}

const ModelEdit::Value& ModelEdit::value(std::string_view key) const {
  const Value* found = find_value(key);
  if (found == nullptr) fail(key, "the file has no value of this key");
  return *found;
}

std::uint64_t ModelEdit::number(std::string_view key) const {
  const Value& found = value(key);
  const Result<std::uint64_t> number = found.items.number(0);
  if (found.is_array || !number) fail(key, "is not one number");
  return *number;
}

std::string ModelEdit::text(std::string_view key) const {
  const Value& found = value(key);
  const Result<std::string_view> text = found.items.string(0);
  if (found.is_array || !text) fail(key, "is not a text");
  return std::string(*text);
}

std::vector<std::uint32_t> ModelEdit::numbers(std::string_view key) const {
  const Value& found = value(key);
  std::vector<std::uint32_t> numbers;
  for (std::uint64_t i = 0; i < found.items.count(); ++i) {
    const Result<std::uint64_t> number = found.items.number(i);
    if (!found.is_array || !number || *number > 0xffffffffu) fail(key, "is not a list of numbers");
    numbers.push_back(static_cast<std::uint32_t>(*number));
  }
  return numbers;
}

std::vector<std::string> ModelEdit::texts(std::string_view key) const {
  const Value& found = value(key);
  if (!found.is_array || found.items.type() != GgufType::string) fail(key, "is no list of texts");
  std::vector<std::string> texts;
  for (const std::string_view text : found.items.strings()) texts.emplace_back(text);
  return texts;
}

void ModelEdit::set_encoded(std::string_view key, GgufType type, bool is_array, std::uint64_t count,
                            std::string bytes) {
  Value value;
  value.key = key;
  value.is_array = is_array;
  value.own = std::make_shared<const std::string>(std::move(bytes));
  value.items = GgufArray(
      type, count,
      Bytes(reinterpret_cast<const unsigned char*>(value.own->data()), value.own->size()));
  const auto is_strings = [](const Value& v) {
    return v.is_array && v.items.type() == GgufType::string;
  };
  const auto old = std::find_if(values_.begin(), values_.end(),
                                [&](const Value& v) { return v.key == value.key; });
  if (old != values_.end()) {
    *old = std::move(value);
  } else if (is_strings(value)) {
    values_.push_back(std::move(value));
  } else {
    values_.insert(std::find_if(values_.begin(), values_.end(), is_strings), std::move(value));
  }
}

void ModelEdit::set_u32(std::string_view key, std::uint32_t value) {
  std::string bytes;
  append(bytes, value);
  set_encoded(key, GgufType::u32, false, 1, std::move(bytes));
}

void ModelEdit::set_bool(std::string_view key, bool value) {
  set_encoded(key, GgufType::boolean, false, 1, std::string(1, value ? '\1' : '\0'));
}

void ModelEdit::set_string(std::string_view key, std::string_view value) {
  if (!valid_utf8(value)) fail(key, "the text is not UTF-8");
  std::string bytes;
  append_text(bytes, value);
  set_encoded(key, GgufType::string, false, 1, std::move(bytes));
}

void ModelEdit::set_u32s(std::string_view key, const std::vector<std::uint32_t>& values) {
  std::string bytes;
  for (const std::uint32_t value : values) append(bytes, value);
  set_encoded(key, GgufType::u32, true, values.size(), std::move(bytes));
}

void ModelEdit::set_strings(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes;
  for (const std::string& value : values) {
    if (!valid_utf8(value)) fail(key, "a text is not UTF-8");
    append_text(bytes, value);
  }
  set_encoded(key, GgufType::string, true, values.size(), std::move(bytes));
}

void ModelEdit::remove_value(std::string_view key) {
  values_.erase(std::remove_if(values_.begin(), values_.end(),
                               [&](const Value& value) { return value.key == key; }),
                values_.end());
}

void ModelEdit::add_step(std::string_view step) {
  constexpr const char* kKey = "kinglet.recipe";
  const std::string before = find_value(kKey) ? text(kKey) + "; " : "";
  set_string(kKey, before + std::string(step));
}

const ModelEdit::Tensor* ModelEdit::find_tensor(std::string_view name) const {
  const auto at = std::find_if(tensors_.begin(), tensors_.end(),
                               [&](const Tensor& tensor) { return tensor.name == name; });
  return at != tensors_.end() ? &*at : nullptr;
}

const ModelEdit::Tensor& ModelEdit::tensor(std::string_view name) const {
  const Tensor* found = find_tensor(name);
  if (found == nullptr) fail(name, "the file has no tensor of this name");
  return *found;
}

void ModelEdit::put_tensor(Tensor tensor) {
  if (const Tensor* old = find_tensor(tensor.name)) {
    tensors_[static_cast<std::size_t>(old - tensors_.data())] = std::move(tensor);
  } else {
    tensors_.push_back(std::move(tensor));
  }
}

void ModelEdit::put_after(std::string_view name, Tensor tensor) {
  if (find_tensor(tensor.name) != nullptr) return put_tensor(std::move(tensor));
  const auto at = std::find_if(tensors_.begin(), tensors_.end(),
                               [&](const Tensor& other) { return other.name == name; });
  tensors_.insert(at == tensors_.end() ? at : at + 1, std::move(tensor));
}

void ModelEdit::remove_tensor(std::string_view name) {
  const std::string stem(name);
  std::set<std::string> names = {stem};
  const Tensor* found = find_tensor(name);
  if (found != nullptr && found->is_s8())
    for (const char* suffix : kBesideS8) names.insert(stem + suffix);
  tensors_.erase(std::remove_if(tensors_.begin(), tensors_.end(),
                                [&](const Tensor& t) { return names.count(t.name) > 0; }),
                 tensors_.end());
}

void ModelEdit::rename_tensors(const std::function<std::string(const std::string&)>& f) {
  std::set<std::string> names;
  std::vector<Tensor> renamed;
  for (Tensor& tensor : tensors_) {
    tensor.name = f(tensor.name);
    if (tensor.name.empty()) continue;
    if (!names.insert(tensor.name).second) fail(tensor.name, "two tensors would have this name");
    renamed.push_back(std::move(tensor));
  }
  tensors_ = std::move(renamed);
}

void ModelEdit::add_panels(GgufWriter& file) const {
  std::vector<std::string> names;
  std::vector<std::uint32_t> parts, n, k;
  for (const Tensor& tensor : tensors_) {
    if (!tensor.panels) continue;
    names.push_back(tensor.name);
    parts.push_back(static_cast<std::uint32_t>(tensor.panels->parts));
    n.push_back(static_cast<std::uint32_t>(tensor.panels->n));
    k.push_back(static_cast<std::uint32_t>(tensor.panels->k));
  }
  if (names.empty()) return;
  file.add_strings("kinglet.panels.tensor", names);
  file.add_u32s("kinglet.panels.parts", parts);
  file.add_u32s("kinglet.panels.n", n);
  file.add_u32s("kinglet.panels.k", k);
}

void ModelEdit::write(Sink& out) const {
  GgufWriter file(out, architecture_);
  bool listed = false;
  for (const Value& value : values_) {
    if (!starts_with(value.key, kPanelKeys)) {
      file.add_value({value.key, value.is_array, value.items});
    } else if (!std::exchange(listed, true)) {
      add_panels(file);
    }
  }
  if (!listed) add_panels(file);
  for (const Tensor& tensor : tensors_) file.add_tensor(tensor.name, tensor.type, tensor.shape);
  file.begin_data();
  for (const Tensor& tensor : tensors_) file.write(tensor.bytes.data(), tensor.bytes.size());
  file.finish();
}

std::uint64_t ModelEdit::file_bytes() const {
  CountingSink count(path_);
  write(count);
  return count.size();
}

void ModelEdit::save(const std::string& output, std::vector<std::string> inputs) const {
  inputs.push_back(path_);
  OutputFile out(output, inputs);
  write(out);
  out.commit();
}

}  // namespace kinglet::tools
