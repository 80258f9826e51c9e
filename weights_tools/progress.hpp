#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace kinglet::tools {

/// Where a long command is, on stderr: on a terminal one line that changes, with the time left, wiped
/// at the end; elsewhere a line a stage.
class Progress {
 public:
  explicit Progress(int stages);
  /// Of one stage, which is not numbered: with its percents, and on a terminal only.
  explicit Progress(const std::string& what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void begin(const std::string& stage);
  /// done: the share of this stage. rate: runs a second; 0: none to show.
  void show(double done, double rate = 0);

 private:
  using Clock = std::chrono::steady_clock;

  bool terminal_, bold_, numbered_ = true;
  int stages_, stage_ = 0;
  std::string text_;
  Clock::time_point begin_ = Clock::now(), shown_;
};

/// A Progress of one stage for what counts its pieces.
std::function<void(std::size_t done, std::size_t all)> terminal_progress(const std::string& what);

}  // namespace kinglet::tools
