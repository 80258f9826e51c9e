// kinglet-weights inspect: what is in a checkpoint.
#include "inspect.hpp"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <kinglet/io/model_file.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>

#include "commands.hpp"
#include "gguf_checkpoint.hpp"
#include "gguf_text.hpp"
#include "panel_list.hpp"

namespace kinglet::tools {
namespace {

constexpr std::uint64_t kFirstItems = 8;  // of an array that are shown

bool is_floating(const Tensor& tensor) {
  return tensor.dtype_name.find("float") != std::string::npos ||
         tensor.dtype_name.find("complex") != std::string::npos || tensor.item_size == 0;
}

std::string json_string(std::string_view text) { return nlohmann::json(text).dump(); }

std::uint64_t total_bytes(const std::vector<Tensor>& tensors) {
  std::uint64_t total = 0;
  for (const Tensor& tensor : tensors) total += tensor.nbytes();
  return total;
}

/// f(value, first items as text) for each metadata value of a GGUF file.
template <class F>
void for_each_gguf_value(const Checkpoint& checkpoint, F f) {
  if (checkpoint.container != "gguf" || checkpoint.file == nullptr) return;
  const Result<ModelFile> file = ModelFile::open(checkpoint.file->bytes());
  if (!file) return;
  file->for_each_value([&](const GgufValue& value) {
    std::vector<std::string> first;
    for (std::uint64_t i = 0; i < std::min(value.items.count(), kFirstItems); ++i)
      first.push_back(text_of(value.items, i));
    f(value, first);
  });
}

void print_values(std::ostream& out, const Checkpoint& checkpoint) {
  constexpr std::size_t kLongest = 100, kLongestText = 2000;  // the recipe grows with each step
  if (checkpoint.container == "gguf") {
    out << "\nvalues\n";
    for_each_gguf_value(checkpoint, [&](const GgufValue& value, const auto& first) {
      out << "  " << printable(value.key, kLongest) << "  " << name_of(value.items.type());
      if (value.is_array) out << '[' << value.items.count() << ']';
      for (const std::string& item : first)
        out << ' ' << printable(item, value.is_array ? kLongest : kLongestText);
      out << (value.items.count() > first.size() ? " …\n" : "\n");
    });
    return;
  }
  if (!checkpoint.metadata.empty()) out << "\nmetadata\n";
  for (const auto& [key, value] : checkpoint.metadata)
    out << "  " << printable(key, kLongest) << "  " << printable(value, kLongest) << '\n';
  if (!checkpoint.lists.empty()) out << "\nlists\n";
  for (const auto& [key, texts] : checkpoint.lists) {
    out << "  " << printable(key, kLongest) << "  " << texts.size() << " texts:";
    const std::size_t shown = std::min<std::size_t>(texts.size(), kFirstItems);
    for (std::size_t i = 0; i < shown; ++i) out << ' ' << printable(texts[i], kLongest);
    out << (texts.size() > shown ? " …\n" : "\n");
  }
}

void print_tensors(std::ostream& out, const std::vector<Tensor>& tensors) {
  constexpr std::size_t kWidth = 48;
  for (const Tensor& tensor : tensors) {
    std::string name = printable(tensor.name, 2000);
    if (name.size() < kWidth) name.resize(kWidth, ' ');
    out << "  " << name << ' ' << tensor.dtype_name << ' ' << shape_text(tensor.shape) << ' '
        << tensor.nbytes() << '\n';
  }
}

void print_tensors_json(std::ostream& out, const std::vector<Tensor>& tensors) {
  const char* separator = "\n";
  for (const Tensor& tensor : tensors) {
    out << separator << "    {\"name\": " << json_string(tensor.name) << ", \"dtype\": \""
        << tensor.dtype_name << "\", \"shape\": " << shape_text(tensor.shape)
        << ", \"nbytes\": " << tensor.nbytes() << ", \"storage\": " << tensor.storage_id
        << ", \"offset\": " << tensor.storage_offset
        << ", \"stride\": " << shape_text(tensor.stride) << '}';
    separator = ",\n";
  }
}

void print_pairs_json(std::ostream& out, const TextPairs& pairs) {
  const char* separator = "";
  for (const auto& [key, value] : pairs) {
    out << separator << json_string(key) << ": " << json_string(value);
    separator = ", ";
  }
}

void print_lists_json(std::ostream& out, const TextLists& lists) {
  const char* separator = "\n";
  for (const auto& [key, texts] : lists) {
    out << separator << "    " << json_string(key) << ": [";
    for (std::size_t i = 0; i < texts.size(); ++i)
      out << (i > 0 ? ", " : "") << json_string(texts[i]);
    out << ']';
    separator = ",\n";
  }
}

void print_values_json(std::ostream& out, const Checkpoint& checkpoint) {
  const char* separator = "\n";
  for_each_gguf_value(checkpoint, [&](const GgufValue& value, const auto& first) {
    out << separator << "    {\"key\": " << json_string(value.key) << ", \"type\": \""
        << name_of(value.items.type()) << '"';
    if (value.is_array) out << ", \"count\": " << value.items.count();
    out << (value.is_array ? ", \"first\": [" : ", \"value\": ");
    for (std::size_t i = 0; i < first.size(); ++i) {
      const bool is_finite = first[i].find_first_of("ni") == std::string::npos;
      const bool is_plain = value.items.type() == GgufType::boolean ||
                            (value.items.type() != GgufType::string && is_finite);
      out << (i > 0 ? ", " : "") << (is_plain ? first[i] : json_string(first[i]));
    }
    out << (value.is_array ? "]}" : "}");
    separator = ",\n";
  });
}

/// "" where the name does not end so.
std::string without_suffix(const std::string& name, std::string_view suffix) {
  const std::size_t size = name.size() - std::min(name.size(), suffix.size());
  return std::string_view(name).substr(size) == suffix ? name.substr(0, size) : "";
}

/// int8 tensors with scales beside them.
std::set<std::string> quantized_weights(const std::vector<Tensor>& tensors) {
  std::set<std::string> int8, scaled;
  for (const Tensor& tensor : tensors)
    if (tensor.dtype == DType::s8) int8.insert(tensor.name);
  for (const Tensor& tensor : tensors) {
    const std::string weight = without_suffix(tensor.name, kScaleSuffix);
    if (int8.count(weight) > 0) scaled.insert(weight);
  }
  return scaled;
}

/// Elements of the floating-point and the quantised ones, their scales left out, each distinct view of a storage once.
std::uint64_t count_once(const std::vector<Tensor>& tensors) {
  using Place = std::tuple<std::uint64_t, std::uint64_t, std::vector<std::int64_t>>;
  std::set<Place> seen;
  std::uint64_t total = 0;
  const std::set<std::string> quantized = quantized_weights(tensors);
  for (const Tensor& tensor : tensors) {
    const bool is_weight = quantized.count(tensor.name) > 0;
    const bool is_scale = quantized.count(without_suffix(tensor.name, kScaleSuffix)) > 0;
    if (!is_weight && (!is_floating(tensor) || is_statistic(tensor) || is_scale)) continue;
    std::vector<std::int64_t> extent = tensor.shape;
    std::sort(extent.begin(), extent.end());  // a transposed view is the same parameter
    if (seen.emplace(tensor.storage_id, tensor.storage_offset, std::move(extent)).second)
      total += static_cast<std::uint64_t>(tensor.count());
  }
  return total;
}

/// Of the checkpoint that a model file was made from, as the converter counted them.
std::optional<std::uint64_t> source_parameters(const Checkpoint& checkpoint) {
  if (checkpoint.container != "gguf" || checkpoint.file == nullptr) return {};
  const Result<ModelFile> file = ModelFile::open(checkpoint.file->bytes());
  if (!file) return {};
  const Result<std::uint64_t> count = file->u64("kinglet.source.parameters");
  if (!count) return {};
  return *count;
}

}  // namespace

std::uint64_t parameter_count(const Checkpoint& checkpoint) {
  if (checkpoint.container == "gguf" && checkpoint.file != nullptr) {
    Checkpoint logical = checkpoint;
    unpack_panels(checkpoint.file->bytes(), logical);
    return count_once(logical.tensors);
  }
  return count_once(checkpoint.tensors);
}

void print_checkpoint(std::ostream& out, const Checkpoint& checkpoint) {
  out << "file        " << printable(checkpoint.path, 1000) << "\ncontainer   "
      << checkpoint.container << '\n';
  if (checkpoint.file != nullptr)
    out << "size        " << checkpoint.file->bytes().size() << " bytes\n";
  if (!checkpoint.prefix.empty())
    out << "prefix      " << printable(checkpoint.prefix, 1000) << '\n';
  out << "tensors     " << checkpoint.tensors.size() << ", " << total_bytes(checkpoint.tensors)
      << " bytes\nparameters  " << parameter_count(checkpoint);
  if (const auto source = source_parameters(checkpoint)) {
    out << " stored, " << *source << " in the checkpoint, " << std::fixed << std::setprecision(1)
        << static_cast<double>(*source) * sizeof(float) / (1 << 20) << " MiB in fp32";
  }
  out << '\n';
  print_values(out, checkpoint);
  out << "\ntensors: name, dtype, shape, bytes\n";
  print_tensors(out, checkpoint.tensors);
  for (const auto& [dropped, kept] : checkpoint.aliases)
    out << "  " << printable(dropped, 2000) << " = " << printable(kept, 2000) << '\n';
  if (checkpoint.other_tensors.empty()) return;
  out << "\nnot weights\n";
  print_tensors(out, checkpoint.other_tensors);
}

void print_checkpoint_json(std::ostream& out, const Checkpoint& checkpoint) {
  out << "{\n  \"file\": " << nlohmann::json(printable(checkpoint.path, 1000)).dump()
      << ",\n  \"container\": \"" << checkpoint.container << "\",\n";
  if (checkpoint.file != nullptr) out << "  \"size\": " << checkpoint.file->bytes().size() << ",\n";
  out << "  \"prefix\": " << json_string(checkpoint.prefix)
      << ",\n  \"parameters\": " << parameter_count(checkpoint);
  if (const auto source = source_parameters(checkpoint))
    out << ",\n  \"source_parameters\": " << *source;
  out << ",\n  \"nbytes\": " << total_bytes(checkpoint.tensors) << ",\n  \"tensors\": [";
  print_tensors_json(out, checkpoint.tensors);
  out << "],\n  \"other_tensors\": [";
  print_tensors_json(out, checkpoint.other_tensors);
  out << "],\n  \"aliases\": {";
  print_pairs_json(out, checkpoint.aliases);
  if (checkpoint.container == "gguf") {
    out << "},\n  \"values\": [";
    print_values_json(out, checkpoint);
    out << "]\n}\n";
  } else {
    out << "},\n  \"metadata\": {";
    print_pairs_json(out, checkpoint.metadata);
    out << "},\n  \"lists\": {";
    print_lists_json(out, checkpoint.lists);
    out << "}\n}\n";
  }
}

void run_inspect(const InspectOptions& options) {
  const Checkpoint checkpoint = read_checkpoint(options.file);
  (options.json ? print_checkpoint_json : print_checkpoint)(std::cout, checkpoint);
}

}  // namespace kinglet::tools
