#include "output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "file_error.hpp"
#include "temporary_names.hpp"

namespace kinglet::tools {
namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 18;

/// The same for every way to name a file, which need not be there yet.
std::filesystem::path place_of(const std::string& path) {
  std::error_code unknown;  // then there is nothing to compare
  return std::filesystem::weakly_canonical(std::filesystem::absolute(path, unknown), unknown);
}

/// What a link names, which need not be there yet.
std::string followed(const std::string& path) {
  std::filesystem::path target = path;
  std::error_code no_link;
  for (int links = 0; links < 40; ++links) {
    const std::filesystem::path next = std::filesystem::read_symlink(target, no_link);
    if (no_link) return target.string();
    target = target.parent_path() / next;
  }
  throw FileError(path, "output", "is a link that leads nowhere");
}

/// With the slash; "" where the path names none.
std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

/// After a rename: its name is on the disk too. Not every file system can.
void sync_folder(const std::string& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

void check_output(const std::string& path, const std::vector<std::string>& inputs) {
  struct stat target = {};
  const bool exists = ::stat(path.c_str(), &target) == 0;
  const auto is_same = [&](const std::string& input) {
    struct stat source = {};
    if (!exists) return !input.empty() && place_of(path) == place_of(input);
    return ::stat(input.c_str(), &source) == 0 && source.st_dev == target.st_dev &&
           source.st_ino == target.st_ino;
  };
  if (std::any_of(inputs.begin(), inputs.end(), is_same))
    throw FileError(path, "output", "is another file of this command; choose another name");
  if (exists && !S_ISREG(target.st_mode))
    throw FileError(path, "output", "exists and is not a file");
}

}  // namespace

OutputFile::OutputFile(std::string path, const std::vector<std::string>& inputs)
    : path_(std::move(path)), target_(followed(path_)) {
  check_output(path_, inputs);
  buffer_.reserve(kBufferSize);
  const BlockedSignals blocked;  // until the name is noted
  for (int i = 0; fd_ < 0; ++i) {
    temporary_ = folder_of(target_) + ".kinglet." + std::to_string(::getpid()) + "." +
                 std::to_string(i);  // short, whatever the name of the target
    fd_ = ::open(temporary_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (fd_ < 0 && errno != EEXIST) {
      temporary_.clear();
      fail("create");
    }
  }
  note_temporary(temporary_);
  struct stat old = {};
  if (::stat(target_.c_str(), &old) == 0) ::fchmod(fd_, old.st_mode & 0777);
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
  if (temporary_.empty()) return;
  ::unlink(temporary_.c_str());
  forget_temporary(temporary_);
}

void OutputFile::fail(const char* doing) const {
  throw FileError(path_, doing, std::strerror(errno));
}

void OutputFile::write(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  while (size > 0) {
    const std::size_t room = kBufferSize - buffer_.size();
    const std::size_t part = size < room ? size : room;
    buffer_.insert(buffer_.end(), bytes, bytes + part);
    bytes += part;
    size -= part;
    if (buffer_.size() == kBufferSize) flush();
  }
}

void OutputFile::flush() {
  for (std::size_t done = 0; done < buffer_.size();) {
    const ssize_t n = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write");
    done += static_cast<std::size_t>(n);
  }
  buffer_.clear();
}

void OutputFile::commit() {
  flush();
  // EINVAL: a file system that has nothing to sync.
  if (::fsync(fd_) != 0 && errno != EINVAL) fail("write");
  if (::close(std::exchange(fd_, -1)) != 0) fail("close");
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) fail("rename");
  forget_temporary(temporary_);
  temporary_.clear();
  sync_folder(folder_of(target_));
}

}  // namespace kinglet::tools
