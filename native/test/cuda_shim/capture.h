// Streams that are captured: their work goes into a graph. One stream begins it, others join by waiting for what is captured.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "test/cuda_shim/graph.h"
#include "test/cuda_shim/stream.h"

namespace cudaShim {

struct Capture {
  CUstream_st* origin;
  cudaStreamCaptureMode mode;
  std::thread::id thread;
  std::unique_ptr<CUgraph_st> graph = std::make_unique<CUgraph_st>();
  bool invalid = false;
};

// True, and captures are invalidated, when one forbids calls that might wait for the device.
bool forbiddenWhileCapturing();
// Of a stream that is captured.
cudaError_t captureWork(CUstream_st& stream, CUgraphNode_st work);
// What comes on the stream waits for these nodes of the capture, which the stream joins.
void captureWait(CUstream_st& stream, const std::shared_ptr<Capture>& capture, const std::vector<size_t>& nodes);
// The capture of a stream that ends is lost.
void leaveCapture(CUstream_st& stream);

}  // namespace cudaShim
