#pragma once
// How the tools say that a file is not what it should be: one line, "<file>: <where>: <what>".

#include <stdexcept>
#include <string>

#include "text.hpp"

namespace kinglet::tools {

class FileError : public std::runtime_error {
 public:
  FileError(const std::string& file, const std::string& where, const std::string& what)
      : std::runtime_error(printable(file, 1000) + ": " +
                           (where.empty() ? what : where + ": " + what)) {}
};

}  // namespace kinglet::tools
