#include "quantize.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <numeric>

#include "checkpoint.hpp"
#include "file_error.hpp"
#include "model_session.hpp"
#include "output_file.hpp"
#include "precision_choice.hpp"
#include "progress.hpp"
#include "smooth.hpp"

namespace kinglet::tools {
namespace {

/// Attention in int8 saves no bytes, only time: it may add this share to the squared error, about 5 %
/// to the error.
constexpr double kHarmless = 0.1;

/// The outputs of variants over the samples, beside those of the model as it came.
class Measure {
 public:
  Measure(const QuantizeRequest& request, const ModelEdit& source)
      : request_(request), samples_(read_checkpoint(request.samples)) {
    reference_ = outputs_of(source);
    if (reference_.empty()) throw FileError(request.samples, "samples", "the model has no outputs");
  }

  const Checkpoint& samples() const { return samples_; }

  OutputError operator()(const ModelEdit& model) const {
    return relative_error(reference_, outputs_of(model));
  }

 private:
  std::vector<Values> outputs_of(const ModelEdit& model) const {
    MemorySink bytes(model.path());
    bytes.reserve(model.file_bytes());
    model.write(bytes);
    const auto session = open_model(bytes.bytes(), model.path(), request_.isa, request_.threads);
    return session->run_samples(samples_, request_.rows);
  }

  const QuantizeRequest& request_;
  Checkpoint samples_;
  std::vector<Values> reference_;
};

class Quantizer {
 public:
  explicit Quantizer(const QuantizeRequest& request)
      : request_(request),
        source_(edit_model(request.input)),
        out_(request.output, {request.input, request.samples}),
        progress_(terminal_progress("quantize")) {}

  QuantizeResult run() {
    result_.bytes_before = source_.file_bytes();
    if (!request_.samples.empty()) measure_ = std::make_unique<Measure>(request_, source_);
    const Int8Variants variants = prepared();
    result_.weights = variants.weights();
    decide_asked();
    if (measure_) measure_alone(variants);
    const ModelEdit model = finished(variants, choose(variants));
    result_.bytes = model.file_bytes();
    if (result_.refused.empty()) {
      model.write(out_);
      out_.commit();
    }
    return std::move(result_);
  }

 private:
  /// As is best for the model with everything in int8.
  Int8Variants prepared() {
    if (!measure_) {
      ModelEdit model = source_;
      if (request_.recentre) result_.recentred = recentre(model, Centre::bias, nullptr);
      return Int8Variants(model);
    }
    std::unique_ptr<Int8Variants> best;
    watched(source_, [&](const ChannelWatch& watch) {
      for (const Centre centre : {Centre::none, Centre::mean, Centre::middle}) {
        if (centre != Centre::none && !request_.recentre) break;
        ModelEdit model = source_;
        const Recentred done = recentre(model, centre, &watch);
        if (improves(std::make_unique<Int8Variants>(model), best)) result_.recentred = done;
      }
    });
    refine(best);
    return std::move(*best);
  }

  /// f(watch) after a run of the samples through a model in fp32.
  template <class F>
  void watched(const ModelEdit& model, F f) const {
    MemorySink bytes(model.path());
    model.write(bytes);
    const auto session = open_model(bytes.bytes(), model.path(), request_.isa);
    const ChannelWatch watch(*session);
    session->run_samples(measure_->samples(), request_.rows);
    f(watch);
  }

  /// Takes variants if they are better than `best` with everything in int8.
  bool improves(std::unique_ptr<Int8Variants> variants, std::unique_ptr<Int8Variants>& best) {
    const OutputError error = (*measure_)(variants->model(variants->all_int8()));
    if (best && !(error.worst < result_.all_int8->worst)) return false;
    best = std::move(variants);
    result_.all_int8 = error;
    return true;
  }

  /// Rounded for the rows that matrices read, and with factors for their columns.
  void refine(std::unique_ptr<Int8Variants>& best) {
    ModelEdit model = best->f32();
    ColumnFactors factors;
    std::vector<std::string> names;
    watched(best->f32(), [&](const ChannelWatch& watch) {
      if (request_.smooth) {
        for (const QuantizableWeight& weight : best->weights())
          smooth(weight, watch, model, factors, names);
      }
      result_.rounded =
          improves(std::make_unique<Int8Variants>(best->f32(), ColumnFactors{}, &watch), best);
    });
    if (names.empty()) return;
    watched(model, [&](const ChannelWatch& watch) {
      if (improves(
              std::make_unique<Int8Variants>(model, factors, result_.rounded ? &watch : nullptr),
              best))
        result_.smoothed = names;
    });
  }

