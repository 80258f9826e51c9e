#pragma once
// Where a system tells what power it draws. Each function finds one kind of sensor below `sysfs`
// ("/sys"), or says why it is of no use.

#include <functional>
#include <string>
#include <vector>

#include "results/results.hpp"

namespace kinglet::tools {

struct EnergySensor {
  std::string source;                    ///< "INA3221", "RAPL", "battery"
  std::string rail;                      ///< what is measured, all of it counted once
  std::vector<std::string> other_rails;  ///< parts of the rail, or beside it: not added
  bool counts = false;                   ///< read() gives joules since some moment, else watts now
  double interval = 0.05;                ///< seconds between readings
  double shortest = 0.5;                 ///< seconds of a measurement that means something
  std::function<Told<double>()> read;
};

/// The power monitor of Jetson boards, by hwmon or by the older ina3221x. The rail is the one that
/// feeds all others.
Told<EnergySensor> find_ina3221(const std::string& sysfs);

/// The energy counters of x86 processors: all packages.
Told<EnergySensor> find_rapl(const std::string& sysfs);

/// All batteries, while they feed the machine.
Told<EnergySensor> find_battery(const std::string& sysfs);

}  // namespace kinglet::tools
