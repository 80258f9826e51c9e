#pragma once
// Writes the pickles and archives that the tests of the PyTorch readers need.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kinglet::tests {

inline std::string little_endian(std::uint64_t value, unsigned width) {
  std::string bytes;
  for (unsigned i = 0; i < width; ++i, value >>= 8) bytes += static_cast<char>(value);
  return bytes;
}

/// A string (BINUNICODE).
inline std::string text(const std::string& value) {
  return "X" + little_endian(value.size(), 4) + value;
}

inline std::string integer(std::int32_t value) {
  return "J" + little_endian(static_cast<std::uint32_t>(value), 4);
}

/// Values between a mark and an opcode that takes what is above it.
inline std::string marked(const std::string& values, char opcode) { return "(" + values + opcode; }

inline std::string dict(const std::string& keys_and_values) {
  return "}" + marked(keys_and_values, 'u');
}

inline std::string storage(const std::string& key, int count,
                           const std::string& type = "torch\nFloatStorage", bool legacy = false) {
  return marked(text("storage") + "c" + type + "\n" + text(key) + text("cpu") + integer(count) +
                    (legacy ? "N" : ""),
                't') +
         "Q";
}

/// A vector of `size` floats, the whole of storage `key`.
inline std::string tensor(const std::string& key, int size, bool legacy = false) {
  return "ctorch._utils\n_rebuild_tensor_v2\n" +
         marked(storage(key, size, "torch\nFloatStorage", legacy) + integer(0) + integer(size) +
                    "\x85" + integer(1) + "\x85\x89" + "N",
                't') +
         "R";
}

inline std::string pickle(const std::string& body) { return "\x80\x02" + body + "."; }

using Records = std::vector<std::pair<std::string, std::string>>;

/// A zip archive of stored records.
inline std::string zip(const Records& records) {
  std::string entries, directory;
  for (const auto& [name, bytes] : records) {
    const std::string sizes = little_endian(bytes.size(), 4) + little_endian(bytes.size(), 4) +
                              little_endian(name.size(), 2) + little_endian(0, 2);
    const std::string common = little_endian(20, 2) + little_endian(0, 12) + sizes;
    directory += "PK\1\2" + little_endian(20, 2) + common + little_endian(0, 10) +
                 little_endian(entries.size(), 4) + name;
    entries += "PK\3\4" + common + name + bytes;
  }
  return entries + directory + "PK\5\6" + little_endian(0, 4) + little_endian(records.size(), 2) +
         little_endian(records.size(), 2) + little_endian(directory.size(), 4) +
         little_endian(entries.size(), 4) + little_endian(0, 2);
}

/// A checkpoint of this object and storages of floats 0, 1, 2 … each.
inline std::string torch_zip(const std::string& object, const Records& storages) {
  Records records = {{"archive/data.pkl", pickle(object)}};
  for (const auto& [key, bytes] : storages) records.emplace_back("archive/data/" + key, bytes);
  return zip(records);
}

}  // namespace kinglet::tests
