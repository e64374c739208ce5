// Threads of the host that work out eigenvalues while the device goes on: a symmetric matrix of 768 rows takes LAPACK tens of
// milliseconds, as long as a training step takes the device.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "backend/backend.h"

namespace muonscope::cuda {

class EigenvalueThreads {
 public:
  // As muonscope::symmetricEigenvalues.
  using Solver = void (*)(double*, double*, int64_t);

  explicit EigenvalueThreads(Solver solver) : solver_(solver) {}
  // What was not begun is not done any more: whoever waits for it waits for good.
  ~EigenvalueThreads();
  EigenvalueThreads(const EigenvalueThreads&) = delete;
  EigenvalueThreads& operator=(const EigenvalueThreads&) = delete;

  Solver solver() const { return solver_; }
  // Of gram[size, size], its lower triangle. Waits while too many matrices are kept for it.
  std::shared_ptr<Eigenvalues> of(std::vector<double> gram, int64_t size);

 private:
  class Task;

  void work();

  const Solver solver_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Task>> waiting_;
  bool ending_ = false;
  std::vector<std::thread> threads_;  // begun when there is something to do
};

}  // namespace muonscope::cuda
