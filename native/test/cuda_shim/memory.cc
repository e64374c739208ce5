// Device memory: the host's, in between guard zones, full of NaN, and no more of it on a device than the settings say.
#include "test/cuda_shim/memory.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>

#include "test/cuda_shim/call.h"
#include "test/cuda_shim/capture.h"
#include "test/cuda_shim/devices.h"
#include "test/cuda_shim/guard.h"
#include "test/cuda_shim/runtime.h"
#include "test/cuda_shim/stream.h"
#include "test/cuda_shim/symbols.h"

namespace cudaShim {

namespace {

constexpr size_t alignment = 256;  // CUDA C++ Programming Guide, "Device Memory Accesses": at least 256 bytes
constexpr size_t guardBytes = 256;

struct Allocation {
  size_t bytes;
  int number;  // in the order of cudaMalloc
  int device;
  bool reported = false;
};

using Allocations = std::map<unsigned char*, Allocation>;  // by what cudaMalloc answered
Allocations allocations;
std::map<unsigned char*, size_t> pinned;
std::map<int, size_t> allocated;  // by device
int count = 0;

void release(Allocations::iterator at) {
  openGuard(at->first - guardBytes, guardBytes);
  openGuard(at->first + at->second.bytes, guardBytes);
  allocated[at->second.device] -= at->second.bytes;
  std::free(at->first - guardBytes);
  allocations.erase(at);
}

// Empty when nothing happened; otherwise once.
std::string damage(Allocations::value_type& one) {
  auto& [p, allocation] = one;
  if (allocation.reported) return "";
  const bool before = guardIsWhole(p - guardBytes, guardBytes), after = guardIsWhole(p + allocation.bytes, guardBytes);
  if (before && after) return "";
  allocation.reported = true;
  const unsigned char* guard = before ? p + allocation.bytes : p - guardBytes;
  size_t first = 0;
  while (guard[first] == guardByte(first)) ++first;
  return "Memory was written " +
         (before ? std::to_string(first) + " bytes after the end"
                 : std::to_string(guardBytes - first) + " bytes before the beginning") +
         " of allocation number " + std::to_string(allocation.number) + ", of " + std::to_string(allocation.bytes) + " bytes";
}

template <class Map>
auto containing(Map& map, const void* p, size_t margin) {
  auto* byte = static_cast<unsigned char*>(const_cast<void*>(p));
  auto at = map.upper_bound(byte + margin);
  if (at == map.begin()) return map.end();
  return --at;
}

}  // namespace

int deviceOf(const void* p) {
  const auto at = containing(allocations, p, guardBytes);
  const bool within = at != allocations.end() && static_cast<const unsigned char*>(p) < at->first + at->second.bytes + guardBytes;
  return within ? at->second.device : -1;
}

bool isPinned(const void* p) {
  const auto at = containing(pinned, p, 0);
  return at != pinned.end() && static_cast<const unsigned char*>(p) < at->first + at->second;
}

bool isWithinAllocation(const void* p, size_t bytes) {
  if (bytes == 0 || !isDevice(p)) return true;
  const auto at = containing(allocations, p, guardBytes);
  const auto* begin = static_cast<const unsigned char*>(p);
  return begin >= at->first && begin + bytes <= at->first + at->second.bytes;
}

void checkGuardsInTurn(const void* afterKernel) {
  static size_t looks = 0;
  const std::lock_guard lock(apiLock());
  looks += looksAtATime;
  if (looks < allocations.size()) return;
  looks = 0;
  for (auto& one : allocations)
    if (const std::string what = damage(one); !what.empty())
      throw std::runtime_error(what + (afterKernel ? " (kernel " + functionName(afterKernel) + ")." : "."));
}

void checkGuards() {
  const std::lock_guard lock(apiLock());
  for (auto& one : allocations)
    if (const std::string what = damage(one); !what.empty()) throw std::runtime_error(what + ".");
}

size_t allocatedBytes() {
  const std::lock_guard lock(apiLock());
  size_t bytes = 0;
  for (const auto& [device, ofDevice] : allocated) bytes += ofDevice;
  return bytes;
}

}  // namespace cudaShim

using namespace cudaShim;

cudaError_t cudaMalloc(void** p, size_t bytes) {
  return call("cudaMalloc", [&]() -> cudaError_t {
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureUnsupported;
    *p = nullptr;
    if (bytes == 0) return cudaSuccess;
    size_t& taken = allocated[currentDevice()];
    if (bytes > settings().totalBytes || taken > settings().totalBytes - bytes) return cudaErrorMemoryAllocation;
    const size_t whole = (bytes + 2 * guardBytes + alignment - 1) / alignment * alignment;
    auto* begin = static_cast<unsigned char*>(std::aligned_alloc(alignment, whole));
    if (!begin) return cudaErrorMemoryAllocation;
    std::memset(begin, 0xff, whole);
    closeGuard(begin, guardBytes);
    closeGuard(begin + guardBytes + bytes, guardBytes);
    allocations[begin + guardBytes] = {bytes, ++count, currentDevice()};
    taken += bytes;
    *p = begin + guardBytes;
    return cudaSuccess;
  });
}

cudaError_t cudaFree(void* p) {
  return call("cudaFree", [&]() -> cudaError_t {
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureUnsupported;
    if (!p) return cudaSuccess;
    runPending();  // work that was enqueued may still use it
    const auto at = allocations.find(static_cast<unsigned char*>(p));
    if (at == allocations.end()) return cudaErrorInvalidValue;
    const std::string what = damage(*at);
    release(at);
    // During another failure a second one would end the program.
    if (!what.empty() && std::uncaught_exceptions() == 0) throw std::runtime_error(what + ".");
    return cudaSuccess;
  });
}

cudaError_t cudaMallocHost(void** p, size_t bytes) {
  return call("cudaMallocHost", [&]() -> cudaError_t {
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureUnsupported;
    *p = bytes ? std::malloc(bytes) : nullptr;
    if (bytes && !*p) return cudaErrorMemoryAllocation;
    if (bytes) pinned[static_cast<unsigned char*>(*p)] = bytes;
    return cudaSuccess;
  });
}

cudaError_t cudaFreeHost(void* p) {
  return call("cudaFreeHost", [&]() -> cudaError_t {
    if (forbiddenWhileCapturing()) return cudaErrorStreamCaptureUnsupported;
    if (!p) return cudaSuccess;
    runPending();
    if (pinned.erase(static_cast<unsigned char*>(p)) == 0) return cudaErrorInvalidValue;
    std::free(p);
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return call("cudaMemGetInfo", [&] {
    *total = settings().totalBytes;
    *free = *total - std::min(*total, allocated[currentDevice()]);
    return cudaSuccess;
  });
}
