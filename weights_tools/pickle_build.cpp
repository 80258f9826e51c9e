// How values are made and put into one another.
#include <algorithm>
#include <cstdlib>

#include "pickle.hpp"

namespace kinglet::tools::pickle {

bool parse_decimal(std::string_view text, bool& negative, std::uint64_t& magnitude,
                   bool& too_large) noexcept {
  negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
  if (text.empty()) return false;
  magnitude = 0;
  too_large = false;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (magnitude > (~std::uint64_t{0} - digit) / 10) too_large = true;
    magnitude = too_large ? 0 : magnitude * 10 + digit;
  }
  return true;
}

void Unpickler::push_integer(std::int64_t value) {
  Value integer;
  integer.kind = Kind::integer;
  integer.integer = value;
  push(integer);
}

/// Little-endian two's complement of any length.
void Unpickler::push_long(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  while (bytes.size() > 1) {  // bytes that only repeat the sign
    const std::size_t last = bytes.size() - 1;
    const bool negative = (byte(last - 1) & 0x80) != 0;
    if (byte(last) != (negative ? 0xFF : 0)) break;
    bytes.remove_suffix(1);
  }
  if (bytes.size() > 8) return push_text(Kind::big_integer, bytes);
  const bool negative = !bytes.empty() && (byte(bytes.size() - 1) & 0x80) != 0;
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value &= ~(std::uint64_t{0xFF} << (8 * i));
    value |= std::uint64_t{byte(i)} << (8 * i);
  }
  push_integer(static_cast<std::int64_t>(value));
}

void Unpickler::push_decimal(std::string_view text, bool is_long) {
  if (!is_long && (text == "00" || text == "01")) {
    Value boolean;
    boolean.kind = Kind::boolean;
    boolean.integer = text[1] - '0';
    return push(boolean);
  }
  if (is_long && !text.empty() && text.back() == 'L') text.remove_suffix(1);
  bool negative = false, too_large = false;
  std::uint64_t magnitude = 0;
  if (!parse_decimal(text, negative, magnitude, too_large))
    fail("not an integer: " + in_quotes(text, 40));
  constexpr std::uint64_t kTop = std::uint64_t{1} << 63;
  if (too_large || magnitude > kTop || (magnitude == kTop && !negative))
    return push_text(Kind::big_integer, {});
  push_integer(static_cast<std::int64_t>(negative ? ~magnitude + 1 : magnitude));
}

void Unpickler::push_real(std::string_view text) {
  constexpr std::size_t kLongest = 400;
  Value real;
  real.kind = Kind::real;
  const std::string copy(text.substr(0, kLongest));
  char* end = nullptr;
  real.real = std::strtod(copy.c_str(), &end);
  // strtod also knows blanks and hexadecimal, which no pickle has
  const bool plain = copy.find_first_of(" \t\v\f\r\nxXpP(") == std::string::npos;
  if (text.empty() || text.size() > kLongest || !plain || end != copy.c_str() + copy.size())
    fail("not a number: " + in_quotes(text, 40));
  push(real);
}

void Unpickler::push_text(Kind kind, std::string_view text) {
  if (text.size() > 0xFFFFFFFFu) fail("a string of 4 GB or more");
  Value value;
  value.kind = kind;
  value.size = static_cast<std::uint32_t>(text.size());
  value.text = text.data();
  push(value);
}

/// A Python 2 string literal: quotes off, escapes replaced.
std::string_view Unpickler::unquoted(std::string_view text) {
  if (text.size() < 2 || (text[0] != '\'' && text[0] != '"') || text.back() != text[0])
    fail("a string without quotes around it");
  text = text.substr(1, text.size() - 2);
  if (text.find('\\') == std::string_view::npos) return text;
  heap_.budget().charge(text.size());
  std::string plain;
  const auto digits = [&](std::size_t& i, unsigned base, std::size_t most) {
    unsigned value = 0;
    std::size_t count = 0;
    for (; count < most && i < text.size(); ++count, ++i) {
      const char c = text[i];
      const unsigned digit = c >= '0' && c <= '9'                 ? unsigned(c - '0')
                             : (c | 32) >= 'a' && (c | 32) <= 'f' ? unsigned((c | 32) - 'a' + 10)
                                                                  : 16;
      if (digit >= base) break;
      value = value * base + digit;
    }
    if (count == 0 || (base == 16 && count < most)) fail("a broken escape in a string");
    plain += static_cast<char>(value & 0xFF);
  };
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '\\') {
      plain += text[i++];
      continue;
    }
    if (++i == text.size()) fail("a string ends inside an escape");
    static constexpr std::string_view kLetters = "\\'\"abfnrtv";
    static constexpr std::string_view kMeanings = "\\'\"\a\b\f\n\r\t\v";
    const std::size_t known = kLetters.find(text[i]);
    if (known != std::string_view::npos) {
      plain += kMeanings[known];
      ++i;
    } else if (text[i] == 'x') {
      digits(++i, 16, 2);
    } else if (text[i] >= '0' && text[i] <= '7') {
      digits(i, 8, 3);
    } else {
      plain += '\\';  // an unknown escape stands for itself
    }
  }
  return heap_.text(plain);
}

