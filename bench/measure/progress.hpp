#pragma once

#include <chrono>
#include <string>

namespace kinglet::tools {

/// Where a long measurement is, on stderr: on a terminal one line that changes, with the rate and the
/// time left; elsewhere a line a stage.
class Progress {
 public:
  explicit Progress(int stages);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void begin(const std::string& stage);
  /// done: the share of this stage. rate: runs a second; 0: none yet.
  void show(double done, double rate);

 private:
  using Clock = std::chrono::steady_clock;

  bool terminal_, bold_;
  int stages_, stage_ = 0;
  std::string text_;
  Clock::time_point begin_ = Clock::now(), shown_;
};

}  // namespace kinglet::tools
