#include "pabee_session.hpp"

#include <algorithm>

namespace kinglet::tools {
namespace {

std::vector<float> floats(int a, int b, int c = 1) {
  return std::vector<float>(static_cast<std::size_t>(a) * static_cast<std::size_t>(b) *
                            static_cast<std::size_t>(c));
}

/// One output a layer, [batch][width], named out.<name>.<layer>.
void add_layers(std::vector<Values>& out, const std::string& name, int layers, int batch, int width,
                const std::vector<float>& x) {
  const auto each = static_cast<std::ptrdiff_t>(batch) * width;
  for (int l = 0; l < layers; ++l) {
    out.push_back(values_from(name + "." + std::to_string(l), {batch, width},
                              {x.begin() + l * each, x.begin() + (l + 1) * each}));
  }
}

}  // namespace

PabeeSession::PabeeSession(const ModelBytes& source, const std::string& isa, int threads)
    : ModelSession(source, isa, threads), weights_(std::make_unique<pabee::Weights>()) {
  const Result<pabee::Config> config = pabee::read_config(file());
  need(config.status());
  config_ = *config;
  need(pabee::bind(file(), config_, *weights_));
}

std::vector<Values> PabeeSession::run_golden(const Checkpoint& golden) {
  const BertRows rows(Samples(golden, "in"));
  const int batch = rows.count(), layers = config_.encoder.layers, labels = config_.labels;
  const int hidden = config_.encoder.hidden;
  pabee::Input in;
  in.text = rows.slice(0, batch);

  // Everything: no counter gets beyond the number of layers.
  BertRecorder recorder(config_.encoder.heads, false);
  const bert::Trace trace = recorder.trace();
  std::vector<float> logits = floats(batch, labels), layer_logits = floats(layers, batch, labels),
                     pooled = floats(layers, batch, hidden);
  std::vector<std::int32_t> used(static_cast<std::size_t>(batch));
  in.patience = layers + 1;
  forward(in, {logits.data(), used.data(), layer_logits.data(), pooled.data()}, &trace);
  std::vector<Values> out;
  add_layers(out, "layer_logits", layers, batch, labels, layer_logits);
  add_layers(out, "pooled", layers, batch, hidden, pooled);
  for (Values& values : recorder.take()) out.push_back(std::move(values));

  for (in.patience = 0; in.patience <= layers; ++in.patience) {
    const std::string name = "patience" + std::to_string(in.patience);
    const int ran = forward(in, {logits.data(), used.data()});
    out.push_back(values_from(name + ".logits", {batch, labels}, logits));
    out.push_back({"out." + name + ".layers_used", {1}, {static_cast<double>(ran)}, true});
  }
  return out;
}

std::vector<Values> PabeeSession::run_samples(const Checkpoint& samples, int most) {
  const BertRows rows(Samples(samples, "in"));
  const int batch = most > 0 ? std::min(most, rows.count()) : rows.count();
  const int layers = config_.encoder.layers, labels = config_.labels;
  std::vector<float> logits = floats(batch, labels), layer_logits = floats(layers, batch, labels);
  pabee::Input in;
  in.text = rows.slice(0, batch);
  in.patience = layers + 1;
  forward(in, {logits.data(), nullptr, layer_logits.data(), nullptr});
  std::vector<Values> out;
  add_layers(out, "layer_logits", layers, batch, labels, layer_logits);
  return out;
}

std::vector<NamedPlan> PabeeSession::plans(int batch, int live, bool every_row) const {
  const bert::Trace everything{};
  pabee::Input in;
  in.text.batch = batch;
  in.text.seq = live > 0 ? live : positions();
  const Plan last = plan(in, every_row ? &everything : nullptr);
  in.patience = config_.encoder.layers + 1;
  return {{"last layer", last}, {"every exit", plan(in, every_row ? &everything : nullptr)}};
}

Plan PabeeSession::plan(const pabee::Input& in, const bert::Trace* trace) const {
  Count count(threads());
  pabee::Input all;
  all.text.batch = in.text.batch;
  all.text.seq = in.text.seq;
  all.patience = in.patience;
  pabee::forward(count, config_, *weights_, all, {}, trace);
  return plan_of(count);
}

int PabeeSession::forward(const pabee::Input& in, const pabee::Output& out,
                          const bert::Trace* trace) {
  need(pabee::check(config_, in));
  int ran = 0;
  run(plan(in, trace).scratch_bytes,
      [&](auto& backend) { ran = pabee::forward(backend, config_, *weights_, in, out, trace); });
  return ran;
}

}  // namespace kinglet::tools
