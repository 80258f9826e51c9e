// RAPL by powercap (kernel: Documentation/power/powercap/powercap.rst), of Intel's and AMD's
// processors: class/powercap/intel-rapl:<n>/ with name = package-*: energy_uj, which goes on from 0
// after max_energy_range_uj. Zones intel-rapl:<n>:<m> are parts of a package (core, uncore), or
// memory beside it (dram); psys is the platform and intel-rapl-mmio:<n> a package once more.

#include "energy_sensors.hpp"
#include "system_files.hpp"

namespace kinglet::tools {
namespace {

struct Package {
  std::string counter;
  double range = 0;  ///< µJ
  double last = 0;   ///< µJ
};

/// The counter; the kernel lets only root read it since it gives keys away (CVE-2020-8694).
Told<double> count(const Package& package) {
  Told<double> now = read_amount(package.counter);
  if (now.value && *now.value > package.range)
    return {std::nullopt, package.counter + ": beyond its range"};
  return now;
}

}  // namespace

Told<EnergySensor> find_rapl(const std::string& sysfs) {
  EnergySensor sensor;
  sensor.source = "RAPL";
  sensor.counts = true;
  sensor.interval = 1;  // for counters that go round more than once; 65 kJ last minutes
  sensor.shortest = 0.1;
  std::vector<Package> packages;
  for (const std::string& zone : entries(sysfs + "/class/powercap", "intel-rapl:")) {
    const Told<std::string> name = read_line(zone + "/name");
    if (!name.value) return {std::nullopt, "RAPL: " + name.why};
    const std::string folder = name_of(zone);
    const bool whole =
        folder.find(':') == folder.rfind(':') && name.value->rfind("package-", 0) == 0;
    if (!whole) {
      sensor.other_rails.push_back(*name.value);
      continue;
    }
    const Told<double> range = read_amount(zone + "/max_energy_range_uj");
    if (!range.value) return {std::nullopt, "RAPL: " + range.why};
    Package package{zone + "/energy_uj", *range.value, 0};
    const Told<double> now = count(package);
    if (!now.value) return {std::nullopt, "RAPL: " + now.why};
    package.last = *now.value;
    packages.push_back(package);
    sensor.rail += (sensor.rail.empty() ? "" : " + ") + *name.value;
  }
  if (packages.empty()) return {std::nullopt, "no RAPL"};
  sensor.read = [packages, microjoules = 0.0]() mutable -> Told<double> {
    for (Package& package : packages) {
      const Told<double> now = count(package);
      if (!now.value) return {std::nullopt, "RAPL: " + now.why};
      microjoules += *now.value - package.last;
      if (*now.value < package.last) microjoules += package.range;
      package.last = *now.value;
    }
    return {microjoules * 1e-6, {}};
  };
  return {sensor, {}};
}

}  // namespace kinglet::tools
