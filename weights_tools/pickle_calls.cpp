// What a pickle asks to import and call, and what is made of it instead.
#include <iterator>

#include "pickle.hpp"

namespace kinglet::tools::pickle {
namespace {

constexpr Element kElements[] = {
    {"FloatStorage", "float32", DType::f32, 4},
    {"HalfStorage", "float16", DType::f16, 2},
    {"BFloat16Storage", "bfloat16", DType::bf16, 2},
    {"DoubleStorage", "float64", DType::f64, 8},
    {"CharStorage", "int8", DType::s8, 1},
    {"ShortStorage", "int16", DType::s16, 2},
    {"IntStorage", "int32", DType::s32, 4},
    {"LongStorage", "int64", DType::s64, 8},
    {"ByteStorage", "uint8", DType::u8, 1},
    {"BoolStorage", "bool", DType::boolean, 1},
    {"ComplexFloatStorage", "complex64", DType::other, 8},
    {"ComplexDoubleStorage", "complex128", DType::other, 16},
    {"", "uint16", DType::other, 2},
    {"", "uint32", DType::other, 4},
    {"", "uint64", DType::other, 8},
    {"", "float8_e4m3fn", DType::other, 1},
    {"", "float8_e5m2", DType::other, 1},
};
constexpr Element kUntyped = {"UntypedStorage", "untyped", DType::other, 1};

/// What a known global is; storage classes and dtypes follow, `kElements` of each.
enum Function : std::int64_t {
  kOrderedDict,
  kRebuildTensor,
  kRebuildTensor2,
  kRebuildTensor3,
  kRebuildParameter,
  kRebuildParameterWithState,
  kUntypedStorage,
  kFirstStorage,
  kFirstDType = kFirstStorage + std::int64_t{std::size(kElements)},
};

struct KnownFunction {
  std::string_view module, name;
  Function function;
};
constexpr KnownFunction kFunctions[] = {
    {"collections", "OrderedDict", kOrderedDict},
    {"torch._utils", "_rebuild_tensor", kRebuildTensor},
    {"torch._utils", "_rebuild_tensor_v2", kRebuildTensor2},
    {"torch._utils", "_rebuild_tensor_v3", kRebuildTensor3},
    {"torch._utils", "_rebuild_parameter", kRebuildParameter},
    {"torch._utils", "_rebuild_parameter_with_state", kRebuildParameterWithState},
    {"torch.storage", "UntypedStorage", kUntypedStorage},
};

/// −1 if the global is not known.
std::int64_t find_function(std::string_view module, std::string_view name) noexcept {
  for (const KnownFunction& known : kFunctions)
    if (known.module == module && known.name == name) return known.function;
  if (module != "torch" && module != "torch.cuda") return -1;
  for (std::int64_t i = 0; i < std::int64_t{std::size(kElements)}; ++i) {
    if (!kElements[i].storage_class.empty() && kElements[i].storage_class == name)
      return kFirstStorage + i;
    if (kElements[i].name == name && module == "torch") return kFirstDType + i;
  }
  return -1;
}

const Element* storage_element(const Value& value) noexcept {
  if (value.kind != Kind::function) return nullptr;
  if (value.integer == kUntypedStorage) return &kUntyped;
  if (value.integer < kFirstStorage || value.integer >= kFirstDType) return nullptr;
  return &kElements[value.integer - kFirstStorage];
}

const Element* dtype_element(const Value& value) noexcept {
  if (value.kind != Kind::function || value.integer < kFirstDType) return nullptr;
  return &kElements[value.integer - kFirstDType];
}

std::string_view type_name(const Value& function) noexcept {
  if (function.kind == Kind::object) return function.node->type;
  for (const KnownFunction& known : kFunctions)
    if (function.integer == known.function) return known.name;
  const Element* element = storage_element(function);
  return element != nullptr ? element->storage_class : dtype_element(function)->name;
}

/// a · b + c in 64 bits; false if it does not fit.
bool multiply_add(std::uint64_t a, std::uint64_t b, std::uint64_t c,
                  std::uint64_t& result) noexcept {
  if (b != 0 && a > (~std::uint64_t{0} - c) / b) return false;
  result = a * b + c;
  return true;
}

/// conj and neg views hold other numbers than their bytes. What says more than PyTorch does is not read: it may be
/// given to many tensors.
bool changes_values(const Value& metadata) noexcept {
  if (metadata.kind == Kind::none) return false;
  if (!metadata.is_dict()) return true;
  const std::vector<Value>& items = metadata.node->items;
  constexpr std::size_t kMost = 32;
  if (items.size() > 2 * kMost) return true;
  for (std::size_t i = 1; i < items.size(); i += 2)
    if (items[i].kind != Kind::boolean || items[i].integer != 0) return true;
  return false;
}

constexpr unsigned kHighestRank = 64;

}  // namespace

void Unpickler::push_global(std::string_view module, std::string_view name) {
  constexpr std::size_t kLongest = 1000;  // read again at each use
  if (module.size() + name.size() > kLongest) fail("a global's name of more than 1000 bytes");
  Value value;
  value.integer = find_function(module, name);
  if (value.integer >= 0) {
    value.kind = Kind::function;
  } else {
    value.kind = Kind::object;
    value.node = heap_.node();
    heap_.budget().charge(module.size() + name.size());
    value.node->type = heap_.text(std::string(module) + "." + std::string(name));
  }
  push(value);
}

/// REDUCE: a function and its arguments.
Value Unpickler::apply(const Value& function, const Value& arguments) {
  if (function.kind != Kind::function && function.kind != Kind::object)
    fail(std::string("REDUCE calls ") + name_of(function.kind));
  if (arguments.kind != Kind::tuple)
    fail(std::string("REDUCE with ") + name_of(arguments.kind) + " for arguments");
  if (function.kind == Kind::object) return inert(function.node->type, arguments);
  switch (function.integer) {
    case kOrderedDict: return ordered_dict(arguments);
    case kRebuildTensor: return tensor(arguments, 4, 4, false);
    case kRebuildTensor2: return tensor(arguments, 6, 7, false);
    case kRebuildTensor3: return tensor(arguments, 7, 8, true);
    case kRebuildParameter: return parameter(arguments, 3);
    case kRebuildParameterWithState: return parameter(arguments, 4);
    default: return inert(type_name(function), arguments);
  }
}

/// NEWOBJ, OBJ, INST: an instance of a class.
Value Unpickler::instance(const Value& type, const Value& arguments) {
  if (type.kind != Kind::function && type.kind != Kind::object)
    fail(std::string("an instance of ") + name_of(type.kind));
  if (arguments.kind != Kind::tuple)
    fail(std::string("an instance made from ") + name_of(arguments.kind));
  if (type.kind == Kind::function && type.integer == kOrderedDict) return ordered_dict(arguments);
  return inert(type_name(type), arguments);
}

Value Unpickler::inert(std::string_view type, const Value& arguments) {
  if (type.substr(0, 6) == "torch." && type.find("._rebuild_") != std::string_view::npos)
    fail("a tensor made by " + in_quotes(type) + " (sparse, quantized …) is not supported");
  Value value;
  value.kind = Kind::object;
  value.node = heap_.node();
  value.node->type = type;
  value.node->arguments = arguments;
  note(*value.node, arguments);
  if (value.node->holds_storage)
    fail(in_quotes(type) + " is not known and is given a storage: a weight would vanish");
  return value;
}

/// OrderedDict(), or of pairs as Python 2 wrote it.
Value Unpickler::ordered_dict(const Value& arguments) {
  Value value;
  value.kind = Kind::ordered_dict;
  value.node = heap_.node();
  if (arguments.size == 0) return value;
  const Value& pairs = arguments.items[0];
  const bool is_list = pairs.kind == Kind::list;
  if (arguments.size > 1 || !(is_list || pairs.kind == Kind::tuple || pairs.is_dict()))
    fail(std::string("OrderedDict made from ") +
         (arguments.size > 1 ? "several arguments" : name_of(pairs.kind)));
  note(*value.node, pairs);
  const std::size_t begin = stack_.size();
  if (pairs.is_dict()) {
    for (const Value& item : pairs.node->items) push(item);
  } else {
    const Value* items = is_list ? pairs.node->items.data() : pairs.items;
    const std::size_t count = is_list ? pairs.node->items.size() : pairs.size;
    for (std::size_t i = 0; i < count; ++i) {
      const Value& pair = items[i];
      const bool is_tuple = pair.kind == Kind::tuple && pair.size == 2;
      if (!is_tuple && !(pair.kind == Kind::list && pair.node->items.size() == 2))
        fail("OrderedDict made from something not pairs");
      const Value* key_value = is_tuple ? pair.items : pair.node->items.data();
      push(key_value[0]);
      push(key_value[1]);
    }
  }
  set_items(value, begin);
  return value;
}

/// ('storage', class, key, location, numel), in the old stream with a sixth item.
Storage* Unpickler::persistent(const Value& id) {
  const std::size_t count = options_.legacy ? 6 : 5;
  if (id.kind != Kind::tuple || id.size != count)
    fail("a persistent id is not a tuple of " + std::to_string(count) + " items");
  if (options_.storages == nullptr) fail("a persistent id where no storage may be");
  const Value &tag = id.items[0], &key = id.items[2], &location = id.items[3];
  const Value& numel = id.items[4];
  if (!tag.is_text() || tag.string() != "storage") fail("a persistent id that is not a storage's");
  const Element* element = storage_element(id.items[1]);
  if (element == nullptr)
    fail("unknown storage class" + (id.items[1].kind == Kind::object
                                        ? " " + in_quotes(id.items[1].node->type)
                                        : std::string()));
  if (!key.is_text()) fail(std::string("a storage key is ") + name_of(key.kind));
  if (!location.is_text()) fail(std::string("a storage location is ") + name_of(location.kind));
  constexpr std::uint32_t kLongest = 1000;  // read again at each use
  if (key.size > kLongest) fail("a storage key of more than 1000 bytes");
  const std::string name = "storage " + in_quotes(key.string());
  if (numel.kind != Kind::integer || numel.integer < 0)
    fail(name + ": its length is not a number of elements");
  if (options_.legacy && id.items[5].kind != Kind::none)
    fail(name + ": views of storages (PyTorch before 0.4) are not supported");

  const auto count_of = static_cast<std::uint64_t>(numel.integer);
  const auto known = storage_of_key_.find(key.string());
  if (known != storage_of_key_.end()) {
    if (known->second->element != element) fail(name + " has two element types");
    if (known->second->count != count_of) fail(name + " has two lengths");
    return known->second;
  }
  Storage* storage = heap_.storage();
  storage->key = key.string();
  storage->element = element;
  storage->count = count_of;
  storage->index = storages_.size();
  if (!multiply_add(count_of, element->size, 0, storage->nbytes))
    fail(name + ": its size overflows 64 bits");
  options_.storages->resolve(*storage, nearest_text(), where(opcode_at_));
  heap_.budget().charge(sizeof(void*) * 10);  // its places in the two tables below
  storages_.push_back(storage);
  storage_of_key_.emplace(storage->key, storage);
  return storage;
}

/// (storage, offset, size, stride[, requires_grad, hooks[, dtype][, metadata]])
Value Unpickler::tensor(const Value& arguments, std::size_t fewest, std::size_t most,
                        bool has_element) {
  const std::string_view key = nearest_text();
  const std::string name = key.empty() ? "a tensor" : "tensor " + in_quotes(key);
  if (arguments.size < fewest || arguments.size > most)
    fail(name + " is described by " + std::to_string(arguments.size) + " arguments");
  const Value& storage = arguments.items[0];
  if (storage.kind != Kind::storage) fail(name + ": its storage is " + name_of(storage.kind));
  View* view = heap_.view();
  view->storage = storage.storage;
  view->element = has_element ? dtype_element(arguments.items[6]) : storage.storage->element;
  if (view->element == nullptr) fail(name + ": unknown dtype");
  if (view->element == &kUntyped) fail(name + ": its storage has no element type");
  if (has_element && storage.storage->element != &kUntyped &&
      storage.storage->element != view->element)
    fail(name + ": its dtype is not that of its storage");
  if (arguments.size == most && most > 4 && changes_values(arguments.items[most - 1]))
    fail(name + ": conjugated, negated or otherwise altered views are not supported");
  read_view(*view, arguments.items, name);
  Value value;
  value.kind = Kind::tensor;
  value.view = view;
  return value;
}

/// Offset, size and stride; the last element that they reach must be in the storage.
void Unpickler::read_view(View& view, const Value* arguments, const std::string& name) {
  const Value &offset = arguments[1], &size = arguments[2], &stride = arguments[3];
  const auto is_count = [](const Value& value) {
    return value.kind == Kind::integer && value.integer >= 0;
  };
  if (!is_count(offset)) fail(name + ": its offset is not a number of elements");
  if (size.kind != Kind::tuple) fail(name + ": its size is " + name_of(size.kind));
  if (stride.kind != Kind::tuple) fail(name + ": its stride is " + name_of(stride.kind));
  if (size.size != stride.size)
    fail(name + " has " + std::to_string(size.size) + " sizes and " + std::to_string(stride.size) +
         " strides");
  if (size.size > kHighestRank)
    fail(name + " has " + std::to_string(size.size) + " dimensions, 64 are supported");
  view.offset = static_cast<std::uint64_t>(offset.integer);
  view.rank = size.size;
  std::int64_t* numbers = heap_.integers(2 * std::size_t{view.rank});
  view.shape = numbers;
  view.stride = numbers + view.rank;
  bool empty = false;
  for (unsigned i = 0; i < view.rank; ++i) {
    if (!is_count(size.items[i])) fail(name + ": a size is not a number of elements");
    if (!is_count(stride.items[i])) fail(name + ": a stride is not a number of elements");
    numbers[i] = size.items[i].integer;
    numbers[view.rank + i] = stride.items[i].integer;
    empty |= numbers[i] == 0;
  }
  std::uint64_t last = view.offset, dense = view.element->size;
  for (unsigned i = 0; i < view.rank; ++i) {
    const auto length = static_cast<std::uint64_t>(view.shape[i]);
    const auto step = static_cast<std::uint64_t>(view.stride[i]);
    if (!multiply_add(dense, length == 0 ? 1 : length, 0, dense) ||
        (length > 1 && !empty && !multiply_add(length - 1, step, last, last)))
      fail(name + ": its size overflows 64 bits");
  }
  const std::uint64_t count = empty ? last : last + 1;  // 0 if it overflows
  std::uint64_t needed = 0;
  if (count < last || !multiply_add(count, view.element->size, 0, needed))
    fail(name + ": its size overflows 64 bits");
  if (needed > view.storage->nbytes)
    fail(name + " needs " + std::to_string(needed) + " bytes of storage " +
         in_quotes(view.storage->key) + ", which has " + std::to_string(view.storage->nbytes));
  if (!empty && dense > options_.largest_dense)
    fail(name + " would take " + std::to_string(dense) + " bytes when written out");
}

/// (tensor, requires_grad, hooks[, state])
Value Unpickler::parameter(const Value& arguments, std::size_t count) {
  if (arguments.size != count || arguments.items[0].kind != Kind::tensor)
    fail("a parameter is not made from a tensor");
  Value value = arguments.items[0];
  value.kind = Kind::parameter;
  return value;
}

}  // namespace kinglet::tools::pickle
