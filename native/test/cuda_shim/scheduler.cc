// The turns of a block's threads. A thread keeps its turn until it waits, so a kernel without barriers is a plain loop; a stack
// of its own is only taken by a thread that has waited.
#include "test/cuda_shim/scheduler.h"

#include <array>
#include <bit>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "test/cuda_shim/builtins.h"
#include "test/cuda_shim/fiber.h"
#include "test/cuda_shim/memory.h"
#include "test/cuda_shim/order.h"
#include "test/cuda_shim/report.h"
#include "test/cuda_shim/shared_memory.h"
#include "test/cuda_shim/symbols.h"

uint3 threadIdx{}, blockIdx{};
dim3 blockDim, gridDim;

namespace cudaShim {

namespace {

struct Thread {
  uint3 index{};
  Fiber* fiber = nullptr;  // where it goes on, once it has waited
  const char* what = nullptr;  // it waits for
  std::source_location where;
};

// Lanes on their way to one operation that they do together.
struct Meeting {
  const char* what;
  unsigned mask, arrived;
};

struct Warp {
  unsigned lanes = 0, runnable = 0, finished = 0;  // a bit a lane
  std::array<void*, lanesPerWarp> slots{};
  std::vector<Meeting> meetings;
};

class Scheduler {
 public:
  void run(const Launch& launch);
  void waitForBlock(std::source_location where);
  void meetLanes(const char* what, unsigned mask, void* slot, void (*act)(void* const*, unsigned), std::source_location where);
  [[noreturn]] void threads();  // what a fiber does
  unsigned current() const { return current_; }
  std::string place() const;

 private:
  void runBlock();
  int next();
  void begin(unsigned thread);
  void go(Fiber& from, int thread);
  void wait(const char* what, std::source_location where);
  void releaseBlock();
  void abandon();
  std::string waits() const;

