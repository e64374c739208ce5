// Copies, on the host, of a device and between devices, and filling. Addresses are of one space (CUDA C++ Programming Guide,
// "Unified Virtual Address Space"), so that a copy finds its devices by itself, whichever is the current one.
#include <cstring>
#include <vector>

#include "test/cuda_shim/call.h"
#include "test/cuda_shim/capture.h"
#include "test/cuda_shim/devices.h"
#include "test/cuda_shim/foreign_memory.h"
#include "test/cuda_shim/memory.h"
#include "test/cuda_shim/stream.h"

using namespace cudaShim;

namespace {

cudaMemcpyKind kindOf(const void* to, const void* from) {
  if (isDevice(from)) return isDevice(to) ? cudaMemcpyDeviceToDevice : cudaMemcpyDeviceToHost;
  return isDevice(to) ? cudaMemcpyHostToDevice : cudaMemcpyHostToHost;
}

cudaError_t checkCopy(const void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (bytes && (!to || !from)) return cudaErrorInvalidValue;
  if (!isWithinAllocation(to, bytes) || !isWithinAllocation(from, bytes)) return cudaErrorInvalidValue;
  const bool fromHost = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyHostToHost;
  const bool toHost = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyHostToHost;
  return (fromHost && isDevice(from)) || (toHost && isDevice(to)) ? cudaErrorInvalidValue : cudaSuccess;
}

}  // namespace

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return call("cudaMemcpy", [&] {
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureUnsupported;
    if (const cudaError_t error = checkCopy(to, from, bytes, kind); error != cudaSuccess) return error;
    runPending(currentDevice());
    if (bytes) std::memmove(to, from, bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return call("cudaMemcpyAsync", [&] {
    if (kind == cudaMemcpyDefault) kind = kindOf(to, from);
    if (const cudaError_t error = checkCopy(to, from, bytes, kind); error != cudaSuccess) return error;
    if (bytes == 0) return cudaSuccess;
    const bool runsLater = stream && isStream(stream) && isLate(*stream) && !stream->capture;
    // CUDA Runtime API, "API synchronization behavior": pageable memory is read before the call returns, and written too.
    if (runsLater && kind == cudaMemcpyHostToDevice && !isPinned(from)) {
      const auto* begin = static_cast<const unsigned char*>(from);
      return enqueue(stream, {CUgraphNode_st::copy, nullptr, [to, data = std::vector<unsigned char>(begin, begin + bytes)] {
                                std::memcpy(to, data.data(), data.size());
                              }});
    }
    const cudaError_t error = enqueue(
        stream, {CUgraphNode_st::copy, nullptr, [=] { std::memmove(to, from, bytes); }, {deviceOf(to), deviceOf(from)}});
    if (error == cudaSuccess && runsLater && kind == cudaMemcpyDeviceToHost && !isPinned(to)) runPending(*stream);
    return error;
  });
}

cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t stream) {
  return call("cudaMemsetAsync", [&] {
    if (bytes == 0) return cudaSuccess;
    if (!p || !isWithinAllocation(p, bytes)) return cudaErrorInvalidValue;
    if (stream && !isStream(stream)) return cudaErrorInvalidResourceHandle;
    if (isForeign(p, deviceOfStream(stream))) return cudaErrorInvalidValue;  // a rule of this stand-in: see foreign_memory.h
    return enqueue(stream, {CUgraphNode_st::set, nullptr, [=] { std::memset(p, value, bytes); }, {deviceOf(p)}});
  });
}
