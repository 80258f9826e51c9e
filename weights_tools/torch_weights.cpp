#include "torch_weights.hpp"

#include <algorithm>
#include <cstdio>
#include <unordered_map>
#include <unordered_set>

namespace kinglet::tools {
namespace {

using pickle::Kind;
using pickle::Node;
using pickle::Value;

constexpr std::string_view kCustomaryNames[] = {"model_state_dict", "state_dict", "model",
                                                "module",           "net",        "network",
                                                "weights",          "params",     "parameters"};
constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kLongestName = std::size_t{1} << 20;
constexpr std::uint64_t kMostWork = std::uint64_t{200} << 20;  // bytes of keys, items passed
constexpr const char* kTooManyPaths = "too many or too long paths lead to its tensors";

/// A dict, or an object of a dict's subclass: something with keys.
bool has_keys(const Value& value) noexcept {
  return value.is_dict() || (value.kind == Kind::object && !value.node->items.empty());
}

const Value* find_item(const Value& dict, std::string_view key) noexcept {
  const Value* found = nullptr;
  const std::vector<Value>& items = dict.node->items;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2)
    if (items[i].is_text() && items[i].string() == key) found = &items[i + 1];
  return found;
}

bool contains(std::string_view text, std::string_view part) {
  std::string lower(text.substr(0, 100));
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
    return static_cast<char>(c | (c >= 'A' && c <= 'Z' ? 32 : 0));
  });
  return lower.find(part) != std::string::npos;
}

bool is_optimizer(const Value& key, const Value& value) {
  if (key.is_text()) {
    const std::string_view name = key.string();
    if (contains(name, "optim") || contains(name, "scheduler") || name == "opt") return true;
  }
  if (!has_keys(value)) return false;
  std::optional<bool>& known = value.node->is_optimizer;  // looked up once: it may be shared
  if (!known) known = find_item(value, "state") && find_item(value, "param_groups");
  return *known;
}

/// A key as it appears in a name; an overlong one cut, to be refused later.
std::string label_of(const Value& key) {
  switch (key.kind) {
    case Kind::text: return std::string(key.string().substr(0, kLongestName + 1));
    case Kind::bytes: return printable(key.string(), kLongestName);
    case Kind::integer: return std::to_string(key.integer);
    case Kind::boolean: return key.integer != 0 ? "True" : "False";
    case Kind::none: return "None";
    default: return pickle::name_of(key.kind);
  }
}

/// A plain value as text; empty if it is something else.
std::string text_of(const Value& value) {
  constexpr std::size_t kLongest = 200;
  if (value.kind == Kind::text && value.size <= kLongest) return std::string(value.string());
  if (value.kind == Kind::integer || value.kind == Kind::boolean) return label_of(value);
  if (value.kind != Kind::real) return {};
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value.real);
  return text;
}

class Collector {
 public:
  Collector(const std::string& file, const std::string& where, Budget& budget, Checkpoint& out)
      : file_(file), where_(where), budget_(budget), out_(out) {}

  void run(const Value& root) {
    if (root.kind == Kind::object)
      fail("the root is " + in_quotes(root.node->type) +
           ", an object of an unknown class; save a state_dict instead");
    const bool is_container = root.is_dict() || root.is_tensor() || root.kind == Kind::list ||
                              root.kind == Kind::tuple || root.kind == Kind::set ||
                              root.kind == Kind::frozen_set;
    if (!is_container) fail(std::string("the root is ") + pickle::name_of(root.kind));
    if ((scan(root, 0) & kTensor) != 0) {
      home_ = find_home(root);
      out_.prefix = path_;
      home_path_ = path_.empty() ? 0 : path_.size() + 1;
      path_.clear();
      walk(root, root.is_dict() ? Place::outside : Place::weights);
    } else {
      note_values(root);
    }
    if (root.is_dict()) note_beside(root, 0);
    check_names();
  }

 private:
  enum class Place { outside, weights, other };
  static constexpr unsigned kTensor = 1, kStorage = 2;

  [[noreturn]] void fail(const std::string& what) const { throw FileError(file_, where_, what); }

  /// Of a tuple that holds no containers: known since it was made.
  static unsigned found_in_flat(const Value& tuple) noexcept {
    return ((tuple.flags & Value::kHoldsTensor) != 0 ? kTensor : 0) |
           ((tuple.flags & Value::kHoldsStorage) != 0 ? kStorage : 0);
  }

