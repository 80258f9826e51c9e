// One opcode of a pickle after the other.
#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "pickle.hpp"

namespace kinglet::tools::pickle {
namespace {

/// One letter where Python's pickletools has one too.
enum Opcode : unsigned char {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kDup = '2',
  kFloat = 'F',
  kInt = 'I',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kLong = 'L',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kString = 'S',
  kBinString = 'T',
  kShortBinString = 'U',
  kUnicode = 'V',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kDict = 'd',
  kEmptyDict = '}',
  kAppends = 'e',
  kGet = 'g',
  kBinGet = 'h',
  kInst = 'i',
  kLongBinGet = 'j',
  kList = 'l',
  kEmptyList = ']',
  kObj = 'o',
  kPut = 'p',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kEmptyTuple = ')',
  kSetItems = 'u',
  kBinFloat = 'G',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kProto = 0x80,
  kNewObj,
  kExt1,
  kExt2,
  kExt4,
  kTuple1,
  kTuple2,
  kTuple3,
  kNewTrue,
  kNewFalse,
  kLong1,
  kLong4,
  kShortBinUnicode,
  kBinUnicode8,
  kBinBytes8,
  kEmptySet,
  kAddItems,
  kFrozenSet,
  kNewObjEx,
  kStackGlobal,
  kMemoize,
  kFrame,
  kByteArray8,
};

}  // namespace

/// False after STOP.
bool Unpickler::step() {
  opcode_at_ = at_;
  if (at_ >= bytes_.size()) fail("the pickle ends without STOP");
  const auto opcode = static_cast<unsigned char>(take(1)[0]);
  const auto into = [&](std::size_t begin, const char* name, std::initializer_list<Kind> kinds) {
    if (begin <= floor()) fail(std::string(name) + " on nothing");
    const Value target = stack_[begin - 1];
    if (std::find(kinds.begin(), kinds.end(), target.kind) == kinds.end())
      fail(std::string(name) + " on " + name_of(target.kind));
    return target;
  };
  const auto collect = [&](std::size_t count) {  // as TUPLE1 … TUPLE3
    if (stack_.size() - floor() < count) fail("a tuple of more than the stack holds");
    push_tuple(stack_.size() - count);
  };
  const auto memo_number = [&] {
    bool negative = false, too_large = false;
    std::uint64_t index = 0;
    const std::string_view text = line();
    if (!parse_decimal(text, negative, index, too_large) || negative || too_large)
      fail("not a memo number: " + in_quotes(text, 40));
    return index;
  };
  static constexpr std::initializer_list<Kind> kLists = {Kind::list, Kind::object};
  static constexpr std::initializer_list<Kind> kDicts = {Kind::dict, Kind::ordered_dict,
                                                         Kind::object};
  switch (opcode) {
    case kProto: {
      const std::uint64_t protocol = number(1);
      if (protocol > 5) fail("pickle protocol " + std::to_string(protocol) + " does not exist");
      return true;
    }
    case kFrame: read_frame(); return true;
    case kStop: return false;

    case kMark:
      heap_.budget().charge(3 * sizeof(std::size_t));
      marks_.push_back(stack_.size());
      return true;
    case kPop:
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case kPopMark: stack_.resize(pop_mark()); return true;
    case kDup: push(Value(top())); return true;

    case kPut: put(memo_number()); return true;
    case kBinPut: put(number(1)); return true;
    case kLongBinPut: put(number(4)); return true;
    case kMemoize: put(memo_count_); return true;
    case kGet: get(memo_number()); return true;
    case kBinGet: get(number(1)); return true;
    case kLongBinGet: get(number(4)); return true;

    case kNone: push({}); return true;
    case kNewTrue: push_decimal("01", false); return true;
    case kNewFalse: push_decimal("00", false); return true;
    case kInt: push_decimal(line(), false); return true;
    case kLong: push_decimal(line(), true); return true;
    case kBinInt: push_long(take(4)); return true;
    case kBinInt1: push_integer(static_cast<std::int64_t>(number(1))); return true;
    case kBinInt2: push_integer(static_cast<std::int64_t>(number(2))); return true;
    case kLong1: push_long(take(number(1))); return true;
    case kLong4: push_long(take(signed_size())); return true;
    case kFloat: push_real(line()); return true;
    case kBinFloat: {
      Value real;
      real.kind = Kind::real;
      std::uint64_t bits = 0;
      for (const char c : take(8)) bits = bits << 8 | static_cast<unsigned char>(c);
      std::memcpy(&real.real, &bits, sizeof bits);
      push(real);
      return true;
    }

    case kString: push_text(Kind::text, utf8(unquoted(line()))); return true;
    case kBinString: push_text(Kind::text, utf8(take(signed_size()))); return true;
    case kShortBinString:
    case kShortBinUnicode: push_text(Kind::text, utf8(take(number(1)))); return true;
    case kUnicode: push_text(Kind::text, unescaped(line())); return true;
    case kBinUnicode: push_text(Kind::text, utf8(take(number(4)))); return true;
    case kBinUnicode8: push_text(Kind::text, utf8(take(number(8)))); return true;
    case kShortBinBytes: push_text(Kind::bytes, take(number(1))); return true;
    case kBinBytes: push_text(Kind::bytes, take(number(4))); return true;
    case kBinBytes8: push_text(Kind::bytes, take(number(8))); return true;
    case kByteArray8: push_text(Kind::byte_array, take(number(8))); return true;

    case kEmptyTuple: collect(0); return true;
    case kTuple1: collect(1); return true;
    case kTuple2: collect(2); return true;
    case kTuple3: collect(3); return true;
    case kTuple: push_tuple(pop_mark()); return true;
    case kEmptyList: push_node(Kind::list); return true;
    case kEmptyDict: push_node(Kind::dict); return true;
    case kEmptySet: push_node(Kind::set); return true;
    case kList: gather(Kind::list); return true;
    case kDict: gather(Kind::dict); return true;
    case kFrozenSet: gather(Kind::frozen_set); return true;

    case kAppend: {
      if (stack_.size() - floor() < 2) fail("APPEND needs a list and an item");
      const std::size_t begin = stack_.size() - 1;
      append(into(begin, "APPEND", kLists), begin);
      return true;
    }
    case kAppends: {
      const std::size_t begin = pop_mark();
      append(into(begin, "APPENDS", kLists), begin);
      return true;
    }
    case kAddItems: {
      const std::size_t begin = pop_mark();
      const Value set = into(begin, "ADDITEMS", {Kind::set});
      check_hashable(begin);
      append(set, begin);
      return true;
    }
    case kSetItem: {
      if (stack_.size() - floor() < 3) fail("SETITEM needs a dict, a key and a value");
      const std::size_t begin = stack_.size() - 2;
      set_items(into(begin, "SETITEM", kDicts), begin);
      return true;
    }
    case kSetItems: {
      const std::size_t begin = pop_mark();
      set_items(into(begin, "SETITEMS", kDicts), begin);
      return true;
    }
    case kBuild: build(); return true;

    case kGlobal: {
      const std::string_view module = utf8(line());
      push_global(module, utf8(line()));
      return true;
    }
    case kStackGlobal: {
      const Value name = pop(), module = pop();
      if (!name.is_text() || !module.is_text()) fail("STACK_GLOBAL of something not a string");
      push_global(module.string(), name.string());
      return true;
    }
    case kBinPersId: {
      Value storage;
      storage.kind = Kind::storage;
      storage.storage = persistent(pop());
      push(storage);
      return true;
    }
    case kReduce: {
      const Value arguments = pop(), function = pop();
      push(apply(function, arguments));
      return true;
    }
    case kNewObj: {
      const Value arguments = pop(), type = pop();
      push(instance(type, arguments));
      return true;
    }
    case kNewObjEx: {
      const Value keywords = pop();
      if (!keywords.is_dict()) fail("NEWOBJ_EX with keyword arguments that are no dict");
      const Value arguments = pop(), type = pop();
      const Value object = instance(type, arguments);
      if (!keywords.node->items.empty()) {
        push(object);
        push(keywords);
        build();  // kept as its state: an inert object has nothing else to do with them
      } else {
        push(object);
      }
      return true;
    }
    case kObj: {
      const std::size_t begin = pop_mark();
      if (begin == stack_.size()) fail("OBJ without a class");
      const Value type = stack_[begin];
      push_tuple(begin + 1);
      const Value arguments = pop();
      stack_.resize(begin);
      push(instance(type, arguments));
      return true;
    }
    case kInst: {
      const std::string_view module = utf8(line());
      const std::string_view name = utf8(line());
      push_tuple(pop_mark());
      push_global(module, name);
      const Value type = pop(), arguments = pop();
      push(instance(type, arguments));
      return true;
    }
    default: break;
  }
  static constexpr char kHex[] = "0123456789abcdef";
  fail(std::string("opcode 0x") + kHex[opcode >> 4] + kHex[opcode & 15] +
       ", which no checkpoint uses");
}

}  // namespace kinglet::tools::pickle
