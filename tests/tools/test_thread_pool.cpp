#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <thread_pool.hpp>

using namespace kinglet;

TEST_CASE("each task of each call is done once, by a worker that does no other meanwhile") {
  constexpr int kMostTasks = 9, kThreads = 4;
  struct Call {
    std::array<int, kMostTasks> done;
    std::array<std::atomic<bool>, kThreads> busy;
    std::atomic<int> clashes;
  };
  tools::ThreadPool pool(kThreads);
  const Parallel parallel = pool.parallel();
  REQUIRE(parallel.threads == kThreads);
  Call call = {};
  for (int round = 0; round < 3000; ++round) {
    call.done = {};
    const int tasks = round % (kMostTasks + 1);
    const auto task = [](void* argument, int i, int worker) {
      Call& c = *static_cast<Call*>(argument);
      const auto w = static_cast<std::size_t>(worker);
      if (c.busy[w].exchange(true)) ++c.clashes;
      ++c.done[static_cast<std::size_t>(i)];
      c.busy[w] = false;
    };
    parallel.run(parallel.context, tasks, task, &call);
    for (int i = 0; i < kMostTasks; ++i)
      REQUIRE(call.done[static_cast<std::size_t>(i)] == (i < tasks ? 1 : 0));
  }
  CHECK(call.clashes == 0);
}

TEST_CASE("a pool of one thread starts none and does the tasks itself") {
  tools::ThreadPool pool(1);
  const Parallel parallel = pool.parallel();
  CHECK(parallel.threads == 1);
  int sum = 0;
  parallel.for_each(5, [&](int task, int worker) { sum += worker == 0 ? task : 100; });
  CHECK(sum == 10);
}