  static void smooth(const QuantizableWeight& weight, const ChannelWatch& watch, ModelEdit& model,
                     ColumnFactors& factors, std::vector<std::string>& names) {
    const std::string product = weight.name.substr(0, weight.name.rfind('.'));
    const KeptRows* rows = watch.inputs_of(weight.name);
    if (rows == nullptr || weight.is_table || is_gathered(weight.name)) return;
    const std::vector<float> f = best_factors(model.matrix(weight.name), *rows);
    if (f.empty()) return;
    names.push_back(weight.name);
    constexpr std::string_view kOutput = ".attn_output";
    const std::size_t layer = product.size() - std::min(product.size(), kOutput.size());
    if (product.substr(layer) == kOutput) {
      fold_into_values(model, product.substr(0, layer), f);
    } else {
      factors[weight.name] = f;
    }
  }

  void decide_asked() {
    result_.decisions.assign(result_.weights.size(), Decision::int8);
    for (const std::string& pattern : request_.keep) {
      bool used = false;
      for (std::size_t i = 0; i < result_.weights.size(); ++i) {
        const std::string& name = result_.weights[i].name;
        if (!matches_wildcard(pattern, name) && !matches_wildcard(pattern + ".weight", name))
          continue;
        result_.decisions[i] = Decision::kept_as_asked;
        used = true;
      }
      if (!used)
        throw FileError(request_.input, in_quotes(pattern), "no matrix or table has this name");
    }
  }

  void measure_alone(const Int8Variants& variants) {
    const bool attention = request_.attention != QuantizeRequest::Attention::f32;
    const std::size_t weights = variants.weights().size(),
                      layers = attention ? variants.attention_layers().size() : 0;
    const auto step = [&](std::size_t done) { progress_(done, weights + layers); };
    for (std::size_t i = 0; i < weights; ++i) {
      Precisions alone = variants.all_f32();
      alone.f32[i] = false;
      result_.errors.push_back((*measure_)(variants.model(alone)).worst);
      step(i + 1);
    }
    for (std::size_t i = 0; i < layers; ++i) {
      Precisions alone = variants.all_f32();
      alone.s8_attention = {variants.attention_layers()[i]};
      result_.attention_errors.push_back((*measure_)(variants.model(alone)).worst);
      step(weights + i + 1);
    }
  }

  /// Layers whose attention can be int8 without much harm to a model with this error, those with the least
  /// of their own first.
  std::vector<std::uint32_t> harmless_layers(const std::vector<std::uint32_t>& layers,
                                             double error) const {
    std::vector<std::size_t> order(layers.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const std::vector<double>& errors = result_.attention_errors;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return errors[a] < errors[b]; });
    double room = kHarmless * error * error;
    std::vector<std::uint32_t> chosen;
    for (const std::size_t i : order) {
      room -= errors[i] * errors[i];
      if (!(room >= 0)) break;
      chosen.push_back(layers[i]);
    }
    std::sort(chosen.begin(), chosen.end());
    return chosen;
  }

  std::vector<Int8Cost> costs() const {
    std::vector<Int8Cost> costs(result_.weights.size());
    for (std::size_t i = 0; i < costs.size(); ++i) {
      const QuantizableWeight& w = result_.weights[i];
      costs[i].saved_bytes = w.f32_bytes > w.s8_bytes ? w.f32_bytes - w.s8_bytes : 0;
      if (!result_.errors.empty()) costs[i].error = result_.errors[i];
    }
    return costs;
  }

  Precisions with_kept(const Int8Variants& variants, const std::vector<std::size_t>& order,
                       std::size_t count) const {
    Precisions p = variants.all_int8();
    p.s8_attention = result_.s8_attention;
    for (std::size_t i = 0; i < p.f32.size(); ++i)
      p.f32[i] = result_.decisions[i] == Decision::kept_as_asked;
    for (std::size_t i = 0; i < count; ++i) p.f32[order[i]] = true;
    return p;
  }