  /// Whether a value holds tensors or raw storages; once per container, so shared ones cost nothing.
  unsigned scan(const Value& value, std::size_t depth) {
    if (value.is_tensor()) return kTensor;
    if (value.kind == Kind::storage) return kStorage;
    if (depth > pickle::kHighest) fail("containers are nested more than 1000 deep");
    if (value.kind == Kind::tuple) {
      if (value.height <= 1) return found_in_flat(value);
      const auto known = tuples_.find(value.items);
      if (known != tuples_.end()) return known->second;
      unsigned found = 0;
      for (std::uint32_t i = 0; i < value.size; ++i) found |= scan(value.items[i], depth + 1);
      budget_.charge(64);
      tuples_.emplace(value.items, found);
      return found;
    }
    if (!pickle::has_node(value)) return 0;
    Node& node = *value.node;
    if (!node.visited) {
      node.visited = true;
      unsigned found = scan(node.arguments, depth + 1) | scan(node.state, depth + 1);
      for (const Value& item : node.items) found |= scan(item, depth + 1);
      if (value.kind == Kind::object && (found & kStorage) != 0)
        fail(in_quotes(node.type) + " is not known and is given a storage: a weight would vanish");
      node.holds_tensor = (found & kTensor) != 0;
      node.holds_storage = (found & kStorage) != 0;
    }
    return (node.holds_tensor ? kTensor : 0) | (node.holds_storage ? kStorage : 0);
  }

  bool holds_tensor(const Value& value) {
    if (value.is_tensor()) return true;
    if (pickle::has_node(value)) return value.node->holds_tensor;
    return value.kind == Kind::tuple && (scan(value, 0) & kTensor) != 0;
  }

  /// The dict with the weights; path_ becomes the keys that lead to it.
  const Value* find_home(const Value& root) {
    const Value* home = &root;
    std::vector<Node*> passed;
    while (has_keys(*home)) {
      passed.push_back(home->node);
      home->node->on_path = true;  // is_candidate refuses it: a dict may hold itself
      note_values(*home);
      const Value* key = nullptr;
      const Value* next = next_home(*home, key);
      if (next == nullptr) break;
      enter(label_of(*key), !(home == &root));
      home = next;
    }
    for (Node* node : passed) node->on_path = false;
    return home;
  }

