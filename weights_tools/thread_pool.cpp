#include "thread_pool.hpp"

namespace kinglet::tools {
namespace {

constexpr int kSpins = 20000;  // about 50 µs

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int worker = 1; worker < threads; ++worker) {
    workers_.emplace_back([this, worker] { work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    ++round_;
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

Parallel ThreadPool::parallel() noexcept {
  return {static_cast<int>(workers_.size()) + 1,
          [](void* self, int tasks, Parallel::Task task, void* argument) {
            static_cast<ThreadPool*>(self)->run(tasks, task, argument);
          },
          this};
}

void ThreadPool::run(int tasks, Parallel::Task task, void* argument) {
  task_ = task;
  argument_ = argument;
  tasks_ = tasks;
  next_ = 0;
  busy_ = static_cast<int>(workers_.size());
  {
    const std::lock_guard lock(mutex_);
    ++round_;
  }
  wake_.notify_all();
  take_tasks(0);
  while (busy_.load(std::memory_order_acquire) != 0) pause();
}

void ThreadPool::take_tasks(int worker) {
  for (int i = next_.fetch_add(1); i < tasks_; i = next_.fetch_add(1)) task_(argument_, i, worker);
}

void ThreadPool::work(int worker) {
  unsigned seen = 0;
  for (;;) {
    for (int spin = 0; spin < kSpins && round_.load(std::memory_order_acquire) == seen; ++spin) {
      pause();
    }
    if (round_.load(std::memory_order_acquire) == seen) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return round_.load() != seen; });
    }
    ++seen;
    if (stop_) return;
    take_tasks(worker);
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace kinglet::tools
