#include "system_files.hpp"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace kinglet::tools {

Told<std::string> read_line(const std::string& path) {
  errno = 0;
  std::ifstream in(path);
  std::string line;
  if (!in || !std::getline(in, line)) {
    return {{}, path + ": " + (errno != 0 ? std::strerror(errno) : "is empty")};
  }
  const char* const kBlanks = " \t\r\0";
  const std::string blanks(kBlanks, 4);  // device trees end their texts by a zero
  line.erase(line.find_last_not_of(blanks) + 1);
  line.erase(0, line.find_first_not_of(blanks));
  return {line, ""};
}

Told<double> read_number(const std::string& path) {
  const Told<std::string> line = read_line(path);
  if (!line.value) return {{}, line.why};
  char* end = nullptr;
  const double number = std::strtod(line.value->c_str(), &end);
  if (line.value->empty() || *end != '\0' || !std::isfinite(number)) {
    return {{}, path + ": is no number"};
  }
  return {number, ""};
}

}  // namespace kinglet::tools
