// Backends beside this one: on other devices, or on this one for work that goes on beside its own.
#include <mutex>
#include <set>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/peers.h"

namespace muonscope::cuda {
namespace {

// Copies from one device to the other go through the host until this is done (CUDA C++ Programming Guide, "Peer-to-Peer
// Memory Access"), and where they are not connected they do for good.
void connect(int device, int peer) {
  int possible = 0;
  check(cudaDeviceCanAccessPeer(&possible, device, peer), "asking whether GPUs reach each other's memory");
  if (!possible) return;
  check(cudaSetDevice(device), "choosing the device");
  const cudaError_t error = cudaDeviceEnablePeerAccess(peer, 0);
  if (error != cudaErrorPeerAccessAlreadyEnabled) return check(error, "letting GPUs reach each other's memory");
  cudaGetLastError();  // as is wanted
}

std::mutex lock;
std::multiset<int> used;

}  // namespace

PeerUse::PeerUse(int device) : device_(device) {
  const std::lock_guard guard(lock);
  for (auto peer = used.begin(); peer != used.end(); peer = used.upper_bound(*peer)) {
    if (*peer == device) continue;
    connect(device, *peer);
    connect(*peer, device);
  }
  check(cudaSetDevice(device), "choosing the device");
  used.insert(device);
}

PeerUse::~PeerUse() {
  const std::lock_guard guard(lock);
  used.erase(used.find(device_));
}

std::unique_ptr<Backend> CudaBackend::onDevice(int device) const {
  BackendOptions options;
  options.device = device;
  options.precision = nameOf(precision_);
  return std::make_unique<CudaBackend>(options, eigenvalues_.solver());
}

void CudaBackend::waitFor(Backend& other) {
  if (&other == this) return;
  auto& source = static_cast<CudaBackend&>(other);
  check(cudaSetDevice(source.stream_.device), "choosing the device");
  check(cudaEventRecord(source.reached_, source.stream_.handle), "marking a point in the work");
  // Waits for what is recorded now, also when the event is recorded again later.
  check(cudaStreamWaitEvent(stream_.handle, source.reached_, 0), "waiting for another stream of work");
}

}  // namespace muonscope::cuda
