#pragma once
// One reader a container. Each fills in everything but path, container and file; `path` is for
// messages.

#include <string>

#include "checkpoint.hpp"

namespace kinglet::tools {

Checkpoint read_torch_zip(Bytes bytes, const std::string& path);
Checkpoint read_torch_legacy(Bytes bytes, const std::string& path);
Checkpoint read_safetensors(Bytes bytes, const std::string& path);
Checkpoint read_gguf(Bytes bytes, const std::string& path);

}  // namespace kinglet::tools
