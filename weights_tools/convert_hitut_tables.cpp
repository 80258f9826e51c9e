#include "convert_hitut_tables.hpp"

#include <algorithm>

namespace kinglet::tools {
namespace {

constexpr std::size_t kMostIds = 65536;

void check_ids(const std::string& path, const char* list, const Ids& ids, int limit,
               std::size_t most) {
  if (ids.empty() || ids.size() > most)
    throw FileError(path, list, "has " + std::to_string(ids.size()) + " entries");
  for (const std::int32_t id : ids) {
    if (id >= limit) {
      throw FileError(
          path, list,
          "holds the id " + std::to_string(id) + ", but there are only " + std::to_string(limit));
    }
  }
}

/// 4 for the [CLS], then 1 for vision, 2 for words, 3 for history.
HitutParts parts_of(const std::string& path, const Ids& ids) {
  const auto count = [&](int id) {
    return static_cast<int>(std::count(ids.begin(), ids.end(), id));
  };
  const HitutParts parts{path + ": modal_indicator", count(1), count(2), count(3)};
  Ids expected = {4};
  expected.insert(expected.end(), static_cast<std::size_t>(parts.vision), 1);
  expected.insert(expected.end(), static_cast<std::size_t>(parts.language), 2);
  expected.insert(expected.end(), static_cast<std::size_t>(parts.history), 3);
  if (ids != expected) {
    throw FileError(path, "modal_indicator",
                    "is not [CLS], vision, words, history (4, 1 …, 2 …, 3 …)");
  }
  return parts;
}

std::optional<HitutParts> read_table_file(const std::string& path, HitutModel& m) {
  const Checkpoint tables = read_checkpoint(path);
  const auto get = [&](const char* name, std::size_t rank) -> const Tensor& {
    const Tensor* tensor = tables.find(name);
    if (tensor == nullptr) throw FileError(path, "tensor " + in_quotes(name), "is missing");
    if (tensor->shape.size() != rank) {
      throw FileError(path, "tensor " + in_quotes(name),
                      "has the shape " + shape_text(tensor->shape));
    }
    return *tensor;
  };
  const Tensor& words = get("action_to_words", 2);
  m.action_words = ids_of(tables, words);
  m.words_per_action = static_cast<std::size_t>(words.shape[1]);
  m.high_actions = ids_of(tables, get("high_actions", 1));
  m.low_actions = ids_of(tables, get("low_actions", 1));
  m.objects = ids_of(tables, get("objs", 1));
  if (tables.find("modal_indicator") == nullptr) return {};
  return parts_of(path, ids_of(tables, get("modal_indicator", 1)));
}

void read_config_tables(const ConvertRequest& request, const ConfigFile& config, HitutModel& m) {
  const auto words = config.id_rows("action_to_words", m.words_per_action);
  const auto high = config.ids("high_action_ids");
  const auto low = config.ids("low_action_ids");
  const auto objects = config.ids("argument_ids");
  if (!words || !high || !low || !objects) {
    std::string missing;
    for (const char* key :
         {"action_to_words", "high_action_ids", "low_action_ids", "argument_ids"}) {
      if (!config.has(key)) missing += (missing.empty() ? "" : ", ") + std::string(key);
    }
    throw FileError(config.given() ? config.path() : request.input, "id tables",
                    "no --tables given, and no config with " + missing);
  }
  m.action_words = *words;
  m.high_actions = *high;
  m.low_actions = *low;
  m.objects = *objects;
}

}  // namespace

std::optional<HitutParts> read_hitut_tables(const ConvertRequest& request, const ConfigFile& config,
                                            HitutModel& m) {
  std::optional<HitutParts> parts;
  if (!request.tables.empty()) {
    parts = read_table_file(request.tables, m);
  } else {
    read_config_tables(request, config, m);
  }
  const std::string& path = request.tables.empty() ? config.path() : request.tables;
  check_ids(path, "action_to_words", m.action_words, m.vocab, kMostIds * m.words_per_action);
  check_ids(path, "high_actions", m.high_actions, m.actions(), kMostIds);
  check_ids(path, "low_actions", m.low_actions, m.actions(), kMostIds);
  check_ids(path, "objects", m.objects, m.actions(), kMostIds);
  return parts;
}

}  // namespace kinglet::tools
