#pragma once
// Threads for the programs; the library starts none. Workers spin for a moment, then sleep, so that
// the short pauses between the ops of a model cost no system call.

#include <atomic>
#include <condition_variable>
#include <kinglet/backend/parallel.hpp>
#include <mutex>
#include <thread>
#include <vector>

namespace kinglet::tools {

class ThreadPool {
 public:
  /// threads counts the caller, which works too.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  Parallel parallel() noexcept;

 private:
  void run(int tasks, Parallel::Task task, void* argument);
  void work(int worker);
  void take_tasks(int worker);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<int> open_{0};        ///< tasks that no thread has taken
  std::atomic<int> unfinished_{0};  ///< tasks that are open or being worked at
  std::atomic<bool> stop_{false};
  Parallel::Task task_ = nullptr;
  void* argument_ = nullptr;
  int tasks_ = 0;
};

}  // namespace kinglet::tools
