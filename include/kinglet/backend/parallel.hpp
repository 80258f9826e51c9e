#pragma once
// Parallel: how the user's threads are lent to the library, which starts none itself.

#include <kinglet/kernels/macros.hpp>

namespace kinglet {

struct Parallel {
  using Task = void (*)(void* argument, int task, int worker);
  /// Calls task(argument, i, worker) once for every i in [0, tasks), in any order, and returns when all are done.
  /// worker is in [0, threads) and never in two calls at once.
  using Run = void (*)(void* context, int tasks, Task task, void* argument);

  int threads = 1;
  Run run = nullptr;
  void* context = nullptr;

  /// f(task, worker) for every task.
  template <class F>
  void for_each(int tasks, F f) const noexcept {
    if (run == nullptr || threads <= 1 || tasks <= 1) {
      for (int i = 0; i < tasks; ++i) f(i, 0);
      return;
    }
    run(
        context, tasks,
        [](void* argument, int task, int worker) { (*static_cast<F*>(argument))(task, worker); },
        &f);
  }

  /// f(first, count) for pieces of [0, n) that begin at multiples of `grain`.
  template <class F>
  void split(int n, int grain, F f) const noexcept {
    if (threads > 1) return share(n, grain, f);
    if (n > 0) f(0, n);
  }

 private:
  /// Apart, with a copy of f: else a single thread, too, puts into memory whatever f refers to.
  template <class F>
  KINGLET_NOINLINE void share(int n, int grain, F f) const noexcept {
    const int grains = (n + grain - 1) / grain;
    const int tasks = grains < 2 * threads ? grains : 2 * threads;
    for_each(tasks, [&](int task, int) {
      const int first = static_cast<int>(static_cast<long long>(grains) * task / tasks) * grain;
      const int last =
          static_cast<int>(static_cast<long long>(grains) * (task + 1) / tasks) * grain;
      f(first, (last < n ? last : n) - first);
    });
  }
};

}  // namespace kinglet
