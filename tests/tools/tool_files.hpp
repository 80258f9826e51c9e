#pragma once
// What the tests of the tools share: a folder of their own, files, the program as a process.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace kinglet::tests {

/// What is left out and why, in the words that ./test gathers for its summary.
inline void say_skipped(const std::string& what) {
  std::printf("skipped: %s\n", what.c_str());
  std::fflush(stdout);
}

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

inline bool is_emulated() { return *KINGLET_EMULATOR != '\0'; }

/// A folder that goes away with the object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "kinglet.XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    path_ = path;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }
  bool is_empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::filesystem::path path_;
};

inline std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

struct Ran {
  int code = -1;       // −1: killed by a signal, or out of time
  double seconds = 0;  // of the processor: other programs do not count
  std::string out, err;
};

/// Where this build puts a program.
inline std::string program_path(const std::string& program) {
  return KINGLET_PROGRAMS_DIR "/" + program;
}

/// KINGLET_EMULATOR stands before the program in a cross build. most_data: bytes of memory, mapped
/// files not counted, that it may take before allocations fail; 0 for any.
inline Ran run_program(const std::string& program, const std::vector<std::string>& arguments,
                       const ScratchFolder& scratch, std::uint64_t most_data = 0) {
  std::vector<std::string> words;
  std::istringstream emulator(KINGLET_EMULATOR);
  for (std::string word; emulator >> word;) words.push_back(word);
  words.push_back(program_path(program));
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const std::string out = scratch.file("stdout"), err = scratch.file("stderr");
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    const struct rlimit limit = {most_data, most_data};
    if (most_data > 0 && ::setrlimit(RLIMIT_DATA, &limit) != 0) ::_exit(126);
    const int out_file = ::open(out.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    const int err_file = ::open(err.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (::dup2(out_file, 1) < 0 || ::dup2(err_file, 2) < 0) ::_exit(126);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  Ran ran;
  int status = 0;
  struct rusage used = {};
  if (::wait4(child, &status, 0, &used) != child) return ran;
  for (const timeval& time : {used.ru_utime, used.ru_stime})
    ran.seconds += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  if (WIFEXITED(status)) ran.code = WEXITSTATUS(status);
  ran.out = read_text(out);
  ran.err = read_text(err);
  std::filesystem::remove(out);
  std::filesystem::remove(err);
  return ran;
}

inline Ran run_weights(const std::vector<std::string>& arguments, const ScratchFolder& scratch,
                       std::uint64_t most_data = 0) {
  return run_program("kinglet-weights", arguments, scratch, most_data);
}

}  // namespace kinglet::tests
