// Streams: work runs at once, or when the host waits (settings().late), or goes into a graph.
#include "test/cuda_shim/stream.h"

#include <algorithm>
#include <cstring>

#include "test/cuda_shim/call.h"
#include "test/cuda_shim/kernels.h"
#include "test/cuda_shim/memory.h"

namespace cudaShim {

std::vector<CUstream_st*>& streams() {
  static std::vector<CUstream_st*> all;
  return all;
}

bool isStream(cudaStream_t stream) { return std::find(streams().begin(), streams().end(), stream) != streams().end(); }

bool forbiddenWhileCapturing() {
  bool forbidden = false;
  for (CUstream_st* stream : streams()) {
    if (!stream->graph || stream->mode == cudaStreamCaptureModeRelaxed) continue;
    if (stream->mode == cudaStreamCaptureModeThreadLocal && stream->thread != std::this_thread::get_id()) continue;
    forbidden = stream->invalid = true;
  }
  return forbidden;
}

void runPending(CUstream_st& stream) {
  while (!stream.pending.empty()) {
    const std::function<void()> work = std::move(stream.pending.front());
    stream.pending.pop_front();
    work();
  }
}

void runPending() {
  for (size_t i = 0; i < streams().size(); ++i) runPending(*streams()[i]);
}

cudaError_t enqueue(cudaStream_t stream, CUgraphNode_st work) {
  if (!stream) {  // waits for every other stream, which a captured one cannot have
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureImplicit;
    runPending();
    work.run();
    return cudaSuccess;
  }
  if (!isStream(stream)) return cudaErrorInvalidResourceHandle;
  if (stream->graph) {
    if (stream->invalid) return cudaErrorStreamCaptureInvalidated;
    stream->graph->nodes.push_back(std::make_shared<CUgraphNode_st>(std::move(work)));
  } else if (settings().late) {
    stream->pending.push_back(std::move(work.run));
  } else {
    work.run();
  }
  return cudaSuccess;
}

cudaError_t enqueueKernel(cudaStream_t stream, const Launch& launch) {
  return call("cudaLaunchKernelEx", [&] {
    checkLaunch(launch, allowedShared(launch.kernel));
    return enqueue(stream, {CUgraphNode_st::kernel, launch.kernel, [launch] { runGrid(launch); }});
  });
}

namespace {

void enqueueForLibrary(CUstream_st* stream, void (*run)(void*), void* data, void (*destroy)(void*)) {
  const std::lock_guard lock(apiLock());
  const std::shared_ptr<void> owned(data, destroy);
  enqueue(stream, {CUgraphNode_st::library, reinterpret_cast<const void*>(run), [owned, run] { run(owned.get()); }});
}

cudaError_t checkCopy(const void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (bytes && (!to || !from)) return cudaErrorInvalidValue;
  if (!isWithinAllocation(to, bytes) || !isWithinAllocation(from, bytes)) return cudaErrorInvalidValue;
  const bool fromHost = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyHostToHost;
  const bool toHost = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyHostToHost;
  return (fromHost && isDevice(from)) || (toHost && isDevice(to)) ? cudaErrorInvalidValue : cudaSuccess;
}

}  // namespace

}  // namespace cudaShim

using namespace cudaShim;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return call("cudaStreamCreateWithFlags", [&] {
    *stream = new CUstream_st;
    (*stream)->enqueue = enqueueForLibrary;
    streams().push_back(*stream);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return call("cudaStreamDestroy", [&] {
    if (!isStream(stream)) return cudaErrorInvalidResourceHandle;
    runPending(*stream);
    std::erase(streams(), stream);
    delete stream;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return call("cudaStreamSynchronize", [&] {
    if (stream && !isStream(stream)) return cudaErrorInvalidResourceHandle;
    if (stream && stream->graph) stream->invalid = true;
    if (forbiddenWhileCapturing() || (stream && stream->graph)) return cudaErrorStreamCaptureUnsupported;
    if (stream)
      runPending(*stream);
    else
      runPending();
    checkGuardsInTurn(nullptr);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return call("cudaDeviceSynchronize", [] {
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureUnsupported;
    runPending();
    checkGuardsInTurn(nullptr);
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return call("cudaMemcpy", [&] {
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureUnsupported;
    if (const cudaError_t error = checkCopy(to, from, bytes, kind); error != cudaSuccess) return error;
    runPending();
    if (bytes) std::memmove(to, from, bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return call("cudaMemcpyAsync", [&] {
    if (const cudaError_t error = checkCopy(to, from, bytes, kind); error != cudaSuccess) return error;
    if (bytes == 0) return cudaSuccess;
    const bool runsLater = stream && settings().late && !stream->graph;
    // CUDA Runtime API, "API synchronization behavior": pageable memory is read before the call returns, and written too.
    if (runsLater && kind == cudaMemcpyHostToDevice && !isPinned(from)) {
      const auto* begin = static_cast<const unsigned char*>(from);
      return enqueue(stream, {CUgraphNode_st::copy, nullptr, [to, data = std::vector<unsigned char>(begin, begin + bytes)] {
                                std::memcpy(to, data.data(), data.size());
                              }});
    }
    const cudaError_t error = enqueue(stream, {CUgraphNode_st::copy, nullptr, [=] { std::memmove(to, from, bytes); }});
    if (error == cudaSuccess && runsLater && kind == cudaMemcpyDeviceToHost && !isPinned(to)) runPending(*stream);
    return error;
  });
}

cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t stream) {
  return call("cudaMemsetAsync", [&] {
    if (bytes == 0) return cudaSuccess;
    if (!p || !isWithinAllocation(p, bytes)) return cudaErrorInvalidValue;
    return enqueue(stream, {CUgraphNode_st::set, nullptr, [=] { std::memset(p, value, bytes); }});
  });
}
