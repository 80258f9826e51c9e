#pragma once

#include <string>

namespace kinglet::tools {

/// Indented, with a newline at its end. Bytes that are no UTF-8, as a file's name may have, become
/// U+FFFD.
template <class Json>
std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kinglet::tools
