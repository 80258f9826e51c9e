#include "mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "file_error.hpp"

namespace kinglet::tools {
namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

[[noreturn]] void fail(const std::string& path, const char* doing) {
  throw FileError(path, doing, std::strerror(errno));
}

}  // namespace

std::shared_ptr<MappedFile> MappedFile::open(const std::string& path) {
  // Non-blocking, so that a named pipe is refused below instead of waited for.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) fail(path, "open");
  struct stat info = {};
  if (::fstat(file.fd, &info) != 0) fail(path, "stat");
  if (!S_ISREG(info.st_mode)) throw FileError(path, "open", "not a regular file");

  const auto size = static_cast<std::size_t>(info.st_size);
  Bytes bytes;
  if (size > 0) {  // an empty mapping is an error to mmap
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (memory == MAP_FAILED) fail(path, "map");
    bytes = Bytes(static_cast<const unsigned char*>(memory), size);
  }
  return std::shared_ptr<MappedFile>(new MappedFile(path, bytes));
}

void MappedFile::prefer_huge_pages(Bytes part) const noexcept {
#ifdef MADV_HUGEPAGE
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(part.data()) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(part.data()) + part.size();
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // advice only
#else
  static_cast<void>(part);
#endif
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<unsigned char*>(bytes_.data()), bytes_.size());
}

}  // namespace kinglet::tools
