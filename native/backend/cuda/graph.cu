// Recording a stream, and making what was recorded something that can be launched.
#include "backend/cuda/graph.h"

#include <memory>
#include <type_traits>
#include <utility>

#include "backend/cuda/recording.h"

namespace muonscope::cuda {
namespace {

using Recorded = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, cudaError_t (*)(cudaGraph_t)>;

}  // namespace

Graph::~Graph() {
  if (executable_) cudaGraphExecDestroy(executable_);
}

void Graph::record(const std::function<void()>& work) {
  refuseWhileRecording(stream_, "preparing work");
  check(cudaSetDevice(stream_.device), "choosing the device");
  ready_ = false;
  const Recorded recorded(capture(work), cudaGraphDestroy);
  size_t nodes = 0;
  check(cudaGraphGetNodes(recorded.get(), nullptr, &nodes), "counting what was recorded");
  if (nodes == 0) return;
  instantiate(recorded.get());
  ready_ = true;
}

// The last graph with other numbers is the usual case, and its executable is changed in a fraction of the time that
// making one takes. CUDA refuses when the work is another one.
void Graph::instantiate(cudaGraph_t graph) {
  if (executable_) {
    cudaGraphExecUpdateResultInfo result{};
    const cudaError_t error = cudaGraphExecUpdate(executable_, graph, &result);
    if (error == cudaSuccess) return;
    if (error != cudaErrorGraphExecUpdateFailure) check(error, "changing prepared work");
    cudaGetLastError();  // it is dealt with
    // One that still runs is freed when it is done (CUDA Runtime API, cudaGraphExecDestroy).
    check(cudaGraphExecDestroy(std::exchange(executable_, nullptr)), "freeing prepared work");
  }
  check(cudaGraphInstantiate(&executable_, graph, 0), "preparing work");
}

// What other threads do meanwhile is none of its business: ThreadLocal.
cudaGraph_t Graph::capture(const std::function<void()>& work) const {
  check(cudaStreamBeginCapture(stream_.handle, cudaStreamCaptureModeThreadLocal), "beginning to record work");
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    // The stream has to stop recording; the reason is what `work` says.
    if (cudaStreamEndCapture(stream_.handle, &graph) == cudaSuccess && graph) cudaGraphDestroy(graph);
    cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(stream_.handle, &graph), "recording work");
  return graph;
}

void Graph::launch() {
  refuseWhileRecording(stream_, "launching prepared work");
  if (!std::exchange(ready_, false)) return;
  check(cudaSetDevice(stream_.device), "choosing the device");
  check(cudaGraphLaunch(executable_, stream_.handle), "launching prepared work");
}

}  // namespace muonscope::cuda
