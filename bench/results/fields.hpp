#pragma once
// The keys of results: one list that JSON is written and read by, and that CSV takes its columns from.

#include <type_traits>

#include "results.hpp"

namespace kinglet::tools {

// fields(T*, f): f(key, pointer to member) for each member of T.

template <class F>
void fields(const Machine*, F f) {
  f("label", &Machine::label);
  f("cpu", &Machine::cpu);
  f("architecture", &Machine::architecture);
  f("system", &Machine::system);
  f("cores", &Machine::cores);
  f("memory", &Machine::memory);
  f("version", &Machine::version);
  f("compiler", &Machine::compiler);
  f("date", &Machine::date);
}

template <class F>
void fields(const Limits*, F f) {
  f("isa", &Limits::isa);
  f("threads", &Limits::threads);
  f("f32_flops", &Limits::f32_flops);
  f("s8_ops", &Limits::s8_ops);
  f("bandwidth", &Limits::bandwidth);
}

template <class F>
void fields(const Accuracy*, F f) {
  f("group", &Accuracy::group);
  f("name", &Accuracy::name);
  f("value", &Accuracy::value);
  f("right", &Accuracy::right);
  f("asked", &Accuracy::asked);
}

template <class F>
void fields(const Model*, F f) {
  f("file", &Model::file);
  f("name", &Model::name);
  f("architecture", &Model::architecture);
  f("precision", &Model::precision);
  f("file_bytes", &Model::file_bytes);
  f("weight_bytes", &Model::weight_bytes);
  f("parameters", &Model::parameters);
  f("source_parameters", &Model::source_parameters);
  f("accuracy", &Model::accuracy);
}

template <class F>
void fields(const Latency*, F f) {
  f("runs", &Latency::runs);
  f("mean", &Latency::mean);
  f("deviation", &Latency::deviation);
  f("min", &Latency::min);
  f("p50", &Latency::p50);
  f("p90", &Latency::p90);
  f("p99", &Latency::p99);
  f("max", &Latency::max);
  f("outliers", &Latency::outliers);
}

template <class F>
void fields(const OpTime*, F f) {
  f("op", &OpTime::op);
  f("tensor", &OpTime::tensor);
  f("calls", &OpTime::calls);
  f("seconds", &OpTime::seconds);
  f("flops", &OpTime::flops);
  f("bytes", &OpTime::bytes);
  f("int8", &OpTime::int8);
  f("s8_flops", &OpTime::s8_flops);
}

template <class F>
void fields(const WeightReads*, F f) {
  f("bytes", &WeightReads::bytes);
  f("seconds", &WeightReads::seconds);
}

template <class F>
void fields(const Energy*, F f) {
  f("source", &Energy::source);
  f("rail", &Energy::rail);
  f("watts", &Energy::watts);
  f("idle_watts", &Energy::idle_watts);
  f("joules_per_run", &Energy::joules_per_run);
  f("other_rails", &Energy::other_rails);
}

template <class F>
void fields(const Frequency*, F f) {
  f("begin", &Frequency::begin);
  f("end", &Frequency::end);
  f("lowest", &Frequency::lowest);
  f("throttled", &Frequency::throttled);
}

template <class F>
void fields(const Point*, F f) {
  f("model", &Point::model);
  f("task", &Point::task);
  f("isa", &Point::isa);
  f("threads", &Point::threads);
  f("batch", &Point::batch);
  f("length", &Point::length);
  f("image", &Point::image);
  f("steps", &Point::steps);
  f("every_row", &Point::every_row);
  f("latency", &Point::latency);
  f("ready", &Point::ready);
  f("first_output", &Point::first_output);
  f("cold", &Point::cold);
  f("flops", &Point::flops);
  f("s8_flops", &Point::s8_flops);
  f("bytes_moved", &Point::bytes_moved);
  f("weight_reads", &Point::weight_reads);
  f("scratch_planned", &Point::scratch_planned);
  f("scratch_used", &Point::scratch_used);
  f("state_bytes", &Point::state_bytes);
  f("io_bytes", &Point::io_bytes);
  f("peak_planned", &Point::peak_planned);
  f("program_resident", &Point::program_resident);
  f("peak_resident", &Point::peak_resident);
  f("resident_growth", &Point::resident_growth);
  f("frequency", &Point::frequency);
  f("energy", &Point::energy);
  f("ops", &Point::ops);
  f("output_hash", &Point::output_hash);
}

template <class F>
void fields(const Results*, F f) {
  f("machine", &Results::machine);
  f("limits", &Results::limits);
  f("models", &Results::models);
  f("points", &Results::points);
  f("interrupted", &Results::interrupted);
}

/// Numbers, flags and texts; all else has fields or items.
template <class T>
inline constexpr bool is_plain = std::is_arithmetic_v<T> || std::is_same_v<T, std::string>;

}  // namespace kinglet::tools
