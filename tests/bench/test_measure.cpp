#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <measure/frequency.hpp>
#include <measure/grid.hpp>
#include <measure/machine.hpp>
#include <measure/statistics.hpp>
#include <string>

#include "tools/tool_files.hpp"

using namespace kinglet::tests;
using namespace kinglet::tools;

namespace {

/// A tree like the kernel's below a scratch folder.
class FakeSystem {
 public:
  std::string root() const { return scratch_.file(""); }
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = scratch_.file(path);
    std::filesystem::create_directories(file.parent_path());
    write_text(file.string(), text);
  }
  /// The caller may run on any core.
  void write_frequency(const std::string& khz) const {
    for (int cpu = 0; cpu < static_cast<int>(::sysconf(_SC_NPROCESSORS_CONF)); ++cpu) {
      write("sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpufreq/scaling_cur_freq", khz);
    }
  }

 private:
  ScratchFolder scratch_;
};

}  // namespace

TEST_CASE("statistics are those computed by hand") {
  // Quartiles 2.25 and 5.75: the fences are −3 and 11.
  const Latency l = latency_of({4, 1, 7, 2, 3, 5, 6, 0, 12, 4});
  CHECK(l.runs == 10);
  CHECK(l.mean == doctest::Approx(4.4));
  CHECK(l.deviation == doctest::Approx(std::sqrt(106.4 / 9)));
  CHECK(l.min == 0);
  CHECK(l.p50 == 4);
  CHECK(l.p90 == doctest::Approx(7.5));    // a tenth of the way from 7 to 12
  CHECK(l.p99 == doctest::Approx(11.55));  // 0.91 of it
  CHECK(l.max == 12);
  CHECK(l.outliers == 1);

  const Latency one = latency_of({2});
  CHECK(one.mean == 2);
  CHECK(one.deviation == 0);
  CHECK(one.p99 == 2);
  CHECK(one.outliers == 0);
  // Between 1 and 2; a value on a fence is no outlier.
  CHECK(median({2, 1}) == 1.5);
  CHECK(latency_of({0, 1, 1, 2, 2, 3.5}).outliers == 0);
}

TEST_CASE("a grid has every combination once, and each kind of model its own sizes") {
  GridOptions options;
  options.isas = {"avx2", "scalar"};
  options.threads = {1, 2, 1};
  options.batches = {1, 8};
  options.lengths = {32, 64};
  options.images = {96};
  const std::vector<Place> places = places_of(options, {false, true, false});
  REQUIRE(places.size() == 2 * 2 * 2 * 3);
  CHECK(places[0].text() == "avx2, 1 thread, batch 1, size 32");
  CHECK(places[0].models == std::vector<int>{0, 2});
  CHECK(places[1].text() == "avx2, 1 thread, batch 1, size 64");
  CHECK(places[2].text() == "avx2, 1 thread, batch 1, size 96");
  CHECK(places[2].models == std::vector<int>{1});
  CHECK(places[23].text() == "scalar, 2 threads, batch 8, size 96");

  const std::vector<Place> plain = places_of({}, {false});
  REQUIRE(plain.size() == 1);
  CHECK(plain[0].text() == "1 thread, batch 1");
}

TEST_CASE("frequencies are the first, the last and the lowest that were seen") {
  const FakeSystem system;
  system.write_frequency("1500000\n");
  FrequencyWatch watch(system.root());
  system.write_frequency("921600\n");
  watch.sample();
  system.write_frequency("1200000\n");
  const Told<Frequency> told = watch.told();
  REQUIRE(told.value.has_value());
  CHECK(told.value->begin == 1.5e9);
  CHECK(told.value->end == 1.2e9);
  CHECK(told.value->lowest == 921.6e6);
  CHECK(!told.value->throttled);
}

TEST_CASE("a clock that is not told is no 0") {
  const FakeSystem system;
  const Told<Frequency> none = FrequencyWatch(system.root()).told();
  CHECK(!none.value);
  CHECK(none.why.find("scaling_cur_freq: No such file or directory") != std::string::npos);
  for (const char* text : {"<unknown>\n", "\n", "", "12x\n"}) {
    system.write_frequency(text);
    CHECK(!FrequencyWatch(system.root()).told().value);
  }
}

TEST_CASE("throttling is told by counters that rise and by cooling devices of processors") {
  const FakeSystem system;
  system.write_frequency("1000000\n");
  const std::string counter = "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count";
  const std::string device = "sys/class/thermal/cooling_device0/";
  system.write(counter, "7\n");
  system.write(device + "type", "pwm-fan\n");
  system.write(device + "cur_state", "2\n");
  CHECK(!FrequencyWatch(system.root()).told().value->throttled);
  {
    FrequencyWatch watch(system.root());
    system.write(counter, "8\n");
    CHECK(watch.told().value->throttled);
  }
  system.write(device + "type", "thermal-cpufreq-0\n");
  FrequencyWatch watch(system.root());
  system.write(device + "cur_state", "0\n");
  CHECK(watch.told().value->throttled);  // it was, though it is no more
  CHECK(!FrequencyWatch(system.root()).told().value->throttled);
}

TEST_CASE("a machine is called by its board, its CPU or as one likes") {
  const FakeSystem system;
  system.write("proc/cpuinfo", "processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\n");
  Machine m = describe_machine(system.root(), "");
  CHECK(m.cpu == "ARMv8 Processor rev 1 (v8l)");
  CHECK(m.label == m.cpu);
  CHECK(m.cores >= 1);
  CHECK(m.memory > 0);
  CHECK(m.date.size() == 20);
  system.write("proc/device-tree/model", std::string("NVIDIA Jetson Nano\0", 19));
  CHECK(describe_machine(system.root(), "").label == "NVIDIA Jetson Nano");
  CHECK(describe_machine(system.root(), "desk").label == "desk");

  CHECK(largest_cache(system.root()) == 0);
  system.write("sys/devices/system/cpu/cpu0/cache/index0/size", "32K\n");
  system.write("sys/devices/system/cpu/cpu0/cache/index2/size", "2M\n");
  CHECK(largest_cache(system.root()) == std::size_t{2} << 20);
}
