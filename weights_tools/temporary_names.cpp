#include "temporary_names.hpp"

#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstring>

namespace kinglet::tools {
namespace {

constexpr int kSignals[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE};

/// A signal handler may read these: they stay where they are.
struct Slot {
  enum State : int { free, taken, noted };
  std::atomic<int> state{free};
  char path[PATH_MAX];
};
static_assert(std::atomic<int>::is_always_lock_free);
Slot slots[8];

void remove_all(int signal) {
  for (const Slot& slot : slots) {
    if (slot.state == Slot::noted) ::unlink(slot.path);
  }
  ::raise(signal);  // by default again: it ends the program when this function returns
}

void handle_signals() {
  for (const int signal : kSignals) {
    struct sigaction action = {};
    ::sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_DFL) continue;
    action.sa_handler = remove_all;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace

BlockedSignals::BlockedSignals() {
  sigset_t all;
  ::sigemptyset(&all);
  for (const int signal : kSignals) ::sigaddset(&all, signal);
  ::pthread_sigmask(SIG_BLOCK, &all, &before_);
}

BlockedSignals::~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void note_temporary(const std::string& path) {
  if (path.size() >= sizeof slots[0].path) return;
  handle_signals();
  for (Slot& slot : slots) {
    int wanted = Slot::free;
    if (!slot.state.compare_exchange_strong(wanted, Slot::taken)) continue;
    std::memcpy(slot.path, path.c_str(), path.size() + 1);
    slot.state = Slot::noted;
    return;
  }
}

void forget_temporary(const std::string& path) {
  for (Slot& slot : slots) {
    if (slot.state == Slot::noted && path == slot.path) slot.state = Slot::free;
  }
}

}  // namespace kinglet::tools
