#include "system_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "text.hpp"

namespace kinglet::tools {

Told<std::string> read_line(const std::string& path) {
  errno = 0;
  std::ifstream in(path);
  std::string line;
  if (!in || !std::getline(in, line)) {
    return {{}, path + ": " + (errno != 0 ? std::strerror(errno) : "is empty")};
  }
  const std::string blanks(" \t\r\0", 4);  // device trees end their texts by a zero
  line.erase(line.find_last_not_of(blanks) + 1);
  line.erase(0, line.find_first_not_of(blanks));
  if (line.empty()) return {{}, path + ": is empty"};
  return {line, ""};
}

Told<double> read_number(const std::string& path) {
  const Told<std::string> line = read_line(path);
  if (!line.value) return {{}, line.why};
  char* end = nullptr;
  const double number = std::strtod(line.value->c_str(), &end);
  if (*end != '\0' || !std::isfinite(number)) {
    return {{}, path + ": is no number: " + in_quotes(*line.value, 40)};
  }
  return {number, ""};
}

Told<double> read_amount(const std::string& path) {
  const Told<double> number = read_number(path);
  if (number.value && *number.value < 0) return {{}, path + ": is negative"};
  return number;
}

bool is_there(const std::string& path) noexcept {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

std::vector<std::string> entries(const std::string& folder, const std::string& begin) {
  std::vector<std::string> found;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().filename().string().compare(0, begin.size(), begin) == 0)
      found.push_back(at->path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace kinglet::tools
