// Waking and waiting: a job is published by counting generation_ up; pending_ counts the workers still at it.
#include "backend/cpu/thread_pool.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <system_error>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace muonscope {
namespace {

// How often to look before sleeping: about 20 µs, the gap between two primitives of a step; waking a sleeper costs
// about 10 µs. Longer would take the core from other processes (and from the other pool, where there are two).
constexpr int kSpins = 1000;

thread_local bool insideJob = false;

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns once `value` differs from `old`.
void awaitChange(const std::atomic<uint32_t>& value, uint32_t old) {
  for (int i = 0; i < kSpins; i++) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(int lanes) : lanes_(lanes) {
  if (lanes < 1) throw std::invalid_argument("threads: expected at least 1, received " + std::to_string(lanes));
  threads_.reserve(lanes - 1);
  try {
    for (int lane = 1; lane < lanes; lane++) threads_.emplace_back([this, lane] { work(lane); });
  } catch (const std::system_error& error) {
    const std::string started = std::to_string(threads_.size() + 1);
    stop();  // no destructor is called: threads that nobody waits for would end the process
    throw std::runtime_error("threads: expected to start " + std::to_string(lanes) + ", the system gave " + started + " (" +
                             error.what() + "). Ask for fewer threads.");
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping_ = true;
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void ThreadPool::run(Invoke invoke, const void* body, int lanes) {
  if (insideJob || lanes == 1) {
    for (int lane = 0; lane < lanes; lane++) invoke(body, lane);
    return;
  }
  job_ = {invoke, body, lanes};
  pending_.store(static_cast<uint32_t>(lanes_ - 1), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  perform(0);
  for (uint32_t left; (left = pending_.load(std::memory_order_acquire)) != 0;) awaitChange(pending_, left);
  if (failed_.exchange(false)) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::work(int lane) {
  for (uint32_t seen = 0;; seen++) {
    awaitChange(generation_, seen);
    if (stopping_) return;
    perform(lane);
    if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
  }
}

void ThreadPool::perform(int lane) {
  if (lane >= job_.lanes) return;
  insideJob = true;
  try {
    job_.invoke(job_.body, lane);
  } catch (...) {
    if (!failed_.exchange(true)) error_ = std::current_exception();
  }
  insideJob = false;
}

}  // namespace muonscope
