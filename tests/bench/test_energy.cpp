#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "measure/energy.hpp"
#include "tools/tool_files.hpp"

using namespace kinglet::tests;
using namespace kinglet::tools;

namespace {

/// A made-up /sys.
class Sysfs {
 public:
  std::string path() const { return scratch_.file("sys"); }

  void write(const std::string& file, const std::string& text) const {
    const std::filesystem::path at = path() + "/" + file;
    std::filesystem::create_directories(at.parent_path());
    write_text(at.string(), text);
  }
  void write(const std::string& file, long long number) const {
    write(file, std::to_string(number) + "\n");
  }

  void hwmon_rail(const std::string& chip, int n, const std::string& label, long long millivolts,
                  long long milliamperes) const {
    const std::string folder = "class/hwmon/" + chip + "/", channel = std::to_string(n);
    write(folder + "name", "ina3221\n");
    write(folder + "in" + channel + "_label", label + "\n");
    write(folder + "in" + channel + "_enable", 1);
    write(folder + "in" + channel + "_input", millivolts);
    write(folder + "curr" + channel + "_input", milliamperes);
  }
  void package(const std::string& zone, const std::string& name, long long microjoules) const {
    const std::string folder = "class/powercap/" + zone + "/";
    write(folder + "name", name + "\n");
    write(folder + "max_energy_range_uj", 262143328850);
    write(folder + "energy_uj", microjoules);
  }
  void battery(const std::string& name, const std::string& status, long long microwatts) const {
    const std::string folder = "class/power_supply/" + name + "/";
    write(folder + "type", "Battery\n");
    write(folder + "status", status + "\n");
    write(folder + "power_now", microwatts);
  }

  /// The rails of a developer kit.
  void orin_nano() const {
    write("class/hwmon/hwmon0/name", "cpu_thermal\n");
    hwmon_rail("hwmon1", 1, "VDD_IN", 5000, 1200);
    hwmon_rail("hwmon1", 2, "VDD_CPU_GPU_CV", 5000, 300);
    hwmon_rail("hwmon1", 3, "VDD_SOC", 5000, 250);
    write("class/hwmon/hwmon1/in4_input", 6000);  // shunts and sums
    write("class/hwmon/hwmon1/in7_label", "sum of shunt voltages\n");
    write("class/hwmon/hwmon1/in7_input", 8750);
    write("class/hwmon/hwmon1/curr4_input", 1750);
  }

 private:
  ScratchFolder scratch_;
};

/// Root reads everything: for as long as this lives the process is somebody else, if it may.
class OrdinaryUser {
 public:
  explicit OrdinaryUser(const std::filesystem::path& folder) : was_(::geteuid()) {
    using std::filesystem::perms;
    std::filesystem::permissions(folder.parent_path(),
                                 perms::owner_all | perms::group_exec | perms::others_exec);
    is_ = was_ != 0 || ::seteuid(65534) == 0;
  }
  ~OrdinaryUser() {
    if (::seteuid(was_) != 0) std::abort();
  }
  OrdinaryUser(const OrdinaryUser&) = delete;
  OrdinaryUser& operator=(const OrdinaryUser&) = delete;
  explicit operator bool() const { return is_; }

