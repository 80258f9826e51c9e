// Texas Instruments' INA3221: voltage and current of three rails a chip.
//
// hwmon (kernel: Documentation/hwmon/ina3221.rst; Orin and later):
//   class/hwmon/hwmon*/ with name = ina3221: in[123]_label, in[123]_enable, in[123]_input in mV,
//   curr[123]_input in mA. in[4567] and curr4 are shunt voltages and sums of the others.
// ina3221x (L4T: drivers/staging/iio/meter/ina3221.c; Nano, TX1, TX2, Xavier):
//   bus/i2c/drivers/ina3221x/<bus>-<address>/iio:device*/: rail_name_[012], in_power[012]_input in
//   mW, in_voltage[012]_input in mV, in_current[012]_input in mA.

#include <algorithm>

#include "energy_sensors.hpp"
#include "system_files.hpp"

namespace kinglet::tools {
namespace {

struct Rail {
  std::string name;
  std::string millivolts, milliamperes;
  std::string milliwatts;  ///< empty: volts times amperes
};

Told<double> watts_of(const Rail& rail) {
  if (!rail.milliwatts.empty()) {
    const Told<double> power = read_amount(rail.milliwatts);
    if (!power.value) return power;
    return {*power.value * 1e-3, {}};
  }
  const Told<double> voltage = read_amount(rail.millivolts);
  if (!voltage.value) return voltage;
  const Told<double> current = read_amount(rail.milliamperes);
  if (!current.value) return current;
  return {*voltage.value * *current.value * 1e-6, {}};
}

std::vector<Rail> hwmon_rails(const std::string& sysfs) {
  std::vector<Rail> rails;
  for (const std::string& chip : entries(sysfs + "/class/hwmon", "hwmon")) {
    if (read_line(chip + "/name").value != "ina3221") continue;
    for (const char* n : {"1", "2", "3"}) {
      const std::string voltage = chip + "/in" + n + "_input";
      const bool disabled = read_number(chip + "/in" + n + "_enable").value == 0.0;
      const std::string label =
          read_line(chip + "/in" + n + "_label").value.value_or(std::string("channel ") + n);
      if (disabled || label == "NC" || !is_there(voltage)) continue;
      rails.push_back({label, voltage, chip + "/curr" + n + "_input", {}});
    }
  }
  return rails;
}

std::vector<Rail> iio_rails(const std::string& sysfs) {
  std::vector<Rail> rails;
  for (const std::string& chip : entries(sysfs + "/bus/i2c/drivers/ina3221x")) {
    for (const std::string& device : entries(chip, "iio")) {  // also "iio_device" of a TX2
      const std::size_t before = rails.size();
      for (const char* n : {"0", "1", "2"}) {
        const Told<std::string> name = read_line(device + "/rail_name_" + n);
        if (!name.value || name.value == "NC") continue;
        const auto file = [&](const char* what) { return device + "/in_" + what + n + "_input"; };
        const std::string power = is_there(file("power")) ? file("power") : std::string();
        rails.push_back({*name.value, file("voltage"), file("current"), power});
      }
      if (rails.size() > before) break;  // the rest are other names of the same device
    }
  }
  return rails;
}

/// Rails that together carry a whole module, none of them a part of another. From NVIDIA's Jetson
/// developer and design guides: the big modules have no single input that is measured. Of an AGX
/// Orin, VIN_SYS_5V0 feeds VDDQ_VDD2_1V8AO.
const std::vector<std::vector<std::string>> kInputs = {
    {"VDD_IN"},     // TX1, TX2, Xavier NX, Orin Nano and NX
    {"POM_5V_IN"},  // Nano
    {"VDD_5V_IN"},  // the same in other releases and boards
    {"5V_IN"},
    {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"},   // AGX Orin
    {"GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"},  // AGX Xavier
};

/// The rails of `input` by name; empty unless all are there.
std::vector<Rail> pick(const std::vector<Rail>& rails, const std::vector<std::string>& input) {
  std::vector<Rail> picked;
  for (const std::string& name : input) {
    const auto found = std::find_if(rails.begin(), rails.end(),
                                    [&](const Rail& rail) { return rail.name == name; });
    if (found == rails.end()) return {};
    picked.push_back(*found);
  }
  return picked;
}

std::string joined(const std::vector<std::string>& names, const char* between) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : between) + name;
  return text;
}

}  // namespace

Told<EnergySensor> find_ina3221(const std::string& sysfs) {
  std::vector<Rail> rails = hwmon_rails(sysfs);
  if (rails.empty()) rails = iio_rails(sysfs);
  if (rails.empty()) return {std::nullopt, "no INA3221"};

  std::vector<Rail> chosen;
  for (const auto& input : kInputs) {
    if (chosen.empty()) chosen = pick(rails, input);
  }
  if (chosen.empty() && rails.size() == 1) chosen = rails;

  EnergySensor sensor;
  sensor.source = "INA3221";
  std::vector<std::string> names;
  for (const Rail& rail : chosen) names.push_back(rail.name);
  for (const Rail& rail : rails) {
    if (std::find(names.begin(), names.end(), rail.name) == names.end())
      sensor.other_rails.push_back(rail.name);
  }
  if (chosen.empty()) {
    return {std::nullopt, "INA3221: none of the rails " + joined(sensor.other_rails, ", ") +
                              " is known to carry the whole board"};
  }
  sensor.rail = joined(names, " + ");
  sensor.read = [chosen]() -> Told<double> {
    double sum = 0;
    for (const Rail& rail : chosen) {
      const Told<double> watts = watts_of(rail);
      if (!watts.value) return watts;
      sum += *watts.value;
    }
    return {sum, {}};
  };
  const Told<double> now = sensor.read();
  if (!now.value) return {std::nullopt, now.why};
  return {sensor, {}};
}

}  // namespace kinglet::tools
