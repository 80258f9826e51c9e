// kinglet-weights keep-layers: some of a model's layers (Sanh et al. 2019, DistilBERT's start).
#include <algorithm>
#include <iostream>
#include <map>

#include "commands.hpp"
#include "file_error.hpp"
#include "model_layers.hpp"
#include "model_session.hpp"
#include "recentre.hpp"
#include "rewrite.hpp"

namespace kinglet::tools {
namespace {

std::string joined(const std::vector<int>& numbers) {
  std::string text;
  for (const int number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

using NewNumbers = std::map<std::uint32_t, std::uint32_t>;

/// "<start><number>.<rest>" under its new number, "" where it has none; other names as they are.
std::string renumbered(const std::string& name, std::string_view start, const NewNumbers& to) {
  if (name.compare(0, start.size(), start) != 0) return name;
  std::size_t at = start.size();
  std::uint32_t number = 0;
  for (; at < name.size() && name[at] >= '0' && name[at] <= '9' && number < 100000; ++at)
    number = number * 10 + static_cast<std::uint32_t>(name[at] - '0');
  if (at == start.size() || at == name.size() || name[at] != '.') return name;
  const auto found = to.find(number);
  if (found == to.end()) return "";
  return std::string(start) + std::to_string(found->second) + name.substr(at);
}

}  // namespace

void keep_layers(ModelEdit& edit, const std::vector<int>& layers) {
  if (edit.find_value(kFittedLayers))
    throw FileError(edit.path(), "layers",
                    "were fitted to each other by quantize; keep layers first, then quantise");
  const std::string& arch = edit.architecture();
  const std::vector<std::uint32_t> order = layers_of(edit).order;
  if (order.empty()) throw FileError(edit.path(), "layers", "the model has none");
  NewNumbers new_run;               // by the old place in the run
  std::vector<std::uint32_t> kept;  // stored layers, in the new run
  for (const int layer : layers) {
    const auto run = static_cast<std::uint32_t>(layer);
    if (layer < 0 || run >= order.size())
      throw FileError(edit.path(), "layer " + std::to_string(layer),
                      "the model has layers 0 to " + std::to_string(order.size() - 1));
    if (!new_run.emplace(run, static_cast<std::uint32_t>(kept.size())).second)
      throw FileError(edit.path(), "layer " + std::to_string(layer), "is asked for twice");
    kept.push_back(order[run]);
  }
  if (kept.empty()) throw FileError(edit.path(), "layers", "none is to be kept");

  NewNumbers new_stored;  // numbered as they first run
  for (const std::uint32_t stored : kept)
    new_stored.emplace(stored, static_cast<std::uint32_t>(new_stored.size()));
  // Layers by where they are stored, heads of early exit by where they run.
  edit.rename_tensors([&](const std::string& name) {
    const std::string block = renumbered(name, "blk.", new_stored);
    return block != name ? block : renumbered(name, "exit.", new_run);
  });

  edit.set_u32(arch + ".block_count", static_cast<std::uint32_t>(kept.size()));
  if (edit.find_value(arch + ".stored_block_count"))
    edit.set_u32(arch + ".stored_block_count", static_cast<std::uint32_t>(new_stored.size()));
  if (edit.find_value(arch + ".block_order")) {
    for (std::uint32_t& stored : kept) stored = new_stored.at(stored);
    edit.set_u32s(arch + ".block_order", kept);
  }
  // Layers with attention in int8: HiTUT lists places in the run, and never the last, whose
  // probabilities are an output; others list stored layers.
  const std::string s8_key = arch + ".attention.s8_layers";
  if (edit.find_value(s8_key)) {
    const bool by_run = arch == "hitut";
    std::vector<std::uint32_t> s8;
    for (const std::uint32_t layer : edit.numbers(s8_key)) {
      const NewNumbers& to = by_run ? new_run : new_stored;
      const auto found = to.find(layer);
      if (found == to.end() || (by_run && found->second + 1 == kept.size())) continue;
      s8.push_back(found->second);
    }
    std::sort(s8.begin(), s8.end());
    if (s8.empty()) {
      edit.remove_value(s8_key);
    } else {
      edit.set_u32s(s8_key, s8);
    }
  }
  edit.add_step("keep-layers " + joined(layers));
}

void run_keep_layers(const KeepLayersOptions& options) {
  ModelEdit edit = edit_model(options.input);
  const std::uint64_t before = edit.file_bytes();
  const std::size_t layers = layers_of(edit).order.size();
  keep_layers(edit, options.layers);
  edit.save(options.output);
  std::cout << printable(options.output, 1000) << ": " << options.layers.size() << " of " << layers
            << " layers, " << bytes_text(edit.file_bytes()) << ", was " << bytes_text(before)
            << '\n';
}

}  // namespace kinglet::tools