  const Value* next_home(const Value& dict, const Value*& key_of_next) {
    const std::vector<Value>& items = dict.node->items;
    for (const std::string_view name : kCustomaryNames)
      for (std::size_t i = 0; i + 1 < items.size(); i += 2)
        if (items[i].is_text() && items[i].string() == name &&
            is_candidate(items[i], items[i + 1])) {
          key_of_next = &items[i];
          return find_item(dict, name);
        }
    const Value* next = nullptr;
    std::size_t tensors = 0;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      if (items[i + 1].is_tensor()) ++tensors;
      if (!is_candidate(items[i], items[i + 1])) continue;
      if (next != nullptr) return nullptr;
      key_of_next = &items[i];
      next = &items[i + 1];
    }
    if (next == nullptr || tensors == 0) return next;
    std::size_t inside = 0;  // a step counter or the like may lie beside the weights
    for (const Value& item : next->node->items) inside += item.is_tensor() ? 1 : 0;
    return inside > tensors ? next : nullptr;
  }

  bool is_candidate(const Value& key, const Value& value) {
    return key.is_text() && has_keys(value) && holds_tensor(value) && !value.node->on_path &&
           !is_optimizer(key, value);
  }

  /// Containers that are shared are walked again on every path.
  void spend(std::uint64_t work) {
    work_ += work;
    if (work_ > kMostWork) fail(kTooManyPaths);
  }

  /// Adds a key to path_; comes back with the length before.
  std::size_t enter(std::string_view label, bool dot) {
    spend(64 + label.size());
    if (path_.size() + label.size() > kLongestName) fail(kTooManyPaths);
    const std::size_t length = path_.size();
    if (dot) path_ += '.';
    path_ += label;
    return length;
  }

  void walk(const Value& value, Place place) {
    if (value.is_tensor()) return add(*value.view, place);
    if (!holds_tensor(value)) return;
    if (place == Place::outside && is_home(value)) place = Place::weights;
    if (value.kind == Kind::tuple) return walk_numbered(value.items, value.size, place);
    Node& node = *value.node;
    if (node.on_path) return;  // holds itself
    node.on_path = true;
    if (has_keys(value)) {
      walk_items(value, place);
    } else {
      walk_numbered(node.items.data(), node.items.size(), place);
    }
    walk_attributes(node.state);
    walk_attributes(node.arguments);
    node.on_path = false;
  }

  void walk_numbered(const Value* items, std::size_t count, Place place) {
    spend(count);
    for (std::size_t i = 0; i < count; ++i)
      if (holds_tensor(items[i])) step(std::to_string(i), items[i], place);
  }

  /// The same dict may also be found on another path, under another name.
  bool is_home(const Value& value) const {
    return pickle::has_node(value) && pickle::has_node(*home_) && value.node == home_->node &&
           path_ == out_.prefix;
  }

  void walk_items(const Value& dict, Place place) {
    const std::vector<Value>& items = dict.node->items;
    const bool may_number = is_home(dict);
    std::unordered_map<std::string_view, std::size_t>
        last;  // a later value replaces an earlier one
    budget_.charge(items.size() / 2 * 64);
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i].is_text()) last[items[i].string()] = i + 1;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      const Value* item = &items[i + 1];
      if (items[i].is_text()) {
        const auto place_of_last = last.find(items[i].string());
        if (place_of_last->second == 0) continue;  // was taken where the key stood first
        item = &items[std::exchange(place_of_last->second, 0)];
      }
      if (!holds_tensor(*item)) continue;
      const bool is_other = is_optimizer(items[i], *item) || (!items[i].is_text() && !may_number);
      step(label_of(items[i]), *item, is_other ? Place::other : place);
    }
  }

  void walk_attributes(const Value& value) {
    if (!holds_tensor(value)) return;
    walk(value, Place::other);
  }

  void step(std::string_view label, const Value& value, Place place) {
    if (!holds_tensor(value)) return;
    const std::size_t length = enter(label, depth_ > 0);
    ++depth_;
    walk(value, place);
    --depth_;
    path_.resize(length);
  }

  void add(const pickle::View& view, Place place) {
    const bool is_weight = place == Place::weights;
    Tensor tensor;
    tensor.name = is_weight ? path_.substr(std::min(home_path_, path_.size())) : path_;
    tensor.dtype = view.element->dtype;
    tensor.dtype_name = view.element->name;
    tensor.item_size = view.element->size;
    tensor.shape.assign(view.shape, view.shape + view.rank);
    tensor.stride.assign(view.stride, view.stride + view.rank);
    const std::uint64_t skipped = view.offset * view.element->size;
    tensor.storage = view.storage->data + skipped;
    tensor.storage_bytes = view.storage->nbytes - skipped;
    tensor.storage_id = view.storage->index;
    tensor.storage_offset = view.offset;
    // the vector of tensors may hold its old half and its new double while it grows
    budget_.charge(3 * sizeof(Tensor) + 8 * tensor.name.size() + 16 * view.rank + 64);
    (is_weight ? out_.tensors : out_.other_tensors).push_back(std::move(tensor));
  }

  /// Plain values beside the weights: epochs, losses, versions.
  void note_values(const Value& dict) {
    if (!dict.is_dict()) return;
    const std::vector<Value>& items = dict.node->items;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      std::string text = text_of(items[i + 1]);
      if (!items[i].is_text() || items[i].size > 200 || text.empty()) continue;
      budget_.charge(3 * 64 + 400 + path_.size());
      const std::string key = path_.empty() ? "" : path_ + ".";
      out_.metadata.emplace_back(key + std::string(items[i].string()), std::move(text));
    }
  }

  /// What a training script stores beside the weights, under dotted names: plain values, such as its
  /// arguments, and lists of texts, such as its vocabularies; each container once.
  void note_beside(const Value& value, std::size_t depth) {
    constexpr std::size_t kDeepest = 2;  // what a vocabulary maps is not worth as much
    const Value& dict = value.kind == Kind::object ? value.node->state : value;
    if (depth > kDeepest || !dict.is_dict() || !noted_.insert(dict.node).second) return;
    budget_.charge(64);
    if (depth > 0) note_values(dict);
    const std::vector<Value>& items = dict.node->items;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      const Value& item = items[i + 1];
      if (!items[i].is_text() || !pickle::has_node(item) || holds_tensor(item)) continue;
      const std::size_t length = enter(label_of(items[i]), depth > 0);
      item.kind == Kind::list ? note_texts(item) : note_beside(item, depth + 1);
      path_.resize(length);
    }
  }

  void note_texts(const Value& list) {
    if (!noted_.insert(list.node).second) return;
    budget_.charge(64);
    const std::vector<Value>& items = list.node->items;
    const bool texts = std::all_of(items.begin(), items.end(), [](const Value& item) {
      return item.is_text() && item.size <= kLongestText;
    });
    if (items.empty() || !texts) return;
    std::vector<std::string> copies;
    for (const Value& item : items) {
      budget_.charge(3 * sizeof(std::string) + item.size);
      copies.emplace_back(item.string());
    }
    budget_.charge(3 * sizeof(TextLists::value_type) + path_.size());
    out_.lists.emplace_back(path_, std::move(copies));
  }

  void check_names() {
    std::vector<std::string_view> names;
    budget_.charge(out_.tensors.size() * sizeof(std::string_view));
    names.reserve(out_.tensors.size());
    for (const Tensor& tensor : out_.tensors) names.push_back(tensor.name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) fail("two tensors are named " + in_quotes(*twice));
  }

  const std::string& file_;
  const std::string& where_;
  Budget& budget_;
  Checkpoint& out_;
  std::unordered_map<const Value*, unsigned> tuples_;
  std::unordered_set<const Node*> noted_;
  const Value* home_ = nullptr;
  std::size_t home_path_ = 0;  // length of the prefix and its dot
  std::string path_;
  std::size_t depth_ = 0;
  std::uint64_t work_ = 0;
};

}  // namespace

void collect_weights(const Value& root, const std::string& file, const std::string& where,
                     Budget& budget, Checkpoint& checkpoint) {
  Collector(file, where, budget, checkpoint).run(root);
}

}  // namespace kinglet::tools
