// kinglet-bench report: measurements of one machine or several as a page.

#include <CLI/CLI.hpp>
#include <memory>

#include "../commands.hpp"
#include "command_line.hpp"
#include "mapped_file.hpp"
#include "report.hpp"

namespace kinglet::tools {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string page, svg;
};

Results read_results(const std::string& path) {
  const auto file = MappedFile::open(path);
  const Bytes bytes = file->bytes();
  return from_json(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), path);
}

void run(const Options& options) {
  std::vector<Results> runs;
  for (const std::string& file : options.files) runs.push_back(read_results(file));
  write_report(runs, options.page, options.svg, options.files);
}

}  // namespace

void add_report(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "report",
      "One page of what 'kinglet-bench model --json' measured, on one machine or several");
  command->add_option("files", options->files, "Results (.json)")->type_name("FILE")->required();
  CLI::Option* page =
      command->add_option("-o,--output", options->page, "The page (.html)")->type_name("FILE");
  CLI::Option* svg =
      command->add_option("--svg", options->svg, "A folder for the plots, each a file")
          ->type_name("DIR");
  add_examples(*command, {"kinglet-bench report nano.json orin.json -o boards.html",
                          "kinglet-bench report nano.json --svg plots"});
  command->callback([options, page, svg] {
    if (page->empty() && svg->empty()) throw CLI::RequiredError("--output or --svg");
    run(*options);
  });
}

}  // namespace kinglet::tools
