#pragma once
// A restricted unpickler: reads PyTorch's pickles into plain values and tensor descriptions.
//
// Nothing named in a pickle is ever imported or called. The few globals that tensors need
// (storage classes, the rebuild functions, OrderedDict) are known by name; any other class or
// function becomes an inert object that remembers its name and what it was given. An inert object
// that is given a storage is an error: a weight would vanish in it.

#include <cstdint>
#include <deque>
#include <kinglet/core/dtype.hpp>
#include <kinglet/core/span.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "budget.hpp"

namespace kinglet::tools::pickle {

/// An element type as PyTorch names it.
struct Element {
  std::string_view storage_class;  // "FloatStorage"; empty for types without a class of their own
  std::string_view name;           // "float32"
  DType dtype;
  std::uint64_t size;  // bytes
};

/// What a persistent id names. Whoever reads the container supplies the bytes.
struct Storage {
  std::string_view key;
  const Element* element = nullptr;
  std::uint64_t count = 0;  // elements
  std::uint64_t nbytes = 0;
  std::uint64_t index = 0;  // in order of appearance
  const unsigned char* data = nullptr;
};

/// A tensor: a checked view of a storage.
struct View {
  Storage* storage = nullptr;
  const Element* element = nullptr;
  std::uint64_t offset = 0;  // elements
  unsigned rank = 0;
  const std::int64_t* shape = nullptr;
  const std::int64_t* stride = nullptr;
};

enum class Kind : std::uint8_t {
  none,
  boolean,
  integer,
  big_integer,  // beyond 64 bits: little-endian two's complement, or no bytes if it was decimal
                // text
  real,
  text,
  bytes,
  byte_array,
  tuple,
  list,
  dict,
  ordered_dict,
  set,
  frozen_set,
  function,  // a global that is known
  storage,
  tensor,
  parameter,
  object,  // inert: anything else
};

const char* name_of(Kind kind) noexcept;

struct Node;

struct Value {
  static constexpr std::uint8_t kHoldsStorage = 1, kUnhashable = 2, kHoldsTensor = 4;

  Kind kind = Kind::none;
  std::uint8_t flags = 0;    // tuples: about their items; kHoldsTensor: about these alone
  std::uint16_t height = 0;  // tuples: containers below and including this one
  std::uint32_t size = 0;    // bytes of a text, items of a tuple
  union {
    std::int64_t integer = 0;  // also boolean (0, 1) and function (an index)
    double real;
    const char* text;
    const Value* items;
    Node* node;
    Storage* storage;
    const View* view;
  };

  std::string_view string() const noexcept { return {text, size}; }
  bool is_text() const noexcept { return kind == Kind::text; }
  bool is_dict() const noexcept { return kind == Kind::dict || kind == Kind::ordered_dict; }
  bool is_tensor() const noexcept { return kind == Kind::tensor || kind == Kind::parameter; }
};

/// Lists, dicts, sets and inert objects: what Python passes by reference and may still change.
bool has_node(const Value& value) noexcept;
bool is_hashable(const Value& value) noexcept;
bool holds_storage(const Value& value) noexcept;
/// Containers below and including this one.
std::uint16_t height_of(const Value& value) noexcept;
inline constexpr std::uint16_t kHighest = 1000;

/// Digits with an optional sign; false if it is anything else.
bool parse_decimal(std::string_view text, bool& negative, std::uint64_t& magnitude,
                   bool& too_large) noexcept;

/// What can change after it was made.
struct Node {
  std::string_view type;     // objects: "module.name"
  std::vector<Value> items;  // lists, sets: the elements; dicts, objects: key, value, key, value …
  Value arguments;           // objects: what the class or function was given
  Value state;               // objects and ordered dicts: what BUILD gave them
  std::uint16_t height = 1;
  bool holds_storage = false;
  // For whoever walks the finished value:
  bool visited = false;
  bool holds_tensor = false;
  bool on_path = false;
  std::optional<bool> is_optimizer{};
};

/// Owns all that a pickle describes, without recursion, and counts it.
class Heap {
 public:
  explicit Heap(Budget& budget) : budget_(budget) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  Node* node();
  Storage* storage();
  View* view();
  void push(std::vector<Value>& items, const Value& value);
  const Value* copy(const Value* items, std::size_t count);
  std::int64_t* integers(std::size_t count);
  std::string_view text(std::string_view text);
  Budget& budget() noexcept { return budget_; }

