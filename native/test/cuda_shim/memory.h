// The memory of the emulated devices.
#pragma once

#include <cstddef>

namespace cudaShim {

// checkGuards() at once where there are few allocations. Of a sharded optimizer there are thousands, and looking at all of them
// after each of its small kernels would take longer than the kernels do: every call pays for `looksAtATime` of them.
// `afterKernel`: whom to blame, or nullptr.
void checkGuardsInTurn(const void* afterKernel);
constexpr size_t looksAtATime = 64;
// The device in whose memory of cudaMalloc this lies, guards included; -1: in none's.
int deviceOf(const void* p);
inline bool isDevice(const void* p) { return deviceOf(p) >= 0; }
// In memory of cudaMallocHost: only such memory is copied from and to without waiting.
bool isPinned(const void* p);
// No part of the range lies in a guard.
bool isWithinAllocation(const void* p, size_t bytes);

}  // namespace cudaShim
