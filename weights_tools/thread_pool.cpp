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

/// Whether done() came true within a moment.
template <class F>
bool spin_until(const F& done) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (done()) return true;
    pause();
  }
  return false;
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
  // Of the last call nothing is open or unfinished, so no worker reads these.
  task_ = task;
  argument_ = argument;
  tasks_ = tasks;
  unfinished_.store(tasks, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    open_.store(tasks, std::memory_order_release);
  }
  wake_.notify_all();
  take_tasks(0);
  // For tasks only, not for workers that came too late for one: where other processes have the
  // cores, they come milliseconds late.
  const auto finished = [&] { return unfinished_.load(std::memory_order_acquire) == 0; };
  if (spin_until(finished)) return;
  while (!finished()) std::this_thread::yield();  // perhaps to the worker that has the last task
}

void ThreadPool::take_tasks(int worker) {
  for (int open = open_.load(); open > 0;) {
    if (!open_.compare_exchange_weak(open, open - 1)) continue;
    task_(argument_, tasks_ - open, worker);
    unfinished_.fetch_sub(1, std::memory_order_release);
    open = open_.load();
  }
}

void ThreadPool::work(int worker) {
  const auto called = [&] { return open_.load() > 0 || stop_.load(); };
  for (;;) {
    if (!spin_until(called)) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, called);
    }
    if (stop_) return;
    take_tasks(worker);
  }
}

}  // namespace kinglet::tools
