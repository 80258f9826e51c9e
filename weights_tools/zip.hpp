#pragma once
// A zip archive over mapped bytes, as PyTorch writes them: every entry stored, none compressed.
// Strict: the central directory and the local headers must tell one and the same story.

#include <cstdint>
#include <initializer_list>
#include <kinglet/core/span.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "budget.hpp"

namespace kinglet::tools {

class ZipArchive {
 public:
  struct Entry {
    std::string_view name;
    std::uint64_t offset = 0;  // of the local header
    std::uint64_t end = 0;     // behind the data and its descriptor
    Bytes data;
  };

  /// Throws FileError(file, …). The bytes must outlive the archive.
  ZipArchive(Bytes bytes, const std::string& file, Budget& budget);

  /// Sorted by name.
  const std::vector<Entry>& entries() const noexcept { return entries_; }
  /// Null if there is no entry of exactly that name.
  const Entry* find(std::string_view name) const noexcept;

 private:
  struct Directory {
    std::uint64_t offset = 0, size = 0, count = 0;
  };
  struct Sizes;
  struct Wide {  // a field that may stand in the zip64 extra field instead
    std::uint64_t* value;
    std::uint64_t limit;  // the value that says so
    unsigned width;
  };

  std::uint64_t find_end_record() const;
  Directory read_end_record(std::uint64_t end) const;
  void read_end_record_64(std::uint64_t locator, Directory& directory) const;
  void read_directory(const Directory& directory, Budget& budget);
  void read_extra_64(std::uint64_t at, std::uint64_t size, const std::string& where,
                     std::initializer_list<Wide> fields) const;
  void read_local(Entry& entry, const Sizes& central, std::uint64_t limit) const;
  std::uint64_t descriptor_length(std::uint64_t at, std::uint64_t size, std::uint64_t limit) const;
  void check_overlaps();

  std::uint64_t number(std::uint64_t at, unsigned width) const noexcept;
  std::string_view text(std::uint64_t at, std::uint64_t size) const noexcept;
  [[noreturn]] void fail(const std::string& where, const std::string& what) const;

  Bytes bytes_;
  const std::string& file_;
  std::vector<Entry> entries_;
};

}  // namespace kinglet::tools