 private:
  uid_t was_;
  bool is_;
};

using Strings = std::vector<std::string>;

/// What is wrong with the sensors.
std::string why_of(const Sysfs& sys) {
  std::string why;
  const auto meter = find_energy_meter(sys.path(), why);
  return meter ? "" : why;
}

EnergySensor sensor_of(const Sysfs& sys) {
  std::string why;
  const auto meter = find_energy_meter(sys.path(), why);
  REQUIRE_MESSAGE(meter, why);
  return meter->sensor();
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const Told<EnergyTaken> kIdle = {EnergyTaken{20, 10}, {}};  // 2 W

}  // namespace

TEST_CASE("a Jetson Nano's input rail is read by ina3221x, its parts are not added") {
  const Sysfs sys;
  const std::string chip = "bus/i2c/drivers/ina3221x/6-0040/iio:device0/";
  sys.write("bus/i2c/drivers/ina3221x/uevent", "");
  sys.write("bus/i2c/drivers/ina3221x/6-0040/name", "ina3221x\n");
  const char* const rails[] = {"POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU"};
  for (int n = 0; n < 3; ++n) {
    const std::string channel = std::to_string(n);
    sys.write(chip + "rail_name_" + channel, std::string(rails[n]) + "\n");
    sys.write(chip + "in_voltage" + channel + "_input", 5000 - n);
    sys.write(chip + "in_current" + channel + "_input", 400 / (n + 1));
    sys.write(chip + "in_power" + channel + "_input", 2000 / (n + 1));
  }
  const EnergySensor sensor = sensor_of(sys);
  CHECK(sensor.source == "INA3221");
  CHECK(sensor.rail == "POM_5V_IN");
  CHECK(sensor.other_rails == Strings{"POM_5V_GPU", "POM_5V_CPU"});

  EnergySum sum(sensor);
  sum.sample(10);
  sys.write(chip + "in_power0_input", 6000);
  sum.sample(11);  // a trapezoid of 2 W and 6 W
  sum.sample(13);
  const Told<EnergyTaken> taken = sum.taken();
  REQUIRE_MESSAGE(taken.value, taken.why);
  CHECK(taken.value->joules == doctest::Approx(4 + 12));
  CHECK(taken.value->seconds == 3);
  const Told<Energy> energy = energy_per_run(sensor, kIdle, taken, 5);
  REQUIRE_MESSAGE(energy.value, energy.why);
  CHECK(energy.value->watts == doctest::Approx(16.0 / 3));
  CHECK(energy.value->idle_watts == 2);
  CHECK(energy.value->joules_per_run == doctest::Approx((16.0 - 2 * 3) / 5));
  CHECK(energy.value->rail == "POM_5V_IN");

  std::filesystem::remove(sys.path() + "/" + chip + "in_power0_input");
  CHECK(sensor_of(sys).read().value == doctest::Approx(5.0 * 0.4));  // volts times amperes
}

TEST_CASE("an Orin's input rail is read by hwmon, its parts are not added") {
  const Sysfs sys;
  sys.orin_nano();
  EnergySensor sensor = sensor_of(sys);
  CHECK(sensor.rail == "VDD_IN");
  CHECK(sensor.other_rails == Strings{"VDD_CPU_GPU_CV", "VDD_SOC"});
  CHECK(sensor.read().value == doctest::Approx(6));
}

TEST_CASE("of a board without an input rail those are added that are no parts of each other") {
  const Sysfs sys;
  sys.hwmon_rail("hwmon3", 1, "VDD_GPU_SOC", 10000, 300);
  sys.hwmon_rail("hwmon3", 2, "VDD_CPU_CV", 10000, 100);
  sys.hwmon_rail("hwmon3", 3, "VIN_SYS_5V0", 5000, 1000);
  sys.hwmon_rail("hwmon4", 1, "NC", 0, 0);
  sys.hwmon_rail("hwmon4", 2, "VDDQ_VDD2_1V8AO", 5000, 80);  // fed by VIN_SYS_5V0
  EnergySensor sensor = sensor_of(sys);
  CHECK(sensor.rail == "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0");
  CHECK(sensor.other_rails == Strings{"VDDQ_VDD2_1V8AO"});
  CHECK(sensor.read().value == doctest::Approx(3 + 1 + 5));

  sys.write("class/hwmon/hwmon3/in2_enable", 0);
  CHECK(
      why_of(sys) ==
      "INA3221: none of the rails VDD_GPU_SOC, VIN_SYS_5V0, VDDQ_VDD2_1V8AO is known to carry the "
      "whole board; no RAPL; no battery");
}

TEST_CASE("a single rail of any name is the board's") {
  const Sysfs sys;
  sys.hwmon_rail("hwmon0", 2, "ignored", 12000, 500);
  std::filesystem::remove(sys.path() + "/class/hwmon/hwmon0/in2_label");
  EnergySensor sensor = sensor_of(sys);
  CHECK(sensor.rail == "channel 2");
  CHECK(sensor.read().value == doctest::Approx(6));
}

TEST_CASE(
    "counters of packages are added and go round; zones inside and beside them are not added") {
  const Sysfs sys;
  const long long range = 262143328850;
  sys.package("intel-rapl:0", "package-0", range - 3000000);
  sys.package("intel-rapl:0:0", "core", 50);
  sys.package("intel-rapl:0:1", "dram", 70);
  sys.package("intel-rapl:1", "package-1", 1000000);
  sys.package("intel-rapl:2", "psys", 5);
  sys.package("intel-rapl-mmio:0", "package-0", 5);
  const EnergySensor sensor = sensor_of(sys);
  CHECK(sensor.source == "RAPL");
  CHECK(sensor.rail == "package-0 + package-1");
  CHECK(sensor.other_rails == Strings{"core", "dram", "psys"});

  EnergySum sum(sensor);
  sum.sample(0);
  sys.write("class/powercap/intel-rapl:0:0/energy_uj", 9000000);
  sys.write("class/powercap/intel-rapl:0/energy_uj", 7000000);  // 10 J
  sum.sample(1);
  sys.write("class/powercap/intel-rapl:1/energy_uj", 5000000);  // 4 J
  sum.sample(2);
  const Told<EnergyTaken> taken = sum.taken();
  REQUIRE_MESSAGE(taken.value, taken.why);
  CHECK(taken.value->joules == doctest::Approx(14));
  const Told<Energy> energy = energy_per_run(sensor, kIdle, taken, 2);
  REQUIRE_MESSAGE(energy.value, energy.why);
  CHECK(energy.value->watts == doctest::Approx(7));
  CHECK(energy.value->joules_per_run == doctest::Approx(5));

  sum.restart();
  sum.sample(3);
  sum.sample(4);
  CHECK(sum.taken().why == "RAPL reads 0 W");  // as in virtual machines
}

TEST_CASE("a counter that is forbidden, beyond its range or incomplete is not used") {
  const Sysfs sys;
  sys.package("intel-rapl:0", "package-0", 100);
  const std::string folder = "class/powercap/intel-rapl:0/", counter = sys.path() + "/" + folder;
  using std::filesystem::perms;
  std::filesystem::permissions(counter + "energy_uj", perms::none);
  if (const OrdinaryUser user(sys.path()); user) {
    CHECK(holds(why_of(sys), "energy_uj: Permission denied"));
  } else {
    say_skipped("a counter that only root may read: the test may not leave root");
  }
  std::filesystem::permissions(counter + "energy_uj", perms::owner_all);
  sys.write(folder + "energy_uj", 262143328851);
  CHECK(holds(why_of(sys), "energy_uj: beyond its range"));
  sys.write(folder + "energy_uj", 5);
  std::filesystem::remove(counter + "max_energy_range_uj");
  CHECK(holds(why_of(sys), "max_energy_range_uj: No such file"));
}

TEST_CASE("a battery is read while it feeds the machine") {
  const Sysfs sys;
  sys.write("class/power_supply/AC/type", "Mains\n");
  sys.write("class/power_supply/AC/online", 0);
  sys.battery("hidpp_battery_0", "Discharging", 100);
  sys.write("class/power_supply/hidpp_battery_0/scope", "Device\n");
  CHECK(why_of(sys) == "no INA3221; no RAPL; no battery");

  sys.battery("BAT0", "Discharging", 8000000);
  EnergySensor sensor = sensor_of(sys);
  CHECK(sensor.source == "battery");
  CHECK(sensor.rail == "BAT0");
  CHECK(sensor.read().value == doctest::Approx(8));

  const std::string folder = "class/power_supply/BAT0/";
  std::filesystem::remove(sys.path() + "/" + folder + "power_now");
  sys.write(folder + "current_now", -1500000);
  sys.write(folder + "voltage_now", 12000000);
  CHECK(sensor.read().value == doctest::Approx(18));

  EnergySum sum(sensor);
  sum.sample(0);
  sum.sample(10);
  CHECK(sum.taken().value->joules == doctest::Approx(180));
  sys.write(folder + "status", "Charging\n");
  sum.sample(20);
  CHECK(sum.taken().why == "on mains (BAT0: Charging)");
  CHECK(why_of(sys) == "no INA3221; no RAPL; on mains (BAT0: Charging)");
}

TEST_CASE("of two batteries the one that is discharged counts") {
  const Sysfs sys;
  sys.battery("BAT0", "Not charging", 0);
  sys.battery("BAT1", "Discharging", 5000000);
  EnergySensor sensor = sensor_of(sys);
  CHECK(sensor.rail == "BAT0 + BAT1");
  CHECK(sensor.read().value == doctest::Approx(5));
}

TEST_CASE("the board's sensor goes before the processor's, and that before the battery") {
  const Sysfs sys;
  CHECK(why_of(sys) == "no INA3221; no RAPL; no battery");
  sys.battery("BAT0", "Discharging", 8000000);
  CHECK(sensor_of(sys).source == "battery");
  sys.package("intel-rapl:0", "package-0", 100);
  CHECK(sensor_of(sys).source == "RAPL");
  sys.orin_nano();
  CHECK(sensor_of(sys).source == "INA3221");
  sys.write("class/hwmon/hwmon1/curr1_input", "-\n");  // of no use: the next best
  CHECK(sensor_of(sys).source == "RAPL");
}

TEST_CASE("a file that is missing, empty, no number or too large is the reason, never 0 W") {
  const Sysfs sys;
  sys.orin_nano();
  const std::string current = "class/hwmon/hwmon1/curr1_input";
  const auto why = [&](const std::string& text) {
    sys.write(current, text);
    return why_of(sys);
  };
  CHECK(holds(why(""), "curr1_input: is empty"));
  CHECK(holds(why(" \n"), "curr1_input: is empty"));
  CHECK(holds(why("twelve\n"), "curr1_input: is no number: 'twelve'"));
  CHECK(holds(why("12 mA\n"), "curr1_input: is no number"));
  CHECK(holds(why("nan\n"), "curr1_input: is no number"));
  CHECK(holds(why("\x1b[2J\n"), "curr1_input: is no number: '\\x1b[2J'"));
  CHECK(holds(why(std::string(100000, '9')), "curr1_input: is no number"));
  CHECK(holds(why("-9223372036854775808\n"), "curr1_input: is negative"));
  CHECK(holds(why("-5\n"), "curr1_input: is negative"));
  std::filesystem::remove(sys.path() + "/" + current);
  CHECK(holds(why_of(sys), "curr1_input: No such file"));
  std::filesystem::create_directory(sys.path() + "/" + current);
  CHECK(holds(why_of(sys), "curr1_input: Is a directory"));
}

TEST_CASE("what a sensor cannot have seen is not told") {
  const Sysfs sys;
  sys.orin_nano();
  const std::string current = "class/hwmon/hwmon1/curr1_input";
  EnergySum sum(sensor_of(sys));
  CHECK(sum.taken().why == "too short: 0 s, where INA3221 needs 0.5 s");
  sum.sample(1);
  sum.sample(1.25);
  CHECK(sum.taken().why == "too short: 0.25 s, where INA3221 needs 0.5 s");

  sys.write(current, 9223372036854775807);
  sum.sample(2);
  CHECK(holds(sum.taken().why, "INA3221 reads "));

  sum.restart();
  sys.write(current, 0);
  sum.sample(3);
  sum.sample(4);
  CHECK(sum.taken().why == "INA3221 reads 0 W");

  sum.restart();
  sys.write(current, "gone\n");
  sum.sample(5);
  sys.write(current, 1000);
  sum.sample(6);
  sum.sample(7);
  CHECK(holds(sum.taken().why, "is no number: 'gone'"));  // a gap is not filled
}

TEST_CASE("energy per run needs a baseline that is below it") {
  const Sysfs sys;
  sys.orin_nano();
  const EnergySensor sensor = sensor_of(sys);
  const Told<EnergyTaken> taken = {EnergyTaken{6, 1}, {}}, none = {std::nullopt, "too short"};
  CHECK(energy_per_run(sensor, none, taken, 1).why == "too short");
  CHECK(energy_per_run(sensor, taken, none, 1).why == "too short");
  CHECK(energy_per_run(sensor, taken, taken, 1).why ==
        "6.000 W, no more than the 6.000 W while idle");
  CHECK(energy_per_run(sensor, kIdle, taken, 4).value->joules_per_run == doctest::Approx(1));
}

TEST_CASE("a meter reads its sensor from begin to end") {
  const Sysfs sys;
  sys.package("intel-rapl:0", "package-0", 0);
  std::string why;
  const auto meter = find_energy_meter(sys.path(), why);
  REQUIRE_MESSAGE(meter, why);
  meter->begin();
  CHECK(meter->end(1).why == "idle power was not measured");
  meter->measure_idle(0);
  meter->begin();
  CHECK(meter->end(1).why == "RAPL reads 0 W");  // the counter stood still

  sys.orin_nano();
  const auto board = find_energy_meter(sys.path(), why);
  REQUIRE_MESSAGE(board, why);
  board->measure_idle(0);
  sys.write("class/hwmon/hwmon1/curr1_input", 2000);
  board->begin();
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  const Told<Energy> energy = board->end(1);
  REQUIRE_MESSAGE(energy.value, energy.why);
  CHECK(energy.value->idle_watts == doctest::Approx(6));
  CHECK(energy.value->watts == doctest::Approx(10));
  CHECK(energy.value->joules_per_run >= 4 * 0.7);
  board->begin();  // left running
}
