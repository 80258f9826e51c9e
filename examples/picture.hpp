#pragma once
// A picture from a file, into memory that is there already: binary PPM ("P6"), eight bits a channel.

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <kinglet/models/camera_frame.hpp>

namespace picture {

/// The next number of the header; comments are skipped. −1 where there is none.
inline int header_number(const unsigned char* bytes, std::size_t size, std::size_t& at) {
  while (at < size && (bytes[at] <= ' ' || bytes[at] == '#')) {
    if (bytes[at] == '#')
      while (at < size && bytes[at] != '\n') ++at;
    else
      ++at;
  }
  int number = -1;
  for (; at < size && bytes[at] >= '0' && bytes[at] <= '9' && number < 100000; ++at)
    number = (number < 0 ? 0 : number * 10) + (bytes[at] - '0');
  return number;
}

/// Reads the file into `memory`. A frame without pixels when it is no such picture, or too large.
inline kinglet::CameraFrame read(const char* path, unsigned char* memory, std::size_t room) {
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return {};
  std::size_t size = 0;
  for (ssize_t got = 1; got > 0 && size < room; size += static_cast<std::size_t>(got)) {
    got = ::read(fd, memory + size, room - size);
    if (got < 0) got = 0;
  }
  close(fd);
  if (size < 2 || memory[0] != 'P' || memory[1] != '6') return {};
  std::size_t at = 2;
  const int width = header_number(memory, size, at), height = header_number(memory, size, at);
  const int most = header_number(memory, size, at);
  constexpr int kLargest = 16384;
  if (width < 1 || width > kLargest || height < 1 || height > kLargest || most != 255) return {};
  const std::ptrdiff_t line = 3 * std::ptrdiff_t{width};
  ++at;  // one blank ends the header
  if (at > size || size - at < static_cast<std::size_t>(line * height)) return {};
  return {memory + at, height, width, line};
}

}  // namespace picture
