// Streams: work runs at once, or when the host waits (settings().late), or goes into a graph.
#include "test/cuda_shim/stream.h"

#include <algorithm>

#include "test/cuda_shim/call.h"
#include "test/cuda_shim/capture.h"
#include "test/cuda_shim/devices.h"
#include "test/cuda_shim/foreign_memory.h"
#include "test/cuda_shim/kernels.h"
#include "test/cuda_shim/memory.h"

namespace cudaShim {

std::vector<CUstream_st*>& streams() {
  static std::vector<CUstream_st*> all;
  return all;
}

bool isStream(cudaStream_t stream) { return std::find(streams().begin(), streams().end(), stream) != streams().end(); }

int deviceOfStream(cudaStream_t stream) { return stream ? stream->device : currentDevice(); }

bool isLate(const CUstream_st& stream) {
  const Settings& now = settings();
  return now.late && (now.lateDevice < 0 || now.lateDevice == stream.device);
}

bool runNext(CUstream_st& stream) {
  if (stream.pending.empty()) return false;
  const std::function<void()> work = std::move(stream.pending.front());
  stream.pending.pop_front();
  work();
  return true;
}

void runPending(CUstream_st& stream) {
  while (runNext(stream)) continue;
}

void runPending(int device) {
  for (size_t i = 0; i < streams().size(); ++i)
    if (streams()[i]->device == device) runPending(*streams()[i]);
}

void runPending() {
  for (size_t i = 0; i < streams().size(); ++i) runPending(*streams()[i]);
}

cudaError_t enqueue(cudaStream_t stream, CUgraphNode_st work) {
  if (!stream) {  // waits for every other stream of the device, which a captured one cannot have
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureImplicit;
    runPending(currentDevice());
    work.run();
    return cudaSuccess;
  }
  if (!isStream(stream)) return cudaErrorInvalidResourceHandle;
  if (stream->capture) return captureWork(*stream, std::move(work));
  stream->pending.push_back(std::move(work.run));
  if (!isLate(*stream)) runPending(*stream);
  return cudaSuccess;
}

cudaError_t enqueueKernel(cudaStream_t stream, const Launch& launch) {
  return call("cudaLaunchKernelEx", [&] {
    if (stream && !isStream(stream)) return cudaErrorInvalidResourceHandle;
    const int device = deviceOfStream(stream);
    if (device != currentDevice()) return cudaErrorInvalidResourceHandle;
    checkLaunch(launch, allowedShared(launch.kernel));
    refuseForeignMemory(launch, device);
    return enqueue(stream, {CUgraphNode_st::kernel, launch.kernel, [launch] { runGrid(launch); }, {device}});
  });
}

namespace {

void enqueueForLibrary(CUstream_st* stream, void (*run)(void*), void* data, void (*destroy)(void*)) {
  const std::lock_guard lock(apiLock());
  const std::shared_ptr<void> owned(data, destroy);
  const auto* function = reinterpret_cast<const void*>(run);
  enqueue(stream, {CUgraphNode_st::library, function, [owned, run] { run(owned.get()); }, {stream->device}});
}

bool libraryMayUse(CUstream_st* stream, const void* const* memory, size_t count) {
  const std::lock_guard lock(apiLock());
  const bool foreign = std::any_of(memory, memory + count, [&](const void* p) { return isForeign(p, stream->device); });
  return stream->device == currentDevice() && !foreign;
}

}  // namespace

}  // namespace cudaShim

using namespace cudaShim;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return call("cudaStreamCreateWithFlags", [&] {
    *stream = new CUstream_st;
    (*stream)->device = currentDevice();
    (*stream)->enqueue = enqueueForLibrary;
    (*stream)->mayUse = libraryMayUse;
    streams().push_back(*stream);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return call("cudaStreamDestroy", [&] {
    if (!isStream(stream)) return cudaErrorInvalidResourceHandle;
    runPending(*stream);
    leaveCapture(*stream);
    std::erase(streams(), stream);
    delete stream;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return call("cudaStreamSynchronize", [&] {
    if (stream && !isStream(stream)) return cudaErrorInvalidResourceHandle;
    if (stream && stream->capture) stream->capture->invalid = true;
    if (forbiddenWhileCapturing() || (stream && stream->capture)) return cudaErrorStreamCaptureUnsupported;
    if (stream)
      runPending(*stream);
    else
      runPending(currentDevice());
    checkGuardsInTurn(nullptr);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return call("cudaDeviceSynchronize", [] {
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureUnsupported;
    runPending(currentDevice());
    checkGuardsInTurn(nullptr);
    return cudaSuccess;
  });
}
