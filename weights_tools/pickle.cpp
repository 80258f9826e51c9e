// Input and stack. What opcodes do with them is in pickle_opcodes.cpp, what the values become in
// pickle_build.cpp, what is asked to be called in pickle_calls.cpp.
#include "pickle.hpp"

#include <algorithm>
#include <cstring>
#include <kinglet/io/utf8.hpp>

namespace kinglet::tools::pickle {
Unpickler::Unpickler(Bytes bytes, const Options& options, Heap& heap)
    : bytes_(bytes), options_(options), heap_(heap) {}

Value Unpickler::read() {
  while (step()) {
  }
  const Value root = pop();
  if (frame_end_ > at_) fail("STOP stands before the end of its frame");
  return root;
}

// ---------------------------------------------------------------------------------------- input

std::string_view Unpickler::take(std::uint64_t count) {
  const std::size_t left = (frame_end_ > at_ ? frame_end_ : bytes_.size()) - at_;
  if (count > left)
    fail("needs " + std::to_string(count) + " bytes, " + std::to_string(left) + " are left" +
         (frame_end_ > at_ ? " in its frame" : ""));
  const std::size_t from = at_;
  at_ += static_cast<std::size_t>(count);
  return {reinterpret_cast<const char*>(bytes_.data()) + from, static_cast<std::size_t>(count)};
}

std::uint64_t Unpickler::number(unsigned width) {
  std::uint64_t value = 0;
  const std::string_view bytes = take(width);
  for (unsigned i = 0; i < width; ++i)
    value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return value;
}

/// A length that is written with a sign.
std::uint64_t Unpickler::signed_size() {
  const std::uint64_t size = number(4);
  if (size > 0x7FFFFFFF) fail("a negative length");
  return size;
}

/// Up to the next line feed, which is skipped.
std::string_view Unpickler::line() {
  const std::size_t left = (frame_end_ > at_ ? frame_end_ : bytes_.size()) - at_;
  const void* end = left == 0 ? nullptr : std::memchr(bytes_.data() + at_, '\n', left);
  if (end == nullptr) fail("its line does not end");
  const auto size =
      static_cast<std::size_t>(static_cast<const unsigned char*>(end) - bytes_.data()) - at_;
  const std::string_view text = take(size);
  take(1);
  return text;
}

std::string_view Unpickler::utf8(std::string_view bytes) {
  if (!valid_utf8(bytes)) fail("a string is not UTF-8");
  return bytes;
}

void Unpickler::read_frame() {
  const std::uint64_t size = number(8);
  if (frame_end_ > at_) fail("a frame begins inside another one");
  if (size > bytes_.size() - at_)
    fail("a frame of " + std::to_string(size) + " bytes, " + std::to_string(bytes_.size() - at_) +
         " are left");
  frame_end_ = at_ + static_cast<std::size_t>(size);
}

std::string Unpickler::where(std::size_t offset) const {
  return options_.label + std::to_string(options_.base + offset);
}

void Unpickler::fail(const std::string& what) const {
  throw FileError(options_.file, where(opcode_at_), what);
}

// ---------------------------------------------------------------------------------------- stack

void Unpickler::push(const Value& value) {
  if (height_of(value) > kHighest) fail("containers are nested more than 1000 deep");
  if (stack_.size() == stack_.capacity()) {
    const std::size_t room = std::max<std::size_t>(256, 2 * stack_.capacity());
    heap_.budget().charge((room + stack_.capacity()) * sizeof(Value));
    stack_.reserve(room);
  }
  stack_.push_back(value);
}

const Value& Unpickler::top() {
  if (stack_.size() <= floor()) fail("needs a value, the stack holds none");
  return stack_.back();
}

Value Unpickler::pop() {
  const Value value = top();
  stack_.pop_back();
  return value;
}

/// Forgets the last mark; what is above it starts at the index that comes back.
std::size_t Unpickler::pop_mark() {
  if (marks_.empty()) fail("needs a mark, there is none");
  const std::size_t begin = marks_.back();
  marks_.pop_back();
  return begin;
}

/// Memo numbers are dense in honest pickles: a vector; stray ones go to a map.
void Unpickler::put(std::uint64_t index) {
  const Value value = top();
  ++memo_count_;
  if (index <= 2 * memo_count_ + 1024) {
    const auto at = static_cast<std::size_t>(index);
    if (at >= memo_.size()) {
      const std::size_t room = std::max(2 * memo_.size(), at + 64);
      heap_.budget().charge((room + memo_.size()) * (sizeof(Value) + 1));
      memo_.resize(room);
      memo_used_.resize(room);
    }
    memo_[at] = value;
    memo_used_[at] = true;
    if (!sparse_memo_.empty()) sparse_memo_.erase(index);
  } else {
    heap_.budget().charge(4 * sizeof(Value));
    sparse_memo_[index] = value;
  }
}

void Unpickler::get(std::uint64_t index) {
  const auto sparse = sparse_memo_.find(index);
  if (sparse != sparse_memo_.end()) return push(sparse->second);
  if (index >= memo_.size() || !memo_used_[static_cast<std::size_t>(index)])
    fail("refers to memo " + std::to_string(index) + ", which was never set");
  push(memo_[static_cast<std::size_t>(index)]);
}

/// The key in front of what is being built: the name of a tensor, in a message.
std::string_view Unpickler::nearest_text() const {
  for (std::size_t i = stack_.size(); i > 0 && stack_.size() - i < 4; --i)
    if (stack_[i - 1].is_text()) return stack_[i - 1].string();
  return {};
}

}  // namespace kinglet::tools::pickle
