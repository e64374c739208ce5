// Memory of another device, which work on a device is never given here, whether or not CUDA would let it through: what goes from
// device to device is copied.
#pragma once

#include <cstddef>

#include "test/cuda_shim/scheduler.h"

namespace cudaShim {

// Whether p lies in a device's memory that is not this one's.
bool isForeign(const void* p, int device);
// Throws, with the kernel and the devices, when an address in the memory of another device is among what the kernel is given:
// itself, or within an object or a table. Bytes that nobody initialised are looked at too, so tables must be filled to their end.
void refuseForeignMemory(const Launch& launch, int device);

}  // namespace cudaShim
