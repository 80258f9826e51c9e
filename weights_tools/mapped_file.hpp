#pragma once
// A file mapped read-only into memory; the bytes live as long as someone holds the pointer.

#include <kinglet/core/span.hpp>
#include <memory>
#include <string>

namespace kinglet::tools {

class MappedFile {
 public:
  /// Throws FileError when the file cannot be opened or is not a regular file.
  static std::shared_ptr<MappedFile> open(const std::string& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// Asks for huge pages under a part that will be read whole: weights fill the first-level TLB, and
  /// its misses are 3 % of a transformer's time. Linux gives them from 6.16 on, on file systems with
  /// large folios (ext4, xfs), for what is not in the page cache yet; elsewhere nothing happens.
  void prefer_huge_pages(Bytes part) const noexcept;

  Bytes bytes() const noexcept { return bytes_; }
  const std::string& path() const noexcept { return path_; }

 private:
  MappedFile(std::string path, Bytes bytes) : path_(std::move(path)), bytes_(bytes) {}

  std::string path_;
  Bytes bytes_;
};

}  // namespace kinglet::tools
