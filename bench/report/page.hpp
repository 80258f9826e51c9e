#pragma once
// The report as one page that needs nothing beside it.

#include <results/results.hpp>
#include <string>
#include <vector>

namespace kinglet::tools::report {

std::string html_page(const std::vector<Results>& runs);

/// The rules of the page, apart from those of the plots.
extern const char* const kPageStyle;

}  // namespace kinglet::tools::report