  const Launch* launch_ = nullptr;
  unsigned count_ = 0, current_ = 0, atBarrier_ = 0, finished_ = 0, runnableWarps_ = 0;
  bool running_ = false;
  std::array<Thread, maxThreads> thread_;
  std::array<Warp, maxThreads / lanesPerWarp> warp_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* fiber_ = nullptr;  // the running one
  Fiber* root_ = nullptr;   // the stack that launched
  Fiber* failed_ = nullptr;
  std::exception_ptr error_;
  std::source_location barrier_;
};

Scheduler& scheduler() {
  static Scheduler one;
  return one;
}

// Of two literals; the same one mostly.
bool same(const char* a, const char* b) { return a == b || std::string_view(a) == b; }

std::string triple(const uint3& i) {
  std::ostringstream text;
  text << "(" << i.x << ", " << i.y << ", " << i.z << ")";
  return text.str();
}

void Scheduler::run(const Launch& launch) {
  launch_ = &launch;
  const std::unique_ptr<const Launch*, void (*)(const Launch**)> forget(&launch_, [](const Launch** one) { *one = nullptr; });
  gridDim = launch.grid;
  blockDim = launch.block;
  count_ = launch.block.x * launch.block.y * launch.block.z;
  for (unsigned t = 0; t < count_; ++t)
    thread_[t].index = {t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y)};
  Fiber root;
  root_ = &root;
  const uint64_t blocks = uint64_t{gridDim.x} * gridDim.y * gridDim.z;
  const BlockOrder order(blocks);
  for (uint64_t i = 0; i < blocks; ++i) {
    const uint64_t b = order[i];
    blockIdx = {static_cast<unsigned>(b % gridDim.x), static_cast<unsigned>(b / gridDim.x % gridDim.y),
                static_cast<unsigned>(b / (uint64_t{gridDim.x} * gridDim.y))};
    runBlock();
  }
}

void Scheduler::runBlock() {
  fillShared(launch_->sharedBytes, launch_->kernel);
  atBarrier_ = finished_ = runnableWarps_ = 0;
  for (unsigned first = 0, w = 0; first < count_; first += lanesPerWarp, ++w) {
    const unsigned lanes = count_ - first < lanesPerWarp ? (1u << (count_ - first)) - 1 : ~0u;
    warp_[w].lanes = warp_[w].runnable = lanes;
    warp_[w].finished = 0;
    runnableWarps_ |= 1u << w;
  }
  for (;;) {
    const int thread = next();
    running_ = true;
    go(*root_, thread);
    running_ = false;
    if (error_) {
      idle_.push_back(failed_);
      abandon();
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
    if (finished_ == count_) break;
    if (atBarrier_ < count_) {
      const std::string message = "Not all threads come: " + waits() + " (" + place() + ").";
      abandon();
      throw std::runtime_error(message);
    }
    releaseBlock();
  }
  checkSharedGuard(launch_->sharedBytes);
}

void Scheduler::releaseBlock() {
  atBarrier_ = 0;
  for (unsigned w = 0; w * lanesPerWarp < count_; ++w) {
    warp_[w].runnable = warp_[w].lanes;
    runnableWarps_ |= 1u << w;
  }
}

// Whose turn it is, or -1 when every thread waits or has finished. In the plain orders a warp goes on until it cannot.
int Scheduler::next() {
  if (!runnableWarps_) return -1;
  const unsigned w = pick(runnableWarps_), lane = pick(warp_[w].runnable);
  warp_[w].runnable &= ~(1u << lane);
  if (!warp_[w].runnable) runnableWarps_ &= ~(1u << w);
  return static_cast<int>(w * lanesPerWarp + lane);
}

void Scheduler::begin(unsigned thread) {
  current_ = thread;
  threadIdx = thread_[thread].index;
}

// Leaves `from` for the thread whose turn it is, or for the root.
void Scheduler::go(Fiber& from, int thread) {
  Fiber* to = root_;
  if (thread >= 0) {
    begin(static_cast<unsigned>(thread));
    to = std::exchange(thread_[current_].fiber, nullptr);
    if (!to) {
      if (idle_.empty()) {
        fibers_.push_back(std::make_unique<Fiber>([] { scheduler().threads(); }));
        idle_.push_back(fibers_.back().get());
      }
      to = idle_.back();
      idle_.pop_back();
    }
  }
  fiber_ = to;
  from.switchTo(*to);
}

void Scheduler::threads() {
  for (;;) {
    Fiber& self = *fiber_;
    try {
      launch_->thread(launch_->arguments.get());
    } catch (...) {
      error_ = std::current_exception();
    }
    if (error_) {
      failed_ = &self;
      go(self, -1);
      continue;
    }
    warp_[current_ / lanesPerWarp].finished |= 1u << current_ % lanesPerWarp;
    ++finished_;
    const int thread = next();
    if (thread >= 0 && !thread_[static_cast<size_t>(thread)].fiber) {
      begin(static_cast<unsigned>(thread));
      continue;
    }
    idle_.push_back(&self);
    go(self, thread);
  }
}

void Scheduler::wait(const char* what, std::source_location where) {
  Thread& thread = thread_[current_];
  const unsigned me = current_;
  thread.what = what;
  thread.where = where;
  const int other = next();
  if (other == static_cast<int>(me)) return;
  thread.fiber = fiber_;
  go(*fiber_, other);
}

void Scheduler::waitForBlock(std::source_location where) {
  if (atBarrier_ == 0) barrier_ = where;
  if (where.line() != barrier_.line() || !same(where.file_name(), barrier_.file_name()))
    fail("Threads of a block wait at two barriers: at " + text(barrier_) + " and at " + text(where));
  ++atBarrier_;
  wait("__syncthreads", where);
}

void Scheduler::meetLanes(const char* what, unsigned mask, void* slot, void (*act)(void* const*, unsigned),
                          std::source_location where) {
  Warp& warp = warp_[current_ / lanesPerWarp];
  const unsigned self = 1u << current_ % lanesPerWarp;
  if (!(mask & self)) fail(std::string(what) + " at " + text(where) + " with a mask that lacks the lane that calls it");
  warp.slots[current_ % lanesPerWarp] = slot;
  size_t i = 0;
  while (i < warp.meetings.size() && (warp.meetings[i].mask != mask || !same(warp.meetings[i].what, what))) ++i;
  if (i == warp.meetings.size()) warp.meetings.push_back({what, mask, 0});
  warp.meetings[i].arrived |= self;
  if (warp.meetings[i].arrived == mask) {
    warp.meetings.erase(warp.meetings.begin() + static_cast<std::ptrdiff_t>(i));
    act(warp.slots.data(), mask);
    warp.runnable |= mask;
    runnableWarps_ |= 1u << current_ / lanesPerWarp;
  }
  wait(what, where);
}

// Nobody will go on with this block.
void Scheduler::abandon() {
  for (auto& thread : thread_)
    if (Fiber* fiber = std::exchange(thread.fiber, nullptr)) {
      fiber->reset();
      idle_.push_back(fiber);
    }
  for (auto& warp : warp_) warp.meetings.clear();
}

std::string Scheduler::waits() const {
  Tally tally;
  for (unsigned t = 0; t < count_; ++t) {
    const bool finished = warp_[t / lanesPerWarp].finished >> t % lanesPerWarp & 1;
    tally.add(finished ? "have returned" : std::string("wait at ") + thread_[t].what + " at " + text(thread_[t].where), t);
  }
  return tally.text();
}

std::string Scheduler::place() const {
  if (!launch_) return "outside of a kernel";
  std::string place = "kernel " + functionName(launch_->kernel) + ", block " + triple(blockIdx);
  if (running_) place += ", thread " + triple(thread_[current_].index);
  return place;
}

}  // namespace

void runGrid(const Launch& launch) {
  scheduler().run(launch);
  checkGuardsInTurn(launch.kernel);
}

void fail(const std::string& what) { throw std::runtime_error(what + " (" + scheduler().place() + ")."); }
void waitForBlock(std::source_location where) { scheduler().waitForBlock(where); }
void meetLanes(const char* what, unsigned mask, void* slot, void (*act)(void* const*, unsigned), std::source_location where) {
  scheduler().meetLanes(what, mask, slot, act, where);
}
unsigned threadNumber() { return scheduler().current(); }

}  // namespace cudaShim
