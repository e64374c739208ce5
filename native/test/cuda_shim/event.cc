// Events: the time at which the work before them was done.
#include <chrono>
#include <set>

#include "test/cuda_shim/call.h"
#include "test/cuda_shim/memory.h"
#include "test/cuda_shim/stream.h"

struct CUevent_st {
  bool timing = true, recorded = false, pending = false;
  std::chrono::steady_clock::time_point time;
  CUstream_st* stream = nullptr;             // that has it pending
  const CUgraph_st* capturedInto = nullptr;  // when it was last recorded while capturing
};

using namespace cudaShim;

namespace {

std::set<CUevent_st*>& events() {
  static std::set<CUevent_st*> all;
  return all;
}

void waitFor(CUevent_st& event) {
  if (event.pending) runPending(*event.stream);
}

}  // namespace

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return call("cudaEventCreateWithFlags", [&] {
    *event = new CUevent_st;
    (*event)->timing = !(flags & cudaEventDisableTiming);
    events().insert(*event);
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return call("cudaEventDestroy", [&] {
    if (!events().contains(event)) return cudaErrorInvalidResourceHandle;
    waitFor(*event);
    events().erase(event);
    delete event;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return call("cudaEventRecord", [&] {
    if (!events().contains(event) || (stream && !isStream(stream))) return cudaErrorInvalidResourceHandle;
    if (stream && stream->graph) {
      if (stream->invalid) return cudaErrorStreamCaptureInvalidated;
      event->capturedInto = stream->graph.get();
      return cudaSuccess;
    }
    waitFor(*event);
    event->capturedInto = nullptr;
    event->recorded = event->pending = true;
    event->stream = stream;
    const cudaError_t error = enqueue(stream, {CUgraphNode_st::library, nullptr, [event] {
                                                 event->time = std::chrono::steady_clock::now();
                                                 event->pending = false;
                                               }});
    if (error != cudaSuccess) event->recorded = event->pending = false;
    return error;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return call("cudaEventQuery", [&] {
    if (!events().contains(event)) return cudaErrorInvalidResourceHandle;
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureUnsupported;
    if (event->capturedInto) return cudaErrorCapturedEvent;
    if (!event->pending) return cudaSuccess;
    waitFor(*event);  // whoever asks again is answered that it is done
    return cudaErrorNotReady;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return call("cudaEventSynchronize", [&] {
    if (!events().contains(event)) return cudaErrorInvalidResourceHandle;
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureUnsupported;
    if (event->capturedInto) return cudaErrorCapturedEvent;
    waitFor(*event);
    checkGuardsInTurn(nullptr);
    return cudaSuccess;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  return call("cudaEventElapsedTime", [&] {
    if (!events().contains(from) || !events().contains(to)) return cudaErrorInvalidResourceHandle;
    if (from->capturedInto || to->capturedInto) return cudaErrorCapturedEvent;
    if (!from->recorded || !to->recorded || !from->timing || !to->timing) return cudaErrorInvalidResourceHandle;
    if (from->pending || to->pending) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return call("cudaStreamWaitEvent", [&] {
    if (!events().contains(event) || (stream && !isStream(stream))) return cudaErrorInvalidResourceHandle;
    const CUgraph_st* capture = stream ? stream->graph.get() : nullptr;
    // Work that is captured can only wait for work of the same capture. Streams that join one are not emulated.
    if (capture != event->capturedInto) {
      if (capture) stream->invalid = true;
      return cudaErrorStreamCaptureIsolation;
    }
    if (capture || !event->pending || event->stream == stream) return cudaSuccess;
    return enqueue(stream, {CUgraphNode_st::library, nullptr, [event] { waitFor(*event); }});
  });
}
