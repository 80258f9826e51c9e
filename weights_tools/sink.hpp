#pragma once
// Where the bytes of a model file go: to a file (output_file.hpp), to memory, or only to be counted.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <kinglet/core/arena.hpp>
#include <kinglet/core/span.hpp>
#include <string>
#include <utility>
#include <vector>

namespace kinglet::tools {

class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;

  virtual void write(const void* data, std::size_t size) = 0;
  /// For messages.
  virtual const std::string& path() const noexcept = 0;
};

/// Memory that begins where a model file may begin.
class MemorySink : public Sink {
 public:
  explicit MemorySink(std::string name) : name_(std::move(name)) {}

  void reserve(std::uint64_t size) { lines_.reserve(lines_for(static_cast<std::size_t>(size))); }

  void write(const void* data, std::size_t size) override {
    if (size == 0) return;
    lines_.resize(lines_for(size_ + size));
    std::memcpy(reinterpret_cast<unsigned char*>(lines_.data()) + size_, data, size);
    size_ += size;
  }
  const std::string& path() const noexcept override { return name_; }

  /// Until the next write.
  Bytes bytes() const noexcept {
    return {reinterpret_cast<const unsigned char*>(lines_.data()), size_};
  }

 private:
  struct alignas(Arena::kAlignment) Line {
    unsigned char bytes[Arena::kAlignment];
  };
  static std::size_t lines_for(std::size_t size) {
    return (size + sizeof(Line) - 1) / sizeof(Line);
  }

  std::string name_;
  std::vector<Line> lines_;
  std::size_t size_ = 0;
};

class CountingSink : public Sink {
 public:
  explicit CountingSink(std::string name) : name_(std::move(name)) {}

  void write(const void*, std::size_t size) override { size_ += size; }
  const std::string& path() const noexcept override { return name_; }
  std::uint64_t size() const noexcept { return size_; }

 private:
  std::string name_;
  std::uint64_t size_ = 0;
};

}  // namespace kinglet::tools
