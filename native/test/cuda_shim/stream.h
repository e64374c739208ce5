// Streams, and the work that is enqueued on them or captured.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "test/cuda_shim/runtime.h"
#include "test/cuda_shim/stream_hook.h"

struct CUgraphNode_st {
  enum Kind { kernel, copy, set, library } kind;
  const void* function;  // of a kernel or a library
  std::function<void()> run;
};

struct CUgraph_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes;
};

struct CUstream_st : cudaShim::StreamHook {
  std::deque<std::function<void()>> pending;  // when settings().late
  // While capturing:
  std::unique_ptr<CUgraph_st> graph;
  cudaStreamCaptureMode mode{};
  std::thread::id thread;
  bool invalid = false;
};

namespace cudaShim {

// Of all streams there are; the null stream has no object.
std::vector<CUstream_st*>& streams();
bool isStream(cudaStream_t stream);

// True, and captures are invalidated, when one forbids calls that might wait for the device.
bool forbiddenWhileCapturing();
// Runs, keeps for later or captures. nullptr: the null stream.
cudaError_t enqueue(cudaStream_t stream, CUgraphNode_st work);
// All that was kept for later, of one stream or of all.
void runPending(CUstream_st& stream);
void runPending();

}  // namespace cudaShim
