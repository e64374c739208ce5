#include "test/cuda_shim/foreign_memory.h"

#include <cstring>
#include <stdexcept>
#include <string>

#include "test/cuda_shim/memory.h"
#include "test/cuda_shim/symbols.h"

namespace cudaShim {

bool isForeign(const void* p, int device) {
  const int owner = deviceOf(p);
  return owner >= 0 && owner != device;
}

void refuseForeignMemory(const Launch& launch, int device) {
  for (size_t i = 0; i < launch.parameters.size(); ++i) {
    const auto [object, bytes] = launch.parameters[i];
    for (size_t at = 0; at + sizeof(void*) <= bytes; at += sizeof(void*)) {
      const void* p;
      std::memcpy(&p, static_cast<const unsigned char*>(object) + at, sizeof p);
      if (isForeign(p, device))
        throw std::runtime_error("Kernel " + functionName(launch.kernel) + " on device " + std::to_string(device) +
                                 " was given memory of device " + std::to_string(deviceOf(p)) + " (parameter " + std::to_string(i) +
                                 ", byte " + std::to_string(at) + ").");
    }
  }
}

}  // namespace cudaShim
