#include "progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace kinglet::tools {
namespace {

/// NO_COLOR asks for plain text, if it is set to anything.
bool wants_plain_text() {
  const char* const value = std::getenv("NO_COLOR");
  return value != nullptr && *value != '\0';
}

}  // namespace

Progress::Progress(int stages)
    : terminal_(::isatty(STDERR_FILENO) != 0),
      bold_(terminal_ && !wants_plain_text()),
      stages_(stages) {}

Progress::Progress(const std::string& what) : Progress(1) {
  numbered_ = false;
  begin(what);
}

Progress::~Progress() {
  if (terminal_) std::fprintf(stderr, "\r\033[K");
}

void Progress::begin(const std::string& stage) {
  ++stage_;
  text_ = stage;
  if (terminal_) {
    shown_ = {};
    show(0);
  } else if (numbered_) {
    std::fprintf(stderr, "%d/%d  %s\n", stage_, stages_, stage.c_str());
  }
}

void Progress::show(double done, double rate) {
  const auto now = Clock::now();
  if (!terminal_ || now - shown_ < std::chrono::milliseconds(200)) return;
  shown_ = now;
  const double share = (stage_ - 1 + done) / stages_;
  std::fprintf(stderr, "\r\033[K");
  if (numbered_) std::fprintf(stderr, "%d/%d  ", stage_, stages_);
  std::fprintf(stderr, "%s%s%s", bold_ ? "\033[1m" : "", text_.c_str(), bold_ ? "\033[0m" : "");
  if (!numbered_) std::fprintf(stderr, "  %.0f %%", 100 * share);
  if (rate > 0) std::fprintf(stderr, "  %.4g runs/s", rate);
  const double spent = std::chrono::duration<double>(now - begin_).count();
  if (share > 0) std::fprintf(stderr, "  %.0f s left", spent / share * (1 - share));
  std::fflush(stderr);
}

std::function<void(std::size_t done, std::size_t all)> terminal_progress(const std::string& what) {
  const auto progress = std::make_shared<Progress>(what);
  return [progress](std::size_t done, std::size_t all) {
    progress->show(static_cast<double>(done) / static_cast<double>(all));
  };
}

}  // namespace kinglet::tools
