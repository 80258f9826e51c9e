#include "report.hpp"

#include <filesystem>
#include <system_error>

#include "file_error.hpp"
#include "output_file.hpp"
#include "page.hpp"
#include "plots.hpp"

namespace kinglet::tools {
namespace {

void write_file(const std::string& path, const std::string& text,
                const std::vector<std::string>& inputs) {
  OutputFile file(path, inputs);
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace

void write_report(const std::vector<Results>& runs, const std::string& html_path,
                  const std::string& svg_folder, const std::vector<std::string>& inputs) {
  if (!html_path.empty()) write_file(html_path, report::html_page(runs), inputs);
  if (svg_folder.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(svg_folder, error);
  if (error) throw FileError(svg_folder, "create", error.message());
  const report::Collection collection(runs);
  for (const report::NamedPlot& plot : report::all_plots(collection)) {
    write_file(svg_folder + "/" + plot.file + ".svg", plot.svg.standalone(plot.title), inputs);
  }
}

}  // namespace kinglet::tools
