// Batteries (kernel: Documentation/ABI/testing/sysfs-class-power): class/power_supply/*/ with
// type = Battery: status, power_now in µW, or current_now in µA (negative or not, as drivers like)
// and voltage_now in µV. scope = Device: the battery of a mouse.

#include <cmath>

#include "energy_sensors.hpp"
#include "system_files.hpp"

namespace kinglet::tools {
namespace {

Told<double> watts_of(const std::string& battery) {
  const bool power_known = is_there(battery + "/power_now");
  const Told<double> first = read_number(battery + (power_known ? "/power_now" : "/current_now"));
  if (!first.value) return {std::nullopt, first.why};
  const double micro = std::abs(*first.value);
  if (power_known) return {micro * 1e-6, {}};
  const Told<double> voltage = read_amount(battery + "/voltage_now");
  if (!voltage.value) return voltage;
  return {micro * *voltage.value * 1e-12, {}};
}

/// Of laptops with two, one is discharged at a time.
Told<double> watts_of(const std::vector<std::string>& batteries) {
  double sum = 0;
  bool discharging = false;
  std::string said;
  for (const std::string& battery : batteries) {
    const Told<std::string> status = read_line(battery + "/status");
    if (!status.value) return {std::nullopt, status.why};
    said += (said.empty() ? "" : ", ") + name_of(battery) + ": " + *status.value;
    if (*status.value != "Discharging") continue;
    const Told<double> watts = watts_of(battery);
    if (!watts.value) return watts;
    sum += *watts.value;
    discharging = true;
  }
  if (!discharging) return {std::nullopt, "on mains (" + said + ")"};
  return {sum, {}};
}

}  // namespace

Told<EnergySensor> find_battery(const std::string& sysfs) {
  std::vector<std::string> batteries;
  EnergySensor sensor;
  sensor.source = "battery";
  sensor.interval = 0.5;
  sensor.shortest = 5;  // gauges tell a new value every second or more
  for (const std::string& supply : entries(sysfs + "/class/power_supply")) {
    if (read_line(supply + "/type").value != "Battery") continue;
    if (read_line(supply + "/scope").value == "Device") continue;
    batteries.push_back(supply);
    sensor.rail += (sensor.rail.empty() ? "" : " + ") + name_of(supply);
  }
  if (batteries.empty()) return {std::nullopt, "no battery"};
  sensor.read = [batteries] { return watts_of(batteries); };
  const Told<double> now = sensor.read();
  if (!now.value) return {std::nullopt, now.why};
  return {sensor, {}};
}

}  // namespace kinglet::tools
