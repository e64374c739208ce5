// Events: the time at which the work before them was done.
#include <chrono>
#include <memory>
#include <set>
#include <vector>

#include "test/cuda_shim/call.h"
#include "test/cuda_shim/capture.h"
#include "test/cuda_shim/devices.h"
#include "test/cuda_shim/memory.h"
#include "test/cuda_shim/stream.h"

using namespace cudaShim;

namespace {

// One time that an event was recorded: who waits for that one does not wait for later ones.
struct Record {
  CUstream_st* stream;  // that has it pending
  bool done = false;
  std::chrono::steady_clock::time_point time = {};
};

}  // namespace

struct CUevent_st {
  int device;
  bool timing;
  std::shared_ptr<Record> record = nullptr;  // the latest; none before the first and while it is of a capture
  // When it was last recorded in a capture:
  bool captured = false;
  std::weak_ptr<Capture> capture = {};  // none when that has ended
  std::vector<size_t> nodes = {};       // what was before it
};

namespace {

std::set<CUevent_st*>& events() {
  static std::set<CUevent_st*> all;
  return all;
}

// No more of a stream's work than is before the event.
void waitFor(const Record& record) {
  while (!record.done && runNext(*record.stream)) continue;
}

bool isPending(const CUevent_st& event) { return event.record && !event.record->done; }

cudaError_t waitInCapture(CUstream_st& stream, CUevent_st& event) {
  const std::shared_ptr<Capture> captured = event.capture.lock();
  if (stream.capture && stream.capture != captured) {
    stream.capture->invalid = true;
    if (!captured) return cudaErrorStreamCaptureIsolation;
    captured->invalid = true;
    return cudaErrorStreamCaptureMerge;
  }
  if (!captured) return cudaErrorCapturedEvent;
  if (captured->invalid) return cudaErrorStreamCaptureInvalidated;
  captureWait(stream, captured, event.nodes);
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return call("cudaEventCreateWithFlags", [&] {
    *event = new CUevent_st{currentDevice(), !(flags & cudaEventDisableTiming)};
    events().insert(*event);
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return call("cudaEventDestroy", [&] {
    if (!events().contains(event)) return cudaErrorInvalidResourceHandle;
    events().erase(event);
    delete event;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return call("cudaEventRecord", [&] {
    if (!events().contains(event) || (stream && !isStream(stream))) return cudaErrorInvalidResourceHandle;
    if (event->device != deviceOfStream(stream)) return cudaErrorInvalidResourceHandle;
    if (stream && stream->capture) {
      if (stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
      event->captured = true;
      event->capture = stream->capture;
      event->nodes = stream->last;
      event->record = nullptr;
      return cudaSuccess;
    }
    const auto record = std::make_shared<Record>(Record{stream});
    const cudaError_t error = enqueue(stream, {CUgraphNode_st::library, nullptr, [record] {
                                                 record->time = std::chrono::steady_clock::now();
                                                 record->done = true;
                                               }});
    if (error != cudaSuccess) return error;
    event->captured = false;
    event->record = record;
    return cudaSuccess;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return call("cudaEventQuery", [&] {
    if (!events().contains(event)) return cudaErrorInvalidResourceHandle;
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureUnsupported;
    if (event->captured) return cudaErrorCapturedEvent;
    if (!isPending(*event)) return cudaSuccess;
    waitFor(*event->record);  // whoever asks again is answered that it is done
    return cudaErrorNotReady;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return call("cudaEventSynchronize", [&] {
    if (!events().contains(event)) return cudaErrorInvalidResourceHandle;
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureUnsupported;
    if (event->captured) return cudaErrorCapturedEvent;
    if (isPending(*event)) waitFor(*event->record);
    checkGuardsInTurn(nullptr);
    return cudaSuccess;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  return call("cudaEventElapsedTime", [&] {
    if (!events().contains(from) || !events().contains(to)) return cudaErrorInvalidResourceHandle;
    if (from->captured || to->captured) return cudaErrorCapturedEvent;
    if (from->device != to->device) return cudaErrorInvalidResourceHandle;
    if (!from->record || !to->record || !from->timing || !to->timing) return cudaErrorInvalidResourceHandle;
    if (isPending(*from) || isPending(*to)) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(to->record->time - from->record->time).count();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return call("cudaStreamWaitEvent", [&] {
    if (!events().contains(event) || (stream && !isStream(stream))) return cudaErrorInvalidResourceHandle;
    if (!stream && event->captured) return forbiddenWhileCapturing() ? cudaErrorStreamCaptureImplicit : cudaErrorCapturedEvent;
    if (event->captured) return waitInCapture(*stream, *event);
    if (stream && stream->capture) {  // only what is captured with it can be waited for
      stream->capture->invalid = true;
      return cudaErrorStreamCaptureIsolation;
    }
    if (!isPending(*event) || event->record->stream == stream) return cudaSuccess;
    return enqueue(stream, {CUgraphNode_st::library, nullptr, [record = event->record] { waitFor(*record); }});
  });
}
