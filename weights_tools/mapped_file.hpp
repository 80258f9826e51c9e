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

  Bytes bytes() const noexcept { return bytes_; }
  const std::string& path() const noexcept { return path_; }

 private:
  MappedFile(std::string path, Bytes bytes) : path_(std::move(path)), bytes_(bytes) {}

  std::string path_;
  Bytes bytes_;
};

}  // namespace kinglet::tools
