#include "fresh.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "memory.hpp"

extern char** environ;

namespace kinglet::tools {
namespace {

// One clock for all processes of the machine.
using Clock = std::chrono::steady_clock;

std::int64_t nanoseconds_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

/// A figure of the line that goes between the processes; without one, −1.
std::int64_t as_number(const Told<std::uint64_t>& told) {
  return told.value ? static_cast<std::int64_t>(*told.value) : -1;
}

Told<std::uint64_t> as_told(std::int64_t number) {
  if (number < 0) return {{}, "/proc does not tell"};
  return {static_cast<std::uint64_t>(number), ""};
}

/// All that a process writes to `fd`.
std::string read_all(int fd) {
  std::string text;
  char part[512];
  for (ssize_t size; (size = ::read(fd, part, sizeof part)) != 0;) {
    if (size > 0) text.append(part, static_cast<std::size_t>(size));
    if (size < 0 && errno != EINTR) break;
  }
  return text;
}

/// The process's stdout goes to `to`; what it complains of is told by the exit status.
int start(const std::vector<std::string>& arguments, int to, pid_t& process) {
  std::vector<std::string> words{"kinglet-bench"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const int error =
      ::posix_spawn(&process, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

Told<FreshRun> run_fresh(const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {{}, std::strerror(errno)};
  pid_t process = 0;
  const std::int64_t begin = nanoseconds_now();
  const int error = start(arguments, ends[1], process);
  ::close(ends[1]);
  const std::string line = error == 0 ? read_all(ends[0]) : "";
  ::close(ends[0]);
  if (error != 0) return {{}, std::string("no fresh process: ") + std::strerror(error)};
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  std::int64_t ready, first, program, peak, growth;
  if (status != 0 ||
      std::sscanf(line.c_str(), "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &ready,
                  &first, &program, &peak, &growth) != 5) {
    return {{}, "the fresh process failed"};
  }
  FreshRun run;
  run.ready = static_cast<double>(ready - begin) * 1e-9;
  run.first_output = static_cast<double>(first - begin) * 1e-9;
  run.program_resident = as_told(program);
  run.peak_resident = as_told(peak);
  run.resident_growth = as_told(growth);
  return {run, ""};
}

void report_fresh_run(const std::string& path, const std::string& isa, int threads,
                      const WorkloadOptions& options, double seconds) {
  const std::int64_t program = as_number(resident_now());
  const auto session = open_model(path, isa, threads);
  const auto workload = make_workload(*session, options);
  const std::int64_t ready = nanoseconds_now();
  workload->run();
  const std::int64_t first = nanoseconds_now();
  const auto run_for = [&](double some) {
    const auto begin = Clock::now();
    do {
      workload->run();
    } while (std::chrono::duration<double>(Clock::now() - begin).count() < some);
  };
  run_for(0);          // what the first runs make stay is there then, the threads' stacks too
  own_resident_now();  // nor are the buffers of asking a growth
  const std::int64_t before = as_number(own_resident_now());
  run_for(seconds);
  const std::int64_t after = as_number(own_resident_now());
  const std::int64_t growth = before < 0 ? -1 : std::max<std::int64_t>(0, after - before);
  std::printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", ready, first,
              program, as_number(resident_at_most()), growth);
}

}  // namespace kinglet::tools
