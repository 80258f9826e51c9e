// kinglet-bench report: measurements of one machine or several as a page.

#include "../commands.hpp"
#include "mapped_file.hpp"
#include "report.hpp"

namespace kinglet::tools {
namespace {

Results read_results(const std::string& path) {
  const auto file = MappedFile::open(path);
  const Bytes bytes = file->bytes();
  return from_json(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), path);
}

}  // namespace

void run_report(const ReportOptions& options) {
  ReportFiles files(options.page, options.svg, options.files);
  std::vector<Results> runs;
  for (const std::string& file : options.files) runs.push_back(read_results(file));
  files.write(runs);
}

}  // namespace kinglet::tools
