// The pool: every item once, the same parts each time, exceptions and nested calls.
#include <atomic>
#include <mutex>
#include <set>

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