/// The text form of a Unicode string: Latin-1 with \uXXXX and \UXXXXXXXX.
std::string_view Unpickler::unescaped(std::string_view text) {
  heap_.budget().charge(2 * text.size());
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::uint32_t point = static_cast<unsigned char>(text[i]);
    const char kind = i + 1 < text.size() ? text[i + 1] : ' ';
    if (point == '\\' && (kind == 'u' || kind == 'U')) {
      const std::size_t count = kind == 'u' ? 4 : 8;
      const std::string hex(text.substr(i + 2, count));
      if (hex.size() < count ||
          hex.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
        fail("a broken escape in a string");
      point = static_cast<std::uint32_t>(std::strtoul(hex.c_str(), nullptr, 16));
      if (point > 0x10FFFF) fail("a broken escape in a string");
      i += 1 + count;
    }
    append_utf8(plain, point);
  }
  return utf8(heap_.text(plain));
}

/// Everything above the mark becomes a tuple.
void Unpickler::push_tuple(std::size_t begin) {
  Value tuple;
  tuple.kind = Kind::tuple;
  tuple.height = 1;
  const std::size_t count = stack_.size() - begin;
  if (count > 0xFFFFFFFFu) fail("a tuple of too many items");
  for (std::size_t i = begin; i < stack_.size(); ++i) {
    if (holds_storage(stack_[i])) tuple.flags |= Value::kHoldsStorage;
    if (!is_hashable(stack_[i])) tuple.flags |= Value::kUnhashable;
    if (stack_[i].is_tensor()) tuple.flags |= Value::kHoldsTensor;
    tuple.height = std::max<std::uint16_t>(tuple.height, std::uint16_t(height_of(stack_[i]) + 1));
  }
  tuple.size = static_cast<std::uint32_t>(count);
  tuple.items = heap_.copy(stack_.data() + begin, count);
  stack_.resize(begin);
  push(tuple);
}

void Unpickler::push_node(Kind kind) {
  Value value;
  value.kind = kind;
  value.node = heap_.node();
  push(value);
}

/// What a child means for the container that receives it.
void Unpickler::note(Node& parent, const Value& child) {
  parent.holds_storage |= holds_storage(child);
  if (&parent == (has_node(child) ? child.node : nullptr)) return;  // holds itself: no deeper
  parent.height = std::max<std::uint16_t>(parent.height, std::uint16_t(height_of(child) + 1));
  if (parent.height > kHighest) fail("containers are nested more than 1000 deep");
}

/// Items from `begin` on go into a list, a set, or an object that may be either.
void Unpickler::append(const Value& list, std::size_t begin) {
  Node& node = *list.node;
  for (std::size_t i = begin; i < stack_.size(); ++i) {
    note(node, stack_[i]);
    if (list.kind == Kind::object) {
      Value index;
      index.kind = Kind::integer;
      index.integer = static_cast<std::int64_t>(node.items.size() / 2);
      heap_.push(node.items, index);
    }
    heap_.push(node.items, stack_[i]);
  }
  stack_.resize(begin);
  if (list.kind == Kind::object && node.holds_storage)
    fail(in_quotes(node.type) + " is not known and is given a storage: a weight would vanish");
}

/// Keys and values from `begin` on.
void Unpickler::set_items(const Value& dict, std::size_t begin) {
  if ((stack_.size() - begin) % 2 != 0) fail("a key without a value");
  Node& node = *dict.node;
  for (std::size_t i = begin; i < stack_.size(); ++i) {
    if ((i - begin) % 2 == 0 && !is_hashable(stack_[i]))
      fail(std::string(name_of(stack_[i].kind)) + " cannot be a key");
    note(node, stack_[i]);
    heap_.push(node.items, stack_[i]);
  }
  stack_.resize(begin);
  if (dict.kind == Kind::object && node.holds_storage)
    fail(in_quotes(node.type) + " is not known and is given a storage: a weight would vanish");
}

/// Everything above the mark becomes a container.
void Unpickler::gather(Kind kind) {
  const std::size_t begin = pop_mark();
  Value value;
  value.kind = kind;
  value.node = heap_.node();
  if (kind == Kind::dict) {
    set_items(value, begin);
  } else {
    if (kind == Kind::frozen_set) check_hashable(begin);
    append(value, begin);
  }
  push(value);
}

void Unpickler::check_hashable(std::size_t begin) const {
  for (std::size_t i = begin; i < stack_.size(); ++i)
    if (!is_hashable(stack_[i])) fail(std::string(name_of(stack_[i].kind)) + " cannot be in a set");
}

void Unpickler::build() {
  const Value state = pop();
  const Value& target = top();
  const auto refuse = [&] {
    fail(std::string("BUILD gives ") + name_of(state.kind) + " to " + name_of(target.kind));
  };
  switch (target.kind) {
    case Kind::ordered_dict:
      if (!state.is_dict() && state.kind != Kind::none) refuse();
      break;
    case Kind::object: break;
    case Kind::parameter: return;
    default: refuse();
  }
  Node& node = *target.node;
  note(node, state);
  node.state = state;
  if (target.kind == Kind::object && node.holds_storage)
    fail(in_quotes(node.type) + " is not known and is given a storage: a weight would vanish");
}

}  // namespace kinglet::tools::pickle
