#include "energy.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "text.hpp"

namespace kinglet::tools {
namespace {

/// More is a sensor gone mad.
constexpr double kMostWatts = 100e3;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class... Numbers>
std::string text(const char* format, Numbers... numbers) {
  char line[160];
  std::snprintf(line, sizeof line, format, numbers...);
  return line;
}

}  // namespace

void EnergySum::restart() {
  begun_ = false;
  joules_ = 0;
  why_.clear();
}

void EnergySum::sample(double seconds) {
  const Told<double> reading = sensor_.read();
  if (!reading.value) {
    if (why_.empty()) why_ = reading.why;
    return;
  }
  if (begun_) {
    joules_ += sensor_.counts ? *reading.value - last_value_
                              : (*reading.value + last_value_) / 2 * (seconds - last_seconds_);
  } else {
    first_seconds_ = seconds;
  }
  begun_ = true;
  last_seconds_ = seconds;
  last_value_ = *reading.value;
}

Told<EnergyTaken> EnergySum::taken() const {
  const double seconds = begun_ ? last_seconds_ - first_seconds_ : 0;
  if (!why_.empty()) return {std::nullopt, why_};
  if (!(seconds >= sensor_.shortest)) {
    return {std::nullopt, text("too short: %.3g s, where %s needs %.3g s", seconds,
                               sensor_.source.c_str(), sensor_.shortest)};
  }
  if (!(joules_ > 0)) return {std::nullopt, sensor_.source + " reads 0 W"};
  if (!(joules_ <= kMostWatts * seconds))
    return {std::nullopt, text("%s reads %.3g W", sensor_.source.c_str(), joules_ / seconds)};
  return {EnergyTaken{joules_, seconds}, {}};
}

Told<Energy> energy_per_run(const EnergySensor& sensor, const Told<EnergyTaken>& idle,
                            const Told<EnergyTaken>& taken, int runs) {
  if (!idle.value) return {std::nullopt, idle.why};
  if (!taken.value) return {std::nullopt, taken.why};
  Energy energy;
  energy.source = sensor.source;
  energy.rail = sensor.rail;
  energy.other_rails = sensor.other_rails;
  energy.watts = taken.value->joules / taken.value->seconds;
  energy.idle_watts = idle.value->joules / idle.value->seconds;
  if (!(energy.watts > energy.idle_watts)) {
    return {std::nullopt,
            text("%.3f W, no more than the %.3f W while idle", energy.watts, energy.idle_watts)};
  }
  energy.joules_per_run = (energy.watts - energy.idle_watts) * taken.value->seconds / runs;
  return {energy, {}};
}

void EnergyMeter::measure_idle(double seconds) {
  begin();
  // A little longer than the shortest: the first reading takes time as well.
  std::this_thread::sleep_for(
      std::chrono::duration<double>(std::max(seconds, sensor().shortest * 1.1)));
  stop();
  idle_ = sum_.taken();
}

void EnergyMeter::begin() {
  stop();
  sum_.restart();
  sum_.sample(now());
  stopping_ = false;
  thread_ = std::thread([this] {
    const std::chrono::duration<double> interval(sensor().interval);
    std::unique_lock<std::mutex> lock(mutex_);
    while (!wake_.wait_for(lock, interval, [this] { return stopping_; })) sum_.sample(now());
  });
}

Told<Energy> EnergyMeter::end(int runs) {
  stop();
  return energy_per_run(sensor(), idle_, sum_.taken(), runs);
}

/// Ends with a reading at this moment.
void EnergyMeter::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  sum_.sample(now());
}

std::unique_ptr<EnergyMeter> find_energy_meter(const std::string& sysfs, std::string& why) {
  why.clear();
  for (const auto find : {find_ina3221, find_rapl, find_battery}) {
    Told<EnergySensor> found = find(sysfs);
    if (found.value) {
      EnergySensor& sensor = *found.value;
      sensor.rail = printable(sensor.rail, 200);
      for (std::string& other : sensor.other_rails) other = printable(other, 200);
      return std::make_unique<EnergyMeter>(sensor);
    }
    why += (why.empty() ? "" : "; ") + printable(found.why, 1000);
  }
  return nullptr;
}

}  // namespace kinglet::tools
