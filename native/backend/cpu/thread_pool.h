// The one pool of threads of a CPU backend. The caller is lane 0; the others wait for it, spinning for some
// microseconds and then asleep. Work is split the same way each time, so results do not change from run to run.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace muonscope {

class ThreadPool {
 public:
  explicit ThreadPool(int lanes);  // lanes ≥ 1, the caller included
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int lanes() const { return lanes_; }

  // body(lane) once on each lane, at the same time; returns when all are done. The first exception is rethrown here.
  // A call from inside a body runs lane after lane on the calling thread.
  template <class Body>
  void onLanes(const Body& body) {
    run([](const void* b, int lane) { (*static_cast<const Body*>(b))(lane); }, &body, lanes_);
  }

  // Splits [0, count) into contiguous parts of nearly equal size and at least `grain` items, one a lane:
  // body(begin, end), side by side.
  template <class Body>
  void parallelFor(int64_t count, const Body& body, int64_t grain = 1) {
    if (count <= 0) return;
    const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(lanes_, count / std::max<int64_t>(1, grain)));
    if (parts == 1) return body(int64_t{0}, count);
    const auto part = [&](int lane) { body(count * lane / parts, count * (lane + 1) / parts); };
    using Part = decltype(part);
    run([](const void* b, int lane) { (*static_cast<Part*>(b))(lane); }, &part, static_cast<int>(parts));
  }

 private:
  using Invoke = void (*)(const void* body, int lane);
  struct Job {
    Invoke invoke;
    const void* body;
    int lanes;
  };

  void stop();
  void run(Invoke invoke, const void* body, int lanes);
  void work(int lane);
  void perform(int lane);

  int lanes_;
  std::vector<std::thread> threads_;
  Job job_{};
  std::exception_ptr error_;
  std::atomic<bool> failed_{false};
  alignas(64) std::atomic<uint32_t> generation_{0};  // counts jobs; workers wait for it to change
  alignas(64) std::atomic<uint32_t> pending_{0};     // workers that have not finished the job
  bool stopping_ = false;
};

}  // namespace muonscope
