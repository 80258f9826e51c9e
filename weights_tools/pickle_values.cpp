#include <algorithm>
#include <cstring>
#include <new>
#include <type_traits>

#include "pickle.hpp"

namespace kinglet::tools::pickle {

const char* name_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::none: return "None";
    case Kind::boolean: return "a bool";
    case Kind::integer:
    case Kind::big_integer: return "an int";
    case Kind::real: return "a float";
    case Kind::text: return "a string";
    case Kind::bytes: return "bytes";
    case Kind::byte_array: return "a bytearray";
    case Kind::tuple: return "a tuple";
    case Kind::list: return "a list";
    case Kind::dict: return "a dict";
    case Kind::ordered_dict: return "an OrderedDict";
    case Kind::set: return "a set";
    case Kind::frozen_set: return "a frozenset";
    case Kind::function: return "a function or class";
    case Kind::storage: return "a storage";
    case Kind::tensor: return "a tensor";
    case Kind::parameter: return "a parameter";
    case Kind::object: return "an object of an unknown class";
  }
  return "nothing";
}

bool is_hashable(const Value& value) noexcept {
  switch (value.kind) {
    case Kind::list:
    case Kind::dict:
    case Kind::ordered_dict:
    case Kind::set:
    case Kind::byte_array: return false;
    default: return (value.flags & Value::kUnhashable) == 0;
  }
}

bool has_node(const Value& value) noexcept {
  switch (value.kind) {
    case Kind::list:
    case Kind::dict:
    case Kind::ordered_dict:
    case Kind::set:
    case Kind::frozen_set:
    case Kind::object: return true;
    default: return false;
  }
}

bool holds_storage(const Value& value) noexcept {
  if (has_node(value)) return value.node->holds_storage;
  return value.kind == Kind::storage || (value.flags & Value::kHoldsStorage) != 0;
}

std::uint16_t height_of(const Value& value) noexcept {
  return has_node(value) ? value.node->height : value.height;
}

Node* Heap::node() {
  budget_.charge(sizeof(Node));
  return &nodes_.emplace_back();
}

void Heap::push(std::vector<Value>& items, const Value& value) {
  budget_.charge(3 * sizeof(Value));  // a vector that grows holds its old half and its new double
  items.push_back(value);
}

/// 16-byte aligned, alive as long as the heap.
void* Heap::take(std::size_t size) {
  size = (size + 15) / 16 * 16;
  if (size > kBlock / 4) {  // a block of its own, before the one in use
    budget_.charge(size);
    const auto at = blocks_.empty() ? blocks_.end() : blocks_.end() - 1;
    return blocks_.insert(at, std::make_unique<unsigned char[]>(size))->get();
  }
  if (kBlock - used_ < size) {
    budget_.charge(kBlock);
    blocks_.push_back(std::make_unique<unsigned char[]>(kBlock));
    used_ = 0;
  }
  used_ += size;
  return blocks_.back().get() + used_ - size;
}

Storage* Heap::storage() {
  static_assert(std::is_trivially_destructible_v<Storage>);
  return ::new (take(sizeof(Storage))) Storage;
}

View* Heap::view() {
  static_assert(std::is_trivially_destructible_v<View>);
  return ::new (take(sizeof(View))) View;
}

const Value* Heap::copy(const Value* items, std::size_t count) {
  static_assert(std::is_trivially_copyable_v<Value> && sizeof(Value) == 16);
  if (count == 0) return nullptr;
  auto* copied = static_cast<Value*>(take(count * sizeof(Value)));
  std::uninitialized_copy_n(items, count, copied);
  return copied;
}

std::int64_t* Heap::integers(std::size_t count) {
  auto* integers = static_cast<std::int64_t*>(take(count * sizeof(std::int64_t)));
  std::uninitialized_fill_n(integers, count, 0);
  return integers;
}

std::string_view Heap::text(std::string_view text) {
  if (text.empty()) return {};
  auto* copied = static_cast<char*>(take(text.size()));
  std::memcpy(copied, text.data(), text.size());
  return {copied, text.size()};
}

}  // namespace kinglet::tools::pickle
