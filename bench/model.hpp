#pragma once

#include <string>

#include "measure/measure.hpp"

namespace kinglet::tools {

/// `kinglet-bench model`: what is measured, and where the results go.
struct ModelCommand {
  ModelOptions model;
  std::string html, svg;  ///< "": not wanted
  bool json = false, csv = false;
  double fresh = -1;  ///< seconds, of the fresh process that another one started
};

}  // namespace kinglet::tools
