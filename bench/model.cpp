// kinglet-bench model: how long models take on this machine, what they need, and how near that is to
// what the machine can do; over a grid, several models side by side.

#include "model.hpp"

#include <cstdio>
#include <exception>

#include "commands.hpp"
#include "measure/fresh.hpp"
#include "measure/interrupt.hpp"
#include "report/report.hpp"
#include "results/results.hpp"

namespace kinglet::tools {
namespace {

/// There every list has one item, as measure() gave it.
void run_as_fresh_process(const ModelCommand& o) {
  const GridOptions& grid = o.model.grid;
  WorkloadOptions work = o.model.work;
  work.batch = grid.batches[0];
  for (const auto* sizes : {&grid.lengths, &grid.images}) {
    if (!sizes->empty()) work.size = (*sizes)[0];
  }
  report_fresh_run(o.model.files[0], grid.isas[0], grid.threads[0], work, o.fresh);
}

}  // namespace

bool run_model(const ModelCommand& o) {
  if (o.fresh >= 0) {
    run_as_fresh_process(o);
    return true;
  }
  catch_interrupts();
  std::vector<std::string> inputs = o.model.files;
  if (!o.model.accuracy_set.empty()) inputs.push_back(o.model.accuracy_set);
  ReportFiles files(o.html, o.svg, inputs);
  Results results;
  std::exception_ptr failure;
  try {
    measure(o.model, results);
  } catch (...) {
    failure = std::current_exception();
    if (results.points.empty()) throw;
  }
  const auto form = o.json ? to_json : o.csv ? to_csv : to_table;
  std::printf("%s", form(results).c_str());
  std::fflush(stdout);  // before anything that may fail
  files.write({results});
  if (failure) std::rethrow_exception(failure);
  return !results.interrupted;
}

}  // namespace kinglet::tools
