// Access of a device to the memory of another one. It changes nothing here: copies between devices work without it, and kernels
// are refused such memory even with it (foreign_memory.h).
#include <set>
#include <utility>

#include "test/cuda_shim/call.h"
#include "test/cuda_shim/devices.h"
#include "test/cuda_shim/runtime.h"

using namespace cudaShim;

namespace {

// Device and peer.
std::set<std::pair<int, int>>& enabled() {
  static std::set<std::pair<int, int>> all;
  return all;
}

}  // namespace

cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  return call("cudaDeviceCanAccessPeer", [&] {
    for (const int one : {device, peer})
      if (const cudaError_t error = usable(one); error != cudaSuccess) return error;
    *can = settings().peerAccess && device != peer;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned flags) {
  return call("cudaDeviceEnablePeerAccess", [&] {
    if (const cudaError_t error = usable(peer); error != cudaSuccess) return error;
    if (peer == currentDevice()) return cudaErrorInvalidDevice;
    if (flags != 0) return cudaErrorInvalidValue;
    if (!settings().peerAccess) return cudaErrorPeerAccessUnsupported;
    return enabled().emplace(currentDevice(), peer).second ? cudaSuccess : cudaErrorPeerAccessAlreadyEnabled;
  });
}

cudaError_t cudaDeviceDisablePeerAccess(int peer) {
  return call("cudaDeviceDisablePeerAccess", [&] {
    if (const cudaError_t error = usable(peer); error != cudaSuccess) return error;
    return enabled().erase({currentDevice(), peer}) ? cudaSuccess : cudaErrorPeerAccessNotEnabled;
  });
}