 private:
  void* take(std::size_t size);

  static constexpr std::size_t kBlock = std::size_t{1} << 15;
  Budget& budget_;
  std::deque<Node> nodes_;
  std::vector<std::unique_ptr<unsigned char[]>> blocks_;
  std::size_t used_ = kBlock;  // of the last block
};

/// Gives the bytes of a storage, or throws; null data if they come later.
class StorageSource {
 public:
  virtual ~StorageSource() = default;
  /// tensor: the name of the tensor being read, if it is known; where: for the message.
  virtual void resolve(Storage& storage, std::string_view tensor, const std::string& where) = 0;
};

struct Options {
  std::string file;                   // for messages
  std::string label;                  // before the offset in messages: "data.pkl offset "
  std::uint64_t base = 0;             // added to the offsets in messages
  bool legacy = false;                // persistent ids have six items
  std::uint64_t largest_dense = 0;    // bytes that a view may have when written out
  StorageSource* storages = nullptr;  // null: a persistent id is an error
};

class Unpickler {
 public:
  /// The bytes and the heap must outlive the values.
  Unpickler(Bytes bytes, const Options& options, Heap& heap);

  /// Reads one pickle. Throws FileError.
  Value read();

  /// Behind STOP.
  std::size_t position() const noexcept { return at_; }
  const std::deque<Storage*>& storages() const noexcept { return storages_; }

 private:
  // input
  std::string_view take(std::uint64_t count);
  std::uint64_t number(unsigned width);
  std::uint64_t signed_size();
  std::string_view line();
  std::string_view utf8(std::string_view bytes);
  void read_frame();

  // stack
  void push(const Value& value);
  Value pop();
  const Value& top();
  std::size_t floor() const noexcept { return marks_.empty() ? 0 : marks_.back(); }
  std::size_t pop_mark();
  void put(std::uint64_t index);
  void get(std::uint64_t index);

  // values
  bool step();
  void push_integer(std::int64_t value);
  void push_long(std::string_view bytes);
  void push_text(Kind kind, std::string_view text);
  void push_decimal(std::string_view text, bool is_long);
  void push_real(std::string_view text);
  std::string_view unquoted(std::string_view text);
  std::string_view unescaped(std::string_view text);
  void push_tuple(std::size_t begin);
  void push_node(Kind kind);
  void push_global(std::string_view module, std::string_view name);
  void append(const Value& list, std::size_t begin);
  void set_items(const Value& dict, std::size_t begin);
  void note(Node& parent, const Value& child);
  void gather(Kind kind);
  void check_hashable(std::size_t begin) const;
  void build();

  // calls that are not made
  Value apply(const Value& function, const Value& arguments);
  Value instance(const Value& type, const Value& arguments);
  Value inert(std::string_view type, const Value& arguments);
  Value ordered_dict(const Value& arguments);
  Value tensor(const Value& arguments, std::size_t fewest, std::size_t most, bool has_element);
  Value parameter(const Value& arguments, std::size_t count);
  Storage* persistent(const Value& id);
  void read_view(View& view, const Value* arguments, const std::string& name);

  std::string where(std::size_t offset) const;
  std::string_view nearest_text() const;
  [[noreturn]] void fail(const std::string& what) const;

  Bytes bytes_;
  const Options& options_;
  Heap& heap_;
  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;
  std::size_t frame_end_ = 0;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::vector<Value> memo_;
  std::vector<bool> memo_used_;
  std::unordered_map<std::uint64_t, Value> sparse_memo_;
  std::uint64_t memo_count_ = 0;
  std::deque<Storage*> storages_;
  std::unordered_map<std::string_view, Storage*> storage_of_key_;
};

}  // namespace kinglet::tools::pickle
