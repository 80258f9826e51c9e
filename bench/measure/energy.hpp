#pragma once
// Energy that a model takes: what a sensor of this machine tells while it runs, less what the
// machine takes while nothing runs.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "energy_sensors.hpp"
#include "results/results.hpp"

namespace kinglet::tools {

struct EnergyTaken {
  double joules = 0, seconds = 0;
};

/// Adds up readings: differences of counters, the trapezoids between two readings of power.
class EnergySum {
 public:
  explicit EnergySum(EnergySensor sensor) : sensor_(std::move(sensor)) {}
  const EnergySensor& sensor() const { return sensor_; }

  void restart();
  /// Reads the sensor at a time, in seconds of any clock; the first reading begins the sum.
  void sample(double seconds);
  /// Not told: a reading failed, they lie too close together, or what they say cannot be.
  Told<EnergyTaken> taken() const;

 private:
  EnergySensor sensor_;
  bool begun_ = false;
  double first_seconds_ = 0, last_seconds_ = 0, last_value_ = 0, joules_ = 0;
  std::string why_;  ///< of the first reading that failed
};

/// `idle`: while nothing ran.
Told<Energy> energy_per_run(const EnergySensor& sensor, const Told<EnergyTaken>& idle,
                            const Told<EnergyTaken>& taken, int runs);

/// Reads a sensor in a thread of its own, from begin() to end().
class EnergyMeter {
 public:
  explicit EnergyMeter(EnergySensor sensor) : sum_(std::move(sensor)) {}
  ~EnergyMeter() { stop(); }

  const EnergySensor& sensor() const { return sum_.sensor(); }
  /// The baseline: sleeps so long, or as long as the sensor needs.
  void measure_idle(double seconds);
  void begin();
  /// Of as many equal runs since begin().
  Told<Energy> end(int runs);

 private:
  void stop();

  EnergySum sum_;
  Told<EnergyTaken> idle_ = {std::nullopt, "idle power was not measured"};
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
};

/// The best sensor below `sysfs`: that of the board, of the processor, the battery. Null, and why,
/// if there is none.
std::unique_ptr<EnergyMeter> find_energy_meter(const std::string& sysfs, std::string& why);

}  // namespace kinglet::tools
