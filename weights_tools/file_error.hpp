#pragma once
// How the tools say that a file is not what it should be: one line, "<file>: <where>: <what>".

#include <kinglet/core/status.hpp>
#include <stdexcept>
#include <string>

#include "text.hpp"

namespace kinglet::tools {

class FileError : public std::runtime_error {
 public:
  FileError(const std::string& file, const std::string& where, const std::string& what)
      : std::runtime_error(printable(file, 1000) + ": " +
                           (where.empty() ? what : where + ": " + what)) {}

  /// What the library's status says: its subject and offset are the place.
  FileError(const std::string& file, const Status& status)
      : FileError(file, place_of(status), status.what()) {}

 private:
  static std::string place_of(const Status& status) {
    std::string place;
    if (!status.subject().empty()) place = in_quotes(status.subject());
    if (status.offset() != Status::kNowhere) {
      place += (place.empty() ? "offset " : " at offset ") + std::to_string(status.offset());
    }
    return place;
  }
};

}  // namespace kinglet::tools
