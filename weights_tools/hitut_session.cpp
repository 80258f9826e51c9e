#include "hitut_session.hpp"

#include "file_error.hpp"
#include "hitut_golden.hpp"
#include "hitut_samples.hpp"

namespace kinglet::tools {

HitutSession::HitutSession(const ModelBytes& source, const std::string& isa, int threads)
    : ModelSession(source, isa, threads), weights_(std::make_unique<hitut::Weights>()) {
  const Result<hitut::Config> config = hitut::read_config(file());
  need(config.status());
  config_ = *config;
  need(hitut::bind(file(), config_, *weights_));
}

std::vector<Values> HitutSession::run_golden(const Checkpoint& golden) {
  return run_hitut_golden(*this, golden);
}

std::vector<Values> HitutSession::run_samples(const Checkpoint& samples, int rows) {
  return run_hitut_samples(*this, samples, rows);
}

std::vector<NamedPlan> HitutSession::plans(int batch, int live, bool every_row) const {
  std::vector<NamedPlan> all;
  for (const auto& [task, name] : kHitutTasks) {
    all.push_back({name, plan(task, batch, live, every_row)});
  }
  return all;
}

Plan HitutSession::plan(hitut::Task task, int batch, int live, bool every_row) const {
  Count count(threads());
  hitut::Input in;
  in.task = task;
  in.batch = batch;
  in.live = live;
  const hitut::Trace everything{};
  hitut::forward(count, config_, *weights_, in, {}, every_row ? &everything : nullptr);
  return plan_of(count);
}

void HitutSession::forward(const hitut::Input& in, const hitut::Output& out,
                           const hitut::Trace* trace) {
  need(hitut::check(config_, in));
  run(plan(in.task, in.batch, 0, trace != nullptr).scratch_bytes,
      [&](auto& backend) { hitut::forward(backend, config_, *weights_, in, out, trace); });
}

}  // namespace kinglet::tools
