#include "frequency.hpp"

#include <sched.h>

#include <algorithm>
#include <cctype>

#include "system_files.hpp"

namespace kinglet::tools {
namespace {

/// "Processor", "thermal-cpufreq-0", "cpu-balanced"; not "pwm-fan".
bool slows_processors(const std::string& cooling_device) {
  std::string type = read_line(cooling_device + "/type").value.value_or("");
  for (char& c : type) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return type.find("cpu") != std::string::npos || type.find("processor") != std::string::npos;
}

}  // namespace

FrequencyWatch::FrequencyWatch(const std::string& root) : cpus_(root + "/sys/devices/system/cpu") {
  for (const std::string& cpu : entries(cpus_, "cpu")) {
    for (const char* name : {"/core_throttle_count", "/package_throttle_count"}) {
      const std::string counter = cpu + "/thermal_throttle" + name;
      if (read_number(counter).value) counters_.push_back(counter);
    }
  }
  for (const std::string& device : entries(root + "/sys/class/thermal", "cooling_device")) {
    if (slows_processors(device)) states_.push_back(device + "/cur_state");
  }
  events_before_ = events();
  sample();
}

double FrequencyWatch::events() const {
  double sum = 0;
  for (const std::string& counter : counters_) sum += read_number(counter).value.value_or(0);
  return sum;
}

void FrequencyWatch::sample() {
  for (const std::string& state : states_) {
    throttled_ = throttled_ || read_number(state).value.value_or(0) > 0;
  }
  const std::string cpu = "/cpu" + std::to_string(std::max(0, ::sched_getcpu()));
  const Told<double> khz = read_number(cpus_ + cpu + "/cpufreq/scaling_cur_freq");
  if (!khz.value) {
    seen_.why = khz.why;
    return;
  }
  const double hertz = *khz.value * 1e3;
  if (!seen_.value) seen_.value = Frequency{hertz, hertz, hertz, false};
  seen_.value->end = hertz;
  seen_.value->lowest = std::min(seen_.value->lowest, hertz);
}

Told<Frequency> FrequencyWatch::told() {
  sample();
  if (!seen_.value) return seen_;
  seen_.value->throttled = throttled_ || events() > events_before_;
  return {seen_.value, ""};
}

}  // namespace kinglet::tools
