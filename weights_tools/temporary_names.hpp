#pragma once
// Names of unfinished files, which go when a signal ends the program: Ctrl-C, SIGTERM, a terminal that
// is closed, a pipe that nobody reads.

#include <csignal>
#include <string>

namespace kinglet::tools {

/// While it lives this thread takes none of the signals.
class BlockedSignals {
 public:
  BlockedSignals();
  ~BlockedSignals();
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

/// The file is removed by a signal from now on, until its name is forgotten. Signals that the program
/// ignores or handles itself stay as they are. Beyond a handful of names nothing is noted.
void note_temporary(const std::string& path);
void forget_temporary(const std::string& path);

}  // namespace kinglet::tools
