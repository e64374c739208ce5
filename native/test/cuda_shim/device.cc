// The emulated devices: what they say of themselves and what kernels are allowed on them.
#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "test/cuda_shim/call.h"
#include "test/cuda_shim/devices.h"
#include "test/cuda_shim/kernels.h"
#include "test/cuda_shim/runtime.h"

using cudaShim::call;
using cudaShim::settings;

namespace cudaShim {

namespace {

thread_local int current = 0;

// By device and kernel: what a kernel may do on one device says nothing of others.
using Shared = std::map<std::pair<int, const void*>, size_t>;
Shared& sharedOfKernels() {
  static Shared all;
  return all;
}

std::string size(dim3 d) { return std::to_string(d.x) + " x " + std::to_string(d.y) + " x " + std::to_string(d.z); }

}  // namespace

int currentDevice() { return current; }

cudaError_t usable(int device) {
  if (settings().driverVersion < CUDART_VERSION / 1000 * 1000) return cudaErrorInsufficientDriver;
  if (settings().devices == 0) return cudaErrorNoDevice;
  return device < 0 || device >= settings().devices ? cudaErrorInvalidDevice : cudaSuccess;
}

size_t allowedShared(const void* kernel) {
  const auto found = sharedOfKernels().find({current, kernel});
  return found == sharedOfKernels().end() ? sharedWithoutAsking : std::max(found->second, sharedWithoutAsking);
}

void checkLaunch(const Launch& launch, size_t allowed) {
  const auto refuse = [&](const std::string& why) { throw std::runtime_error("No device launches this: " + why + "."); };
  const uint64_t threads = uint64_t{launch.block.x} * launch.block.y * launch.block.z;
  // CUDA C++ Programming Guide, "Compute Capabilities", technical specifications.
  if (threads == 0 || threads > maxThreads || launch.block.z > 64)
    refuse("a block of " + size(launch.block) + " threads; from 1 to 1024, at most 64 of them along z");
  const dim3 grid = launch.grid;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    refuse("a grid of " + size(grid) + " blocks; at least 1 each way and at most 2^31 - 1 x 65535 x 65535");
  if (launch.sharedBytes > allowed)
    refuse(std::to_string(launch.sharedBytes) + " bytes of dynamic shared memory where the kernel may use " +
           std::to_string(allowed));
}

}  // namespace cudaShim

cudaError_t cudaDriverGetVersion(int* version) {
  return call("cudaDriverGetVersion", [&] {
    *version = settings().driverVersion;
    return cudaSuccess;
  });
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  return call("cudaRuntimeGetVersion", [&] {
    *version = CUDART_VERSION;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceCount(int* count) {
  return call("cudaGetDeviceCount", [&] {
    const cudaError_t error = cudaShim::usable(0);
    *count = error == cudaSuccess ? settings().devices : 0;
    return error;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return call("cudaGetDevice", [&] {
    *device = cudaShim::current;
    return cudaShim::usable(*device);
  });
}

cudaError_t cudaSetDevice(int device) {
  return call("cudaSetDevice", [&] {
    const cudaError_t error = cudaShim::usable(device);
    if (error == cudaSuccess) cudaShim::current = device;
    return error;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return call("cudaGetDeviceProperties", [&] {
    if (const cudaError_t error = cudaShim::usable(device); error != cudaSuccess) return error;
    *properties = {};
    std::strcpy(properties->name, "Emulated device");
    properties->totalGlobalMem = settings().totalBytes;
    properties->sharedMemPerBlock = cudaShim::sharedWithoutAsking;
    properties->warpSize = static_cast<int>(cudaShim::lanesPerWarp);
    properties->maxThreadsPerBlock = static_cast<int>(cudaShim::maxThreads);
    properties->major = settings().computeCapabilityMajor;
    properties->minor = settings().computeCapabilityMinor;
    properties->multiProcessorCount = cudaShim::multiprocessors;
    properties->l2CacheSize = cudaShim::cacheBytes;
    properties->maxThreadsPerMultiProcessor = 2048;
    properties->sharedMemPerMultiprocessor = cudaShim::maxShared + 1024;
    properties->sharedMemPerBlockOptin = cudaShim::maxShared;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return call("cudaDeviceGetAttribute", [&] {
    if (const cudaError_t error = cudaShim::usable(device); error != cudaSuccess) return error;
    switch (attribute) {
      case cudaDevAttrMaxThreadsPerBlock: *value = static_cast<int>(cudaShim::maxThreads); break;
      case cudaDevAttrMaxSharedMemoryPerBlock: *value = static_cast<int>(cudaShim::sharedWithoutAsking); break;
      case cudaDevAttrWarpSize: *value = static_cast<int>(cudaShim::lanesPerWarp); break;
      case cudaDevAttrMultiProcessorCount: *value = cudaShim::multiprocessors; break;
      case cudaDevAttrL2CacheSize: *value = cudaShim::cacheBytes; break;
      case cudaDevAttrComputeCapabilityMajor: *value = settings().computeCapabilityMajor; break;
      case cudaDevAttrComputeCapabilityMinor: *value = settings().computeCapabilityMinor; break;
      case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = static_cast<int>(cudaShim::maxShared + 1024); break;
      case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = static_cast<int>(cudaShim::maxShared); break;
      default: return cudaErrorInvalidValue;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return call("cudaFuncSetAttribute", [&] {
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 || static_cast<size_t>(value) > cudaShim::maxShared)
      return cudaErrorInvalidValue;
    cudaShim::sharedOfKernels()[{cudaShim::current, kernel}] = static_cast<size_t>(value);
    return cudaSuccess;
  });
}
