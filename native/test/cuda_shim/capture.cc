// Capturing streams, as CUDA C++ Programming Guide has it ("Creating a Graph Using Stream Capture").
#include "test/cuda_shim/capture.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "test/cuda_shim/call.h"

using namespace cudaShim;

namespace cudaShim {

namespace {

void leave(const Capture& capture) {
  for (CUstream_st* stream : streams()) {
    if (stream->capture.get() != &capture) continue;
    stream->capture = nullptr;
    stream->last.clear();
  }
}

}  // namespace

bool forbiddenWhileCapturing() {
  bool forbidden = false;
  for (CUstream_st* stream : streams()) {
    if (!stream->capture || stream->capture->mode == cudaStreamCaptureModeRelaxed) continue;
    Capture& capture = *stream->capture;
    if (capture.mode == cudaStreamCaptureModeThreadLocal && capture.thread != std::this_thread::get_id()) continue;
    forbidden = capture.invalid = true;
  }
  return forbidden;
}

cudaError_t captureWork(CUstream_st& stream, CUgraphNode_st work) {
  if (stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  Nodes& nodes = stream.capture->graph->nodes;
  work.after = std::exchange(stream.last, {nodes.size()});
  nodes.push_back(std::make_shared<CUgraphNode_st>(std::move(work)));
  return cudaSuccess;
}

void captureWait(CUstream_st& stream, const std::shared_ptr<Capture>& capture, const std::vector<size_t>& nodes) {
  stream.capture = capture;
  std::vector<size_t> both;
  std::ranges::set_union(stream.last, nodes, std::back_inserter(both));
  stream.last = std::move(both);
}

void leaveCapture(CUstream_st& stream) {
  if (!stream.capture) return;
  stream.capture->invalid = true;
  if (stream.capture->origin == &stream) leave(*std::shared_ptr(stream.capture));
}

}  // namespace cudaShim

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return call("cudaStreamBeginCapture", [&] {
    if (!stream) return cudaErrorStreamCaptureUnsupported;
    if (!isStream(stream)) return cudaErrorInvalidResourceHandle;
    if (stream->capture) return cudaErrorIllegalState;
    stream->capture = std::make_shared<Capture>(Capture{stream, mode, std::this_thread::get_id()});
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return call("cudaStreamEndCapture", [&] {
    *graph = nullptr;
    if (!isStream(stream)) return cudaErrorInvalidResourceHandle;
    const std::shared_ptr<Capture> capture = stream->capture;
    if (!capture) return cudaErrorIllegalState;
    if (capture->origin != stream) {
      capture->invalid = true;
      return cudaErrorStreamCaptureUnmatched;
    }
    if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id())
      return cudaErrorStreamCaptureWrongThread;
    const bool joined = std::ranges::includes(stream->last, sinks(capture->graph->nodes));
    leave(*capture);
    if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
    if (!joined) return cudaErrorStreamCaptureUnjoined;
    *graph = capture->graph.release();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return call("cudaStreamIsCapturing", [&] {
    if (stream && !isStream(stream)) return cudaErrorInvalidResourceHandle;
    *status = !stream || !stream->capture ? cudaStreamCaptureStatusNone
              : stream->capture->invalid  ? cudaStreamCaptureStatusInvalidated
                                          : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}
