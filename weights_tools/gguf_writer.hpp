#pragma once
// GgufWriter: writes a GGUF v3 file in one pass. First the values and the names and shapes of all
// tensors, then begin_data(), then the tensors' bytes in the same order, in pieces of any size.
// The same calls give the same bytes.

#include <cstdint>
#include <kinglet/io/model_file.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "output_file.hpp"

namespace kinglet::tools {

inline constexpr std::uint32_t kGgufF32 = 0;
inline constexpr std::uint32_t kGgufS8 = 24;
inline constexpr std::uint32_t kGgufS32 = 26;
inline constexpr std::uint32_t kGgufAlignment = 64;

class GgufWriter {
 public:
  /// Starts with general.architecture and general.alignment.
  GgufWriter(Sink& out, std::string_view architecture);

  void add_u32(std::string_view key, std::uint32_t value);
  void add_u64(std::string_view key, std::uint64_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_u32s(std::string_view key, const std::vector<std::uint32_t>& values);
  void add_strings(std::string_view key, const std::vector<std::string>& values);
  /// As it stands in another file.
  void add_value(const GgufValue& value);

  /// type: a GGUF tensor type; shape: slowest first, 1 to 4 dimensions. Names are unique, 1 to 64 bytes of UTF-8.
  void add_tensor(std::string_view name, std::uint32_t type,
                  const std::vector<std::uint64_t>& shape);

  /// The head of the file is written; no values or tensors may be added after it.
  void begin_data();
  /// The next bytes of the tensors; padding between them is written by itself.
  void write(const void* data, std::size_t size);
  /// To be called when every tensor is complete; the file is then ready to be committed.
  void finish();

 private:
  void add_key(std::string_view key, GgufType type);
  void pad();

  Sink& out_;
  std::string values_;
  std::string tensors_;
  std::vector<std::string> keys_;
  std::vector<std::string> names_;
  std::vector<std::uint64_t> sizes_;
  std::uint64_t offset_ = 0;  // of the next tensor, while they are declared
  std::size_t current_ = 0;   // tensor being written …
  std::uint64_t done_ = 0;    // … and how much of it is
};

}  // namespace kinglet::tools
