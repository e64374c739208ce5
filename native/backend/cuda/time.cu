// The clock, marks in the work, and work that is prepared.
#include <chrono>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/graph.h"
#include "backend/cuda/recording.h"

namespace muonscope::cuda {

double CudaBackend::clock() {
  refuseWhileRecording(stream_, "reading the clock");
  check(cudaSetDevice(stream_.device), "choosing the device");
  check(cudaStreamSynchronize(stream_.handle), "waiting for the device");
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void CudaBackend::mark(Mark mark) {
  // In a graph it would be made whenever the graph is launched, and CUDA does not time events of graphs.
  refuseWhileRecording(stream_, "marking a point in the work");
  const auto i = static_cast<size_t>(mark);
  check(cudaSetDevice(stream_.device), "choosing the device");
  check(cudaEventRecord(marks_[i], stream_.handle), "marking a point in the work");
  marked_[i] = true;
}

double CudaBackend::between(Mark from, Mark to) {
  refuseWhileRecording(stream_, "timing work");
  const auto i = static_cast<size_t>(from), j = static_cast<size_t>(to);
  if (!marked_[i] || !marked_[j]) return 0;
  for (const size_t k : {i, j}) check(cudaEventSynchronize(marks_[k]), "waiting for a point in the work");
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, marks_[i], marks_[j]), "timing work");
  return milliseconds * 1e-3;
}

void CudaBackend::prepare(const std::function<void()>& work) { graph_->record(work); }

void CudaBackend::launch() { graph_->launch(); }

}  // namespace muonscope::cuda
