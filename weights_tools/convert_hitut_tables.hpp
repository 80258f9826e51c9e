#pragma once
// The id tables of a HiTUT model: in a file of their own, or in its config.

#include <optional>
#include <string>

#include "convert_config.hpp"
#include "convert_hitut.hpp"

namespace kinglet::tools {

/// Positions of the parts of a sequence, and who says so.
struct HitutParts {
  std::string where;
  int vision, language, history;
};

/// Fills in the ids of actions, their words, and objects. Gives the parts of the sequence where a table of modalities
/// tells them. Throws FileError.
std::optional<HitutParts> read_hitut_tables(const ConvertRequest& request, const ConfigFile& config,
                                            HitutModel& model);

}  // namespace kinglet::tools
