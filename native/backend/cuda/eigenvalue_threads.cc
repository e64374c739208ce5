#include "backend/cuda/eigenvalue_threads.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <utility>

namespace muonscope::cuda {
namespace {

// Of the processors, a quarter, and no more than four: the others feed devices and read data.
size_t threadCount() { return std::clamp<size_t>(std::thread::hardware_concurrency() / 4, 1, 4); }

// So many are kept at most: 75 MB of matrices of 768 rows.
constexpr size_t mostWaiting = 16;

}  // namespace

class EigenvalueThreads::Task final : public Eigenvalues {
 public:
  Task(std::vector<double> gram, int64_t size) : gram_(std::move(gram)), values_(static_cast<size_t>(size)) {}

  bool ready() const override {
    const std::lock_guard guard(lock_);
    return done_;
  }

  const std::vector<double>& get() override {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [this] { return done_; });
    if (error_) std::rethrow_exception(error_);
    return values_;
  }

  void solve(Solver solver) {
    try {
      const auto size = static_cast<int64_t>(values_.size());
      bool finite = true;  // sums of squares of finite fp32 numbers stay finite in fp64
      for (int64_t i = 0; i < size; i++) finite = finite && std::isfinite(gram_[static_cast<size_t>(i * size + i)]);
      if (finite)
        solver(values_.data(), gram_.data(), size);
      else
        std::ranges::fill(values_, std::numeric_limits<double>::quiet_NaN());
      gram_ = {};
    } catch (...) {
      error_ = std::current_exception();
    }
    const std::lock_guard guard(lock_);
    done_ = true;
    changed_.notify_all();
  }

 private:
  std::vector<double> gram_, values_;
  std::exception_ptr error_;
  mutable std::mutex lock_;
  std::condition_variable changed_;
  bool done_ = false;
};

EigenvalueThreads::~EigenvalueThreads() {
  {
    const std::lock_guard guard(lock_);
    ending_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

std::shared_ptr<Eigenvalues> EigenvalueThreads::of(std::vector<double> gram, int64_t size) {
  auto task = std::make_shared<Task>(std::move(gram), size);
  std::unique_lock guard(lock_);
  while (threads_.size() < threadCount()) threads_.emplace_back([this] { work(); });
  changed_.wait(guard, [this] { return waiting_.size() < mostWaiting; });
  waiting_.push_back(task);
  changed_.notify_all();
  return task;
}

void EigenvalueThreads::work() {
  for (;;) {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [this] { return ending_ || !waiting_.empty(); });
    if (ending_) return;
    const std::shared_ptr<Task> task = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    guard.unlock();
    task->solve(solver_);
  }
}

}  // namespace muonscope::cuda
