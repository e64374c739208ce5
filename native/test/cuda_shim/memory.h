// The memory of the emulated device.
#pragma once

#include <cstddef>

namespace cudaShim {

// `afterKernel`: whom to blame, or nullptr.
void checkGuardsAfter(const void* afterKernel);
// In memory of cudaMalloc, its guards included.
bool isDevice(const void* p);
// In memory of cudaMallocHost: only such memory is copied from and to without waiting.
bool isPinned(const void* p);
// No part of the range lies in a guard.
bool isWithinAllocation(const void* p, size_t bytes);

}  // namespace cudaShim
