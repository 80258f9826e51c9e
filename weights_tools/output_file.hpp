#pragma once
// A file that appears complete or not at all: written under a temporary name beside its target,
// renamed by commit(), removed when the object dies without it or a signal ends the program. A link
// stays and what it names is written; a file that is replaced leaves its permissions.

#include <cstddef>
#include <string>
#include <vector>

#include "sink.hpp"

namespace kinglet::tools {

class OutputFile : public Sink {
 public:
  /// Throws FileError when the target is one of the `inputs` (by file, not by spelling; those need
  /// not be there yet) or the temporary file cannot be made.
  explicit OutputFile(std::string path, const std::vector<std::string>& inputs = {});
  ~OutputFile() override;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* data, std::size_t size) override;

  /// Everything to disk, then the rename. Throws FileError; the target is then as it was.
  void commit();

  const std::string& path() const noexcept override { return path_; }

 private:
  void flush();
  [[noreturn]] void fail(const char* doing) const;

  std::string path_;
  std::string target_;  // path_, links followed
  std::string temporary_;
  std::vector<unsigned char> buffer_;
  int fd_ = -1;
};

}  // namespace kinglet::tools
