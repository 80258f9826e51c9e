#include "report.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "file_error.hpp"
#include "page.hpp"
#include "plots.hpp"

namespace kinglet::tools {
namespace {

void finish(OutputFile& file, const std::string& text) {
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace

ReportFiles::ReportFiles(const std::string& html_path, std::string svg_folder,
                         std::vector<std::string> inputs)
    : svg_folder_(std::move(svg_folder)), inputs_(std::move(inputs)) {
  if (!html_path.empty()) page_.emplace(html_path, inputs_);
  if (svg_folder_.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(svg_folder_, error);
  if (error) throw FileError(svg_folder_, "create", error.message());
  if (::access(svg_folder_.c_str(), W_OK | X_OK) != 0)
    throw FileError(svg_folder_, "write", std::strerror(errno));
}

void ReportFiles::write(const std::vector<Results>& runs) {
  if (page_) finish(*page_, report::html_page(runs));
  if (svg_folder_.empty()) return;
  const report::Collection collection(runs);
  for (const report::NamedPlot& plot : report::all_plots(collection)) {
    OutputFile file(svg_folder_ + "/" + plot.file + ".svg", inputs_);
    finish(file, plot.svg.standalone(plot.title));
  }
}

}  // namespace kinglet::tools