  Precisions choose(const Int8Variants& variants) {
    const auto& layers = variants.attention_layers();
    if (request_.attention == QuantizeRequest::Attention::s8) result_.s8_attention = layers;
    if (request_.attention != QuantizeRequest::Attention::f32) result_.attention_layers = layers;

    const std::vector<Int8Cost> cost = costs();
    std::vector<std::size_t> order = by_error_per_byte(cost);
    order.erase(std::remove_if(order.begin(), order.end(),
                               [&](std::size_t i) {
                                 return !request_.choose || !measure_ ||
                                        result_.decisions[i] == Decision::kept_as_asked;
                               }),
                order.end());
    if (request_.budget_bytes) {
      order = within_budget(variants, order, cost);
    } else if (!request_.max_error) {
      order = costly(order, cost, result_.bytes_before);
    }

    const auto error_of = [&](std::size_t kept) {
      result_.reached = (*measure_)(variants.model(with_kept(variants, order, kept)));
      return result_.reached->worst;
    };
    std::size_t count = order.size();
    if (request_.max_error && result_.refused.empty()) {
      count = smallest_within(order.size(), *request_.max_error, error_of);
      if (count > order.size()) {
        count = order.size();
        refuse("an error of at most %.3g was asked for, %.3g was reached", *request_.max_error,
               error_of(count));
      }
    }
    if (measure_) {
      const double error = error_of(count);
      if (request_.attention == QuantizeRequest::Attention::automatic) {
        result_.s8_attention = harmless_layers(layers, error);
        if (error_of(count) > request_.max_error.value_or(1e300)) {
          result_.s8_attention.clear();
          error_of(count);
        }
      }
    }
    for (std::size_t i = 0; i < count; ++i)
      result_.decisions[order[i]] = Decision::kept_for_accuracy;
    return with_kept(variants, order, count);
  }

  std::vector<std::size_t> within_budget(const Int8Variants& variants,
                                         const std::vector<std::size_t>& order,
                                         const std::vector<Int8Cost>& cost) {
    const std::uint64_t budget = *request_.budget_bytes;
    const auto bytes = [&](const std::vector<std::size_t>& kept) {
      return finished(variants, with_kept(variants, kept, kept.size())).file_bytes();
    };
    const std::uint64_t least = bytes({});
    if (least > budget) {
      constexpr double kMiB = 1048576;
      refuse("a file of at most %.3f MiB was asked for, %.3f MiB was reached",
             static_cast<double>(budget) / kMiB, static_cast<double>(least) / kMiB);
      return {};
    }
    std::vector<std::size_t> kept = that_fit(order, cost, budget - least);
    while (!kept.empty() && bytes(kept) > budget) kept.pop_back();  // padding between tensors
    return kept;
  }

  void refuse(const char* format, double asked, double reached) {
    char text[160];
    std::snprintf(text, sizeof text, format, asked, reached);
    result_.refused = text;
  }

  /// What will be written.
  ModelEdit finished(const Int8Variants& variants, const Precisions& chosen) const {
    std::string step = "quantize", kept;
    for (std::size_t i = 0; i < chosen.f32.size(); ++i) {
      if (chosen.f32[i]) kept += (kept.empty() ? "" : " ") + result_.weights[i].name;
    }
    if (!kept.empty()) step += ", in fp32 " + kept;
    if (result_.recentred.norms + result_.recentred.layers > 0)
      step += std::string(", recentred by ") + name_of(result_.recentred.centre);
    if (result_.rounded) step += ", rounded for samples";
    if (!result_.smoothed.empty()) step += ", smoothed";
    ModelEdit model = variants.model(chosen);
    if (result_.recentred.between_layers) model.set_bool(kFittedLayers, true);
    model.add_step(step);
    return model;
  }

  const QuantizeRequest& request_;
  ModelEdit source_;
  OutputFile out_;
  std::function<void(std::size_t, std::size_t)> progress_;
  std::unique_ptr<Measure> measure_;
  QuantizeResult result_;
};

}  // namespace

QuantizeResult quantize(const QuantizeRequest& request) { return Quantizer(request).run(); }

}  // namespace kinglet::tools
