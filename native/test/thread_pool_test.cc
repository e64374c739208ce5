// The pool: every item once, the same parts each time, exceptions and nested calls.
#include <atomic>
#include <fstream>
#include <mutex>
#include <set>
#include <string>

#if defined(__linux__)
#include <sys/resource.h>
#include <unistd.h>
#endif

#include "backend/cpu/thread_pool.h"
#include "test/test.h"

using namespace muonscope;

TEST("thread pool: every item is visited once, in parts that repeat") {
  for (const int lanes : {1, 2, 3, 8}) {
    ThreadPool pool(lanes);
    for (const int64_t count : {0, 1, 2, 7, 8, 1000}) {
      std::set<std::pair<int64_t, int64_t>> first;
      for (int run = 0; run < 20; run++) {
        std::vector<std::atomic<int>> visits(count);
        std::set<std::pair<int64_t, int64_t>> parts;
        std::mutex mutex;
        pool.parallelFor(count, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; i++) visits[i]++;
          const std::lock_guard lock(mutex);
          parts.insert({begin, end});
        });
        for (const auto& v : visits) CHECK_EQ(v.load(), 1);
        if (run == 0) first = parts;
        CHECK(parts == first);
        CHECK_LE(parts.size(), static_cast<size_t>(lanes));
      }
    }
  }
}

TEST("thread pool: parts are at least as large as the grain") {
  ThreadPool pool(4);
  std::atomic<int> parts = 0;
  pool.parallelFor(
      10,
      [&](int64_t begin, int64_t end) {
        CHECK(end - begin >= 5);
        parts++;
      },
      5);
  CHECK_EQ(parts.load(), 2);
}

TEST("thread pool: an exception reaches the caller, and the pool works on") {
  ThreadPool pool(3);
  for (int run = 0; run < 50; run++) {
    for (const int thrower : {0, 1, 2})
      CHECK_THROWS(pool.onLanes([&](int lane) {
        if (lane == thrower) throw std::runtime_error("lane " + std::to_string(lane));
      }),
                   "lane " + std::to_string(thrower));
    std::atomic<int> lanes = 0;
    pool.onLanes([&](int) { lanes++; });
    CHECK_EQ(lanes.load(), 3);
  }
}

TEST("thread pool: a call from inside a call runs on the spot") {
  ThreadPool pool(2);
  std::atomic<int> visits = 0;
  pool.onLanes([&](int) { pool.parallelFor(10, [&](int64_t begin, int64_t end) { visits += static_cast<int>(end - begin); }); });
  CHECK_EQ(visits.load(), 20);
}

TEST("thread pool: at least one lane") {
  CHECK_THROWS(ThreadPool(0), "expected at least 1, received 0");
}

// A sanitizer needs terabytes of addresses for itself; elsewhere than on Linux no limit on addresses is kept.
#if defined(__linux__) && !defined(MUONSCOPE_SANITIZE)
TEST("thread pool: threads that the system does not give are an error, and those that it gave end") {
  std::ifstream statistics("/proc/self/statm");
  rlim_t pages = 0;
  statistics >> pages;
  rlimit before{};
  CHECK_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit some{pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (rlim_t{1} << 28), before.rlim_max};
  CHECK_EQ(setrlimit(RLIMIT_AS, &some), 0);
  std::string message;
  try {
    ThreadPool pool(1024);
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  CHECK_EQ(setrlimit(RLIMIT_AS, &before), 0);
  CHECK(message.starts_with("threads: expected to start 1024, the system gave "));
  CHECK(message.ends_with("Ask for fewer threads."));
}
#endif
