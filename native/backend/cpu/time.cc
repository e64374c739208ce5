// The clock, and work that is prepared: on the CPU everything is done when it is asked for, and prepared work when it is
// launched.
#include <chrono>
#include <utility>

#include "backend/cpu/cpu_backend.h"

namespace muonscope {

double CpuBackend::clock() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void CpuBackend::mark(Mark mark) { marks_[static_cast<size_t>(mark)] = clock(); }

double CpuBackend::between(Mark from, Mark to) {
  const double begin = marks_[static_cast<size_t>(from)], end = marks_[static_cast<size_t>(to)];
  return begin == 0 || end == 0 ? 0 : end - begin;
}

void CpuBackend::prepare(const std::function<void()>& work) { prepared_ = work; }

void CpuBackend::launch() {
  if (prepared_) std::exchange(prepared_, nullptr)();
}

}  // namespace muonscope
